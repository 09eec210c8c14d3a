import CKernels
package import Tape

/// How a pattern is found. Sets: one pass that unites sets of columns. Words: passes that carry 64 columns as bits, forwards, or rows backwards.
package enum Detection: Int32, CaseIterable, Sendable { case auto, sets, words, reverseWords }

extension Linearised {
  /// Where the Jacobian may have entries: everywhere (both branches of everything), or at a point; and how that was found.
  /// Sets go first, with the patience of the passes of words that would do: what has short rows, or rows that share their sets, ends
  /// within it, and what has not loses as much again at the most.
  package func detect(at point: [UnsafeRawPointer]? = nil, by how: Detection = .auto) throws(Failure) -> (pattern: Pattern, by: Detection) {
    let known = Known(at: point.map { (inputs, $0) })
    if results.isEmpty {
      let (p, by) = try found(tape, outputs, variables, columnStarts, rowCount, known, how == .reverseWords ? .words : how, pass: nil)
      return (p, by)
    }
    var pass: Double?
    func cost() -> Double {
      let c = pass ?? Linearised.effort(tape, results, tangents, 0)
      pass = c
      return c
    }
    var by = how, made: Pattern?
    let forward = (columnCount + 63) / 64, backward = (rowCount + 63) / 64
    if how == .auto || how == .sets {
      // A single word is less than any set.
      if how == .auto, forward == 1 { by = .words } else {
        let patience = how == .sets ? nil : cost() * Double(min(forward, backward + 2, Linearised.enough)) / 4
        if let p = try bySets(tape, results, tangents, columnStarts, rowCount, known, patience: patience) { (made, by) = (p, .sets) } else {
          // CasADi's rule for the direction, whose weight of a backward pass is 0.51 to 0.49.
          by = 49 * min(forward, Linearised.enough) <= 51 * min(backward, Linearised.enough) ? .words : .reverseWords
        }
      }
    }
    if made == nil, by == .reverseWords {
      made = try backwards(known)
      if made == nil {
        guard how == .auto else { throw Failure(.invalid, "pattern: the derivative cannot be transposed; take words forwards, or sets") }
        by = .words
      }
    }
    var p: Pattern
    if let made { p = made } else { p = try byWords(tape, results, tangents, columnStarts, rowCount, known, cost()) }
    // What an operator of the host's declares is told of the function itself.
    if declares { p = p.intersection(try found(tape, outputs, variables, columnStarts, rowCount, known, .auto, pass: nil).0) }
    return (p, by)
  }

  /// Passes of words that are taken to be enough where columns are split again and again; a member of a set that is looked at costs four elements of a pass
  /// (Benchmarks/sparse/patterns.py).
  private static let enough = 16

  private func found(_ t: Tape, _ y: [NodeID], _ x: [NodeID], _ starts: [Int], _ rows: Int, _ known: Known, _ how: Detection, pass: Double?) throws(Failure) -> (Pattern, Detection) {
    let n = starts[starts.count - 1], each = Linearised.effort(t, y, x, 0), forward = (n + 63) / 64
    if how == .sets || how == .auto && forward > 1, let p = try bySets(t, y, x, starts, rows, known, patience: how == .sets ? nil : each * Double(min(forward, Linearised.enough)) / 4) { return (p, .sets) }
    return (try byWords(t, y, x, starts, rows, known, each), .words)
  }

  /// Whether an operator of the host's on the tape says where its derivative has entries.
  private var declares: Bool {
    guard tape.rules.contains(where: \.declaresSparsity), let o = tape.order(outputs) else { return false }
    for k in 0 ..< o.count where tape.structural(o[k]) == .custom && tape.rules[tape.attrs(o[k])[0]].declaresSparsity { return true }
    return false
  }

  /// What one pass takes, in elements: each operator counts for some hundred of them.
  private static func effort(_ t: Tape, _ outputs: [NodeID], _ from: [NodeID], _ depth: Int) -> Double {
    var sum = 0.0
    guard depth < 8, let nodes = t.order(outputs, from: from.map(\.index).min() ?? 0) else { return sum }
    for k in 0 ..< nodes.count where t.arity(nodes[k]) > 0 {
      let n = nodes[k]
      sum += t.isTuple(n) ? 400 : 400 + Double(t.type(n).count)
      if t.structural(n) == .matmul { for x in t.inputs(n) { sum += Double(t.type(x).count) } }
      let times = t.structural(n) == .scan ? min(Double(t.scanShape(n).length), 4096) : 1
      for b in t.bodies(of: n) { sum += times * effort(b.tape, b.outputs, [], depth + 1) }
    }
    return sum
  }

  private func bySets(_ t: Tape, _ y: [NodeID], _ x: [NodeID], _ columnStarts: [Int], _ rows: Int, _ known: Known, patience: Double?) throws(Failure) -> Pattern? {
    let sets = try Sets(columns: columnStarts[columnStarts.count - 1]), propagation = Propagation(sets)
    if let patience { sets.patience = patience < 1e18 ? Int(patience) : Int.max }
    var seeds: [NodeID: Marks] = [:]
    for (k, d) in x.enumerated() {
      let ids = try Marks(t.type(d).count)
      for i in 0 ..< ids.count { ids[i] = Int64(columnStarts[k] + i + 1) }
      seeds[d] = ids
    }
    let reach: [Marks?]
    do throws(Failure) { reach = try propagation.run(t, y, seeds, known) } catch {
      // Words take little memory.
      if patience != nil, sets.refused { return nil }
      throw error
    }
    var starts = [0], columns: [Int32] = []
    starts.reserveCapacity(rows + 1)
    var total = 0
    for r in reach { if let r { for i in 0 ..< r.count { total += sets.count(r[i]) } } }
    guard total < Int(Int32.max) else { throw Linearised.tooMany(total) }
    columns.reserveCapacity(total)
    for (k, r) in reach.enumerated() {
      for i in 0 ..< t.type(y[k]).count {
        if let r, r[i] != 0 { columns.append(contentsOf: sets.members(r[i])) }
        starts.append(columns.count)
      }
    }
    return Pattern(rowCount: rows, columnCount: columnStarts[columnStarts.count - 1], starts: starts, columns: columns)
  }
  private static func tooMany(_ n: Int) -> Failure { Failure(.memory, "sparse: the pattern has \(n) entries; fewer than 2^31 are taken") }

  /// Rows carried backwards: the transposed program, forwards. Nil where it cannot be transposed.
  private func backwards(_ known: Known) throws(Failure) -> Pattern? {
    let t = tape, cotangents = results.map { t.input(t.type($0)) }
    let back = t.simplify(t.vjp(results, cotangents, tangents, linear: true))
    if let f = t.failure {
      guard f.code != .memory else { throw f }
      t.failure = nil
      return nil
    }
    return try byWords(t, back, cotangents, rowStarts, columnCount, known, Linearised.effort(t, back, cotangents, 0)).transposed
  }

  /// 64 bits an element and pass. Columns fall into 64 groups or fewer, one pass tells each row's; the groups into 64 again, and so on: groups that share no row
  /// are split in the same pass (as CasADi does with blocks). Where all share rows it comes to a pass for each 64 columns.
  private func byWords(_ t: Tape, _ y: [NodeID], _ x: [NodeID], _ starts: [Int], _ m: Int, _ known: Known, _ pass: Double) throws(Failure) -> Pattern {
    let n = starts[starts.count - 1], sets = try Sets(columns: n, words: true), propagation = Propagation(sets)
    var size = 64
    while size < n { size *= 64 }
    var coarse = try Lists(count: m, entries: n == 0 ? 0 : m)
    for i in 0 ..< (n == 0 ? 0 : m) {
      coarse.starts[i + 1] = i + 1
      coarse.items[i] = 0
    }
    let seeds = try x.map { d throws(Failure) in try Marks(t.type(d).count) }, words = try Marks(m)
    while n > 0 {
      let sub = size / 64, groups = (n + size - 1) / size, turned = try coarse.transposed(columns: groups)
      // Which entry of its row each entry of a group is.
      let entry = try Cells<Int>(coarse.items.count), at = try Cells<Int>(groups)
      for g in 0 ..< groups { at[g] = turned.first(g) }
      for e in 0 ..< coarse.items.count {
        let g = Int(coarse.items[e])
        entry[at[g]] = e
        at[g] += 1
      }
      let colour = try colours(coarse, turned, pass), count = colourCount(colour)
      var lists = [[Int32]](repeating: [], count: count + 1)
      for g in 0 ..< groups { lists[Int(colour[g])].append(Int32(g)) }
      let bits = try Cells<UInt64>(coarse.items.count, filling: 0)
      for c in 1 ..< lists.count {
        for (k, s) in seeds.enumerated() {
          for i in 0 ..< s.count {
            let j = starts[k] + i, g = j / size
            s[i] = Int(colour[g]) == c ? Int64(bitPattern: 1 << UInt64((j - g * size) / sub)) : 0
          }
        }
        let reach = try propagation.run(t, y, Dictionary(uniqueKeysWithValues: zip(x, seeds)), known)
        var row = 0
        for (k, r) in reach.enumerated() {
          let size = t.type(y[k]).count
          for i in 0 ..< size { words[row + i] = r?[i] ?? 0 }
          row += size
        }
        for g in lists[c] { for q in turned.first(Int(g)) ..< turned.end(Int(g)) { bits[entry[q]] = UInt64(bitPattern: words[Int(turned.items[q])]) } }
      }
      var total = 0
      for e in 0 ..< bits.count { total += bits[e].nonzeroBitCount }
      guard total < Int(Int32.max) else { throw Linearised.tooMany(total) }
      let fine = try Lists(count: m, entries: total)
      var next = 0
      for i in 0 ..< m {
        for e in coarse.first(i) ..< coarse.end(i) {
          var b = bits[e]
          let first = Int(coarse.items[e]) << 6
          while b != 0 {
            fine.items[next] = Int32(truncatingIfNeeded: first + b.trailingZeroBitCount)
            next += 1
            b &= b &- 1
          }
        }
        fine.starts[i + 1] = next
      }
      coarse = fine
      if sub == 1 { break }
      size = sub
    }
    return Pattern(rowCount: m, columnCount: n, starts: coarse.starts.array, columns: coarse.items.array)
  }

  /// Colours of groups of columns; one each where colouring would take longer than the passes that it spares.
  private func colours(_ rows: Lists, _ columns: Lists, _ pass: Double) throws(Failure) -> Colours {
    let n = columns.count
    var work = 0.0
    for i in 0 ..< rows.count { work += Double(rows.size(i)) * Double(rows.size(i)) }
    let each = try Colours(n)
    for g in 0 ..< n { each[g] = Int32(g) }
    if n > 1, work < 0.5 * pass * Double(n - rows.longest), let c = try greedyDistance2(columns, rows, each) { return c }
    for g in 0 ..< n { each[g] = Int32(g + 1) }
    return each
  }
}

extension Propagation {
  /// Of a rule made of nodes: read off its own tangents.
  func ruled(_ t: Tape, _ n: NodeID, _ x: [Marks?], _ values: Known) throws(Failure) -> [Marks?]? {
    let a = t.attrs(n), inputs = t.inputs(n)
    // A rule may use itself along its tangents.
    guard ruling < 4, !x[a[1] ..< a[1] + a[2]].contains(where: { $0 != nil }) else { return nil }
    ruling += 1
    defer { ruling -= 1 }
    let stand = (0 ..< a[1]).map { x[$0] == nil ? nil : t.input(t.type(inputs[$0])) }
    guard let dy = t.ruleTangents(n, stand) else { return nil }
    var seeds: [NodeID: Marks] = [:]
    for (i, d) in stand.enumerated() { if let d, let marks = x[i] { seeds[d] = marks } }
    let known = dy.compactMap { $0 }, reach = try run(t, known, seeds, values)
    var next = 0
    return dy.map { d in
      guard d != nil else { return nil }
      next += 1
      return reach[next - 1]
    }
  }

  /// Of an operator whose host says where its derivative has entries: each result's elements against those of the operands. Nil where it does not.
  func declared(_ t: Tape, _ n: NodeID, _ x: [Marks?]) throws(Failure) -> [Marks?]? {
    let a = t.attrs(n), rule = t.rules[a[0]], inputs = t.inputs(n), c = a[1] + a[2]
    guard rule.declaresSparsity, !x[a[1] ..< c].contains(where: { $0 != nil }) else { return nil }
    // Batches, the outermost last: their sizes, and which operands have their axis.
    var sizes: [Int] = [], flags: [[Bool]] = []
    for k in stride(from: 3, to: a.count, by: 1 + a[1]) {
      sizes.append(a[k])
      flags.append(a[(k + 1)...].prefix(a[1]).map { $0 != 0 })
    }
    let instances = sizes.reduce(1, &*)
    var result: [Marks?] = []
    for k in 0 ..< inputs.count - c {
      let type = t.type(inputs[c + k]), out = try Marks(type.count, filling: 0), own = instances == 0 ? 0 : type.count / instances
      if type.dtype.isFloat {
        for i in 0 ..< a[1] {
          guard let marks = x[i] else { continue }
          guard let p = rule.sparsity(output: k, input: i), p.rows.count == p.columns.count else { return nil }
          let lead = sizes.indices.reduce(1) { flags[$1][i] ? $0 &* sizes[$1] : $0 }, each = lead == 0 ? 0 : marks.count / lead
          try charge(instances &* p.rows.count)
          for e in p.rows.indices where p.rows[e] < 0 || p.rows[e] >= Int64(own) || p.columns[e] < 0 || p.columns[e] >= Int64(each) {
            throw Failure(.callback, "\(rule.name): its sparsity has place (\(p.rows[e]), \(p.columns[e])) of \(own) by \(each) elements")
          }
          for b in 0 ..< instances {
            // The instance's number, and the operand's among those that have an axis.
            var rest = b, at = 0, step = 1
            for l in sizes.indices {
              if flags[l][i] { at += rest % sizes[l] * step; step *= sizes[l] }
              rest /= sizes[l]
            }
            for e in p.rows.indices {
              let r = b * own + Int(p.rows[e])
              out[r] = sets.union(out[r], marks[at * each + Int(p.columns[e])])
            }
          }
        }
      }
      result.append(type.dtype.isFloat ? out : nil)
    }
    return result
  }
}

extension Pattern {
  /// The entries that both have.
  package func intersection(_ other: Pattern) -> Pattern {
    var starts = [0], columns: [Int32] = []
    starts.reserveCapacity(rowCount + 1)
    for i in 0 ..< rowCount {
      var k = other.starts[i]
      for j in row(i) {
        while k < other.starts[i + 1], other.columns[k] < j { k += 1 }
        if k < other.starts[i + 1], other.columns[k] == j { columns.append(j) }
      }
      starts.append(columns.count)
    }
    return Pattern(rowCount: rowCount, columnCount: columnCount, starts: starts, columns: columns)
  }
}
