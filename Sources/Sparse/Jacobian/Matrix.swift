import CKernels
package import Runtime
package import Tape

/// A sparse derivative: its pattern once, its values as often as wanted. `prepare` makes it; after that it does not change, and threads share it,
/// each with a `SparseWorkspace`.
package final class SparseMatrix {
  package var request: Request
  package let linear: Linearised
  /// Rows of the matrix as they are (of a triangle, that triangle), whatever the format's order of values is.
  package private(set) var pattern = Pattern(rowCount: 0, columnCount: 0, starts: [0], columns: [])
  /// Of the derivative behind it: the whole Hessian, the Jacobian of a normal matrix.
  package private(set) var whole = Pattern(rowCount: 0, columnCount: 0, starts: [0], columns: [])
  package private(set) var colouring: Colouring?
  package private(set) var method = Request.Method.auto
  /// How the pattern was found; auto: by the entries themselves, or it was given.
  package private(set) var detection = Detection.auto
  /// Operations of an elimination that would take more than the request allows.
  package internal(set) var exceeding: EliminationCost?
  package private(set) var program: Program?
  /// Value k, in the format's order, is entry order[k] of `pattern`.
  package private(set) var order: Cells<Int32>?
  package private(set) var isPrepared = false
  /// Between settling and compiling.
  private var settled: Sources?
  /// Of the format of blocks: where each group of rows begins among the blocks, and their groups of columns.
  package private(set) var blockStarts: [Int] = [], blockColumns: [Int32] = []

  /// Of a run: entries' places in the buffer, elements of program outputs, then of steps, then constants.
  private(set) var index: Cells<Int32>?, also: Cells<Int32>?, steps: Cells<Int32>?
  private(set) var alsoCount = 0, stepCount = 0, outputElements = 0, vertices = 0
  private(set) var constants: [Double] = []
  /// Of a normal matrix: where the triples of each entry begin, and they.
  private(set) var productStarts: Cells<Int64>?, triples: Cells<Int32>?

  package init(_ t: Tape, _ q: Request) throws(Failure) {
    request = q
    linear = try Linearised(t, q)
  }

  package var rowCount: Int { request.kind == .normal ? linear.columnCount : linear.rowCount }
  package var columnCount: Int { linear.columnCount }
  package var count: Int { pattern.count }
  package var dtype: DType { linear.dtype }
  package var size: Int { dtype.size }
  /// Types of what a run is given.
  package var inputTypes: [TensorType] {
    linear.inputs.map { linear.tape.type($0) } + (request.kind == .normal && request.weighted ? [TensorType(dtype, [linear.rowCount])] : [])
  }

  /// What computes the entries, as nodes: the pattern and the method are settled, nothing is compiled.
  package func sourced() throws(Failure) -> Sources {
    if let s = settled { return s }
    if let f = linear.tape.failure { throw f }
    let sources: Sources
    if request.method == .elimination {
      (whole, sources) = try eliminated()
      method = .elimination
    } else if request.method == .edgePushing {
      (whole, sources) = try pushed()
      method = .edgePushing
    } else if let given = try accumulated() {
      (whole, sources) = given
      method = .accumulate
    } else {
      if let p = request.pattern { whole = p } else { (whole, detection) = try linear.detect(at: request.point, by: request.detection) }
      if request.isSymmetric { whole = whole.symmetrised }
      let c = try chosen()
      colouring = c
      sources = try linear.compressed(whole, c)
    }
    settled = sources
    return sources
  }

  package func prepare() throws(Failure) {
    if isPrepared { return }
    let tape = linear.tape, sources = try sourced()
    let simple = tape.simplify(sources.outputs)
    if let f = tape.failure { throw f }
    let p = try Program(tape, inputs: linear.inputs, outputs: simple)
    if let f = p.set("threads", Double(request.threads)) { throw f }
    _ = p.set("check_guards", 0)
    program = p
    outputElements = p.outputTypes[0].reduce(0) { $0 + $1.count }
    constants = sources.constants
    stepCount = sources.steps.count
    vertices = sources.vertices
    if stepCount > 0 {
      let list = try Cells<Int32>(4 * stepCount)
      for (k, s) in sources.steps.enumerated() { (list[4 * k], list[4 * k + 1], list[4 * k + 2], list[4 * k + 3]) = (s.source, s.leaf, s.to, s.ends ? 1 : 0) }
      steps = list
    }
    if request.kind == .normal {
      try square(sources)
    } else {
      try arrange(sources)
    }
    isPrepared = true
    settled = nil
  }

  /// No colours: the entries accumulated as arrays. Nil where that does not serve, or another method is wanted.
  private func accumulated() throws(Failure) -> (Pattern, Sources)? {
    guard request.method == .auto || request.method == .accumulate, request.pattern == nil, request.point == nil, request.rowColours == nil, request.columnColours == nil else { return nil }
    if let f = linear.forwardFails {
      if request.method == .accumulate { throw f }
      return nil
    }
    let forced = request.method == .accumulate, a = Accumulation(linear.tape, patience: forced ? 4096 : 40)
    guard let found = try a.run(linear.results, linear.tangents, linear.columnStarts) else {
      if forced { throw Failure(.invalid, "\(request.name): the entries cannot be accumulated: the program has loops, convolutions, factorizations or places known only when it runs, or they are too many; use a method with colors") }
      return nil
    }
    return try a.gathered(found, linear)
  }

  private func coloured(_ kind: ColouringKind) throws(Failure) -> Colouring {
    // A bicolouring wants all orders.
    let quick = request.hurried && (kind == .column || kind == .row)
    return try Colouring.make(whole, kind, order: request.order ?? (quick ? .smallestLast : nil), patience: !request.hurried ? Colouring.patience : kind.isSymmetric ? 0 : Colouring.patience / 16)
  }

  private func chosen() throws(Failure) -> Colouring {
    if let f = linear.forwardFails {
      guard request.columnColours == nil, request.method == .auto || request.method == .reverse else { throw f }
      method = .reverse
      return request.rowColours != nil ? try Colouring.given(whole, .row, rows: request.rowColours ?? [], columns: []) : try coloured(.row)
    }
    if request.rowColours != nil || request.columnColours != nil {
      let kind: ColouringKind = request.isSymmetric ? .star : request.rowColours == nil ? .column : request.columnColours == nil ? .row : .starBicolouring
      method = Request.Method.allCases.first { $0.kind == kind } ?? .auto
      return try Colouring.given(whole, kind, rows: request.rowColours ?? [], columns: request.columnColours ?? [])
    }
    if let kind = request.method.kind {
      method = request.method
      guard request.isSymmetric || !kind.isSymmetric else { throw Failure(.invalid, "\(request.name): method \(request.method.name) is for Hessians") }
      return try coloured(kind)
    }
    if request.isSymmetric {
      method = .star
      return try coloured(.star)
    }
    // Forward where it is not dearer; a reverse product costs some two forward ones.
    let lists = (forward: whole.longestRow, reverse: whole.transposed.longestRow)
    // Where both sides need many, dense rows and columns may be taken apart.
    if min(lists.forward, 2 * lists.reverse) > 24, whole.count < 4_000_000 {
      let c = try coloured(.starBicolouring)
      if 5 * (c.columnCount + 2 * c.rowCount) < 4 * min(lists.forward, 2 * lists.reverse) {
        method = .starBicolouring
        return c
      }
    }
    if lists.forward <= 2 * lists.reverse {
      let c = try coloured(.column)
      method = .forward
      if c.count <= 2 * lists.reverse { return c }
      let r = try coloured(.row)
      if c.count <= 2 * r.count { return c }
      method = .reverse
      return r
    }
    let r = try coloured(.row)
    method = .reverse
    if 2 * r.count <= lists.forward { return r }
    let c = try coloured(.column)
    if 2 * r.count <= c.count { return r }
    method = .forward
    return c
  }

  /// The entries that are wanted, in the format's order.
  private func arrange(_ s: Sources) throws(Failure) {
    let kept = try Cells<Int32>(whole.count)
    var n = 0, starts = [0], columns: [Int32] = []
    if request.isSymmetric, request.triangle != .full {
      starts.reserveCapacity(whole.rowCount + 1)
      for i in 0 ..< whole.rowCount {
        for e in whole.starts[i] ..< whole.starts[i + 1] where request.triangle == .lower ? Int(whole.columns[e]) <= i : Int(whole.columns[e]) >= i {
          kept[n] = Int32(e)
          columns.append(whole.columns[e])
          n += 1
        }
        starts.append(n)
      }
      pattern = Pattern(rowCount: whole.rowCount, columnCount: whole.columnCount, starts: starts, columns: columns)
    } else {
      pattern = whole
      n = whole.count
      for e in 0 ..< n { kept[e] = Int32(e) }
    }
    if request.format == .blocks { return try arrangeBlocks(s) }
    let places = try layout(n)
    let list = try Cells<Int32>(n)
    for k in 0 ..< n { list[k] = s.index[Int(kept[Int(places[k])])] }
    index = list
    if !s.also.isEmpty {
      let position = try Cells<Int32>(whole.count, filling: -1)
      for k in 0 ..< n { position[Int(kept[Int(places[k])])] = Int32(k) }
      try add(s, position)
    }
  }

  private func add(_ s: Sources, _ position: Cells<Int32>) throws(Failure) {
    if !s.also.isEmpty {
      let pairs = try Cells<Int32>(2 * s.also.count)
      for a in s.also where position[Int(a.entry)] >= 0 {
        pairs[2 * alsoCount] = position[Int(a.entry)]
        pairs[2 * alsoCount + 1] = a.index
        alsoCount += 1
      }
      also = pairs
    }
  }

  /// Dense blocks, row-major, by group of rows and then of columns: all that hold an entry.
  private func arrangeBlocks(_ s: Sources) throws(Failure) {
    func ends(_ groups: [Int], _ n: Int, _ what: String) throws(Failure) -> (starts: [Int], of: [Int32]) {
      var starts = [0], of: [Int32] = []
      for (g, size) in groups.enumerated() {
        guard size >= 0, size <= n - starts[g] else { throw Failure(.invalid, "sparse: the groups of \(what) have other than \(n) in all") }
        for _ in 0 ..< size { of.append(Int32(g)) }
        starts.append(starts[g] + size)
      }
      guard starts[groups.count] == n else { throw Failure(.invalid, "sparse: the groups of \(what) have \(starts[groups.count]) in all, not \(n)") }
      return (starts, of)
    }
    let r = try ends(request.rowGroups, whole.rowCount, "rows"), c = try ends(request.columnGroups, whole.columnCount, "columns")
    var mark = [Int32](repeating: -1, count: request.columnGroups.count), starts = [0], columns: [Int32] = [], total = 0
    blockStarts = [0]
    for g in request.rowGroups.indices {
      var found: [Int32] = []
      for i in r.starts[g] ..< r.starts[g + 1] { for j in whole.row(i) where mark[Int(c.of[Int(j)])] != Int32(g) { mark[Int(c.of[Int(j)])] = Int32(g); found.append(c.of[Int(j)]) } }
      found.sort()
      let width = found.reduce(0) { $0 + request.columnGroups[Int($1)] }
      total += width * request.rowGroups[g]
      guard total < Int(Int32.max) else { throw Failure(.memory, "sparse: the blocks have 2^31 values or more") }
      for _ in 0 ..< request.rowGroups[g] {
        for b in found { for j in c.starts[Int(b)] ..< c.starts[Int(b) + 1] { columns.append(Int32(j)) } }
        starts.append(columns.count)
      }
      blockColumns += found
      blockStarts.append(blockColumns.count)
    }
    pattern = Pattern(rowCount: whole.rowCount, columnCount: whole.columnCount, starts: starts, columns: columns)
    let places = try Cells<Int32>(total), list = try Cells<Int32>(total), position = try Cells<Int32>(whole.count, filling: -1), zero = Int32(outputElements + stepCount + constants.count)
    constants.append(0)
    var k = 0
    for g in request.rowGroups.indices {
      var across = 0
      for b in blockColumns[blockStarts[g] ..< blockStarts[g + 1]] {
        let width = request.columnGroups[Int(b)]
        for i in r.starts[g] ..< r.starts[g + 1] {
          for q in 0 ..< width {
            let e = pattern.starts[i] + across + q
            places[k] = Int32(e)
            if let own = whole.entry(i, Int(pattern.columns[e])) {
              list[k] = s.index[own]
              position[own] = Int32(k)
            } else {
              list[k] = zero
            }
            k += 1
          }
        }
        across += width
      }
    }
    (order, index) = (places, list)
    try add(s, position)
  }

  /// The format's order of the pattern's entries.
  private func layout(_ n: Int) throws(Failure) -> Cells<Int32> {
    let places = try Cells<Int32>(n)
    if request.format == .csc {
      let next = try Cells<Int>(pattern.columnCount + 1, filling: 0)
      for j in pattern.columns { next[Int(j) + 1] += 1 }
      for j in 0 ..< pattern.columnCount { next[j + 1] += next[j] }
      for e in 0 ..< n {
        let j = Int(pattern.columns[e])
        places[next[j]] = Int32(e)
        next[j] += 1
      }
    } else {
      for e in 0 ..< n { places[e] = Int32(e) }
    }
    order = places
    return places
  }

  /// J^T diag(w) J: its pattern, and for each entry the pairs of J's entries that meet in a row.
  private func square(_ s: Sources) throws(Failure) {
    index = s.index
    if !s.also.isEmpty {
      let pairs = try Cells<Int32>(2 * s.also.count)
      for (k, a) in s.also.enumerated() { (pairs[2 * k], pairs[2 * k + 1]) = (a.entry, a.index) }
      (also, alsoCount) = (pairs, s.also.count)
    }
    var total = 0
    for i in 0 ..< whole.rowCount { total += (whole.starts[i + 1] - whole.starts[i]) * (whole.starts[i + 1] - whole.starts[i]) }
    guard total < 1 << 30 else { throw Failure(.memory, "sparse_normal: \(total) products of entries of J; at most 2^30 are taken") }
    let t = whole.transposed, n = whole.columnCount
    var starts = [0], columns: [Int32] = [], mark = [Int32](repeating: -1, count: n)
    func wanted(_ a: Int, _ b: Int) -> Bool { request.triangle == .full || (request.triangle == .lower ? b <= a : b >= a) }
    for a in 0 ..< n {
      let first = columns.count
      for i in t.row(a) { for b in whole.row(Int(i)) where mark[Int(b)] != Int32(a) && wanted(a, Int(b)) { mark[Int(b)] = Int32(a); columns.append(b) } }
      columns[first...].sort()
      starts.append(columns.count)
    }
    pattern = Pattern(rowCount: n, columnCount: n, starts: starts, columns: columns)
    let places = try layout(pattern.count), position = try Cells<Int32>(pattern.count)
    for k in 0 ..< pattern.count { position[Int(places[k])] = Int32(k) }
    let counts = try Cells<Int64>(pattern.count + 1, filling: 0)
    func each(_ body: (Int, Int32, Int32, Int32) -> Void) {
      var slot = [Int32](repeating: 0, count: n), next = whole.starts
      // Column a's entries in row order: next[i] walks along row i as a grows.
      for a in 0 ..< n {
        for e in pattern.starts[a] ..< pattern.starts[a + 1] { slot[Int(pattern.columns[e])] = position[e] }
        for i in t.row(a) {
          let own = next[Int(i)]
          next[Int(i)] += 1
          for e in whole.starts[Int(i)] ..< whole.starts[Int(i) + 1] where wanted(a, Int(whole.columns[e])) { body(Int(slot[Int(whole.columns[e])]), Int32(own), Int32(e), i) }
        }
      }
    }
    each { k, _, _, _ in counts[k + 1] += 1 }
    for k in 0 ..< pattern.count { counts[k + 1] += counts[k] }
    let at = try Cells<Int64>(pattern.count + 1), list = try Cells<Int32>(3 * Int(counts[pattern.count]))
    for k in 0 ... pattern.count { at[k] = counts[k] }
    each { k, a, b, row in
      let p = 3 * Int(at[k])
      (list[p], list[p + 1], list[p + 2]) = (a, b, row)
      at[k] += 1
    }
    (productStarts, triples) = (counts, list)
  }
}

extension Pattern {
  package var longestRow: Int {
    var m = 0
    for i in 0 ..< rowCount { m = max(m, starts[i + 1] - starts[i]) }
    return m
  }
  /// With the mirror of every entry.
  package var symmetrised: Pattern {
    let t = transposed
    if t.starts == starts, t.columns == columns { return self }
    var rows: [Int32] = [], cols: [Int32] = []
    for i in 0 ..< rowCount {
      for j in row(i) { rows += [Int32(i), j]; cols += [j, Int32(i)] }
    }
    return Pattern(rowCount: rowCount, columnCount: columnCount, rows: rows, columns: cols)
  }
}
