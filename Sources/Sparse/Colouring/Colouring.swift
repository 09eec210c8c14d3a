import CKernels
package import Tape

package enum ColouringKind: Int32, CaseIterable, Sendable {
  case column, row, star, acyclic, starBicolouring, acyclicBicolouring
  package static func named(_ s: String) -> ColouringKind? {
    switch s {
    case "column": .column
    case "row": .row
    case "star": .star
    case "acyclic": .acyclic
    case "star_bicoloring": .starBicolouring
    case "acyclic_bicoloring": .acyclicBicolouring
    default: nil
    }
  }
  package var isSymmetric: Bool { self == .star || self == .acyclic }
  package var substitutes: Bool { self == .acyclic || self == .acyclicBicolouring }
}

/// Colours of the rows and columns of a pattern, and how its entries are read off the products with them. Colours count from 1; 0 is
/// neutral: no product is made for it.
package struct Colouring {
  package let kind: ColouringKind
  /// Empty where none are used: rows are seeds of reverse products, columns of forward ones. Symmetric kinds have columns.
  package var rowColours: [Int32] = [], columnColours: [Int32] = []
  package var rowCount = 0, columnCount = 0
  package var count: Int { rowCount + columnCount }
  package var reading = Reading()
}

/// For each entry, in the pattern's order: from which product it is read (`colour` from 0), at which element (`line`: the row of a forward
/// product, the column of a reverse one), `side` 0 forward, 1 reverse; side 2: it is the value of step `line` of the substitution.
package struct Reading {
  package var sides: [UInt8] = [], colours: [Int32] = [], lines: [Int32] = []
  package var steps: [Step] = []
}

/// One edge of a tree: value = product - sum[leaf]; sum[leaf] = 0; sum[to] += value; at the end of a tree sum[to] = 0. Vertices are rows, then (of a
/// bicolouring) columns.
package struct Step {
  package var side: UInt8, ends: Bool
  package var colour: Int32, line: Int32
  package var leaf: Int32, to: Int32
}

extension Colouring {
  /// Entries visited by iterated greedy at most, over all rounds: a limit in work, so that results do not depend on the machine.
  package static let patience = 20_000_000

  /// Colours of one order, or the fewest of all orders improved by iterated greedy.
  package static func make(_ p: Pattern, _ kind: ColouringKind, order: Order? = nil, patience: Int = Colouring.patience) throws(Failure) -> Colouring {
    if kind.isSymmetric {
      guard p.rowCount == p.columnCount else { throw Failure(.shape, "color: a \(kind == .star ? "star" : "acyclic") coloring is of a symmetric pattern; this one has \(p.rowCount) rows and \(p.columnCount) columns") }
      if let (i, j) = p.asymmetry { throw Failure(.invalid, "color: the pattern is not symmetric: it has entry (\(i), \(j)) and not (\(j), \(i))") }
    }
    switch kind {
    case .column, .row: return try oneSided(p, kind, order, patience)
    case .star: return try stars(p, kind, Graph(symmetric: p), order, patience)
    case .starBicolouring: return try stars(p, kind, Graph(bipartite: p), order, patience)
    case .acyclic: return try trees(p, kind, Graph(symmetric: p), order, patience)
    case .acyclicBicolouring: return try trees(p, kind, Graph(bipartite: p), order, patience)
    }
  }

  private static func oneSided(_ p: Pattern, _ kind: ColouringKind, _ order: Order?, _ patience: Int) throws(Failure) -> Colouring {
    let own = try Lists(p), turned = try own.transposed(columns: p.columnCount)
    let (columns, rows) = kind == .column ? (turned, own) : (own, turned)
    let bound = rows.longest
    var cost = 0
    for i in 0 ..< rows.count { cost = cost &+ rows.size(i) &* rows.size(i) }
    let near = try Neighbours(columns: columns, rows: rows)
    // A product as dear as this is coloured in its own order only: the dynamic ones cost as much again each.
    let orders: [Order] = order.map { [$0] } ?? (cost > 1 << 32 ? [.natural] : Order.allCases)
    var best: Colours?, fewest = Int.max
    for o in orders {
      if order == nil, fewest <= bound { break }
      guard let c = try greedyDistance2(columns, rows, ordered(near, o), most: fewest == .max ? .max : fewest - 1) else { continue }
      let k = colourCount(c)
      if k < fewest { (best, fewest) = (c, k) }
    }
    guard var best else { throw Failure(.memory, "color: memory was refused") }
    if order == nil {
      try improve(&best, &fewest, bound, rounds: patience / max(cost, 1)) { (o, m) throws(Failure) in try greedyDistance2(columns, rows, o, most: m) }
    }
    var result = Colouring(kind: kind)
    // Empty columns need no product.
    var list = best.array
    for v in 0 ..< list.count where columns.size(v) == 0 { list[v] = 0 }
    if kind == .column { (result.columnColours, result.columnCount) = (list, fewest) } else { (result.rowColours, result.rowCount) = (list, fewest) }
    if p.count == 0 { (result.rowCount, result.columnCount) = (0, 0) }
    result.readDirectly(p)
    return result
  }

  /// Iterated greedy: classes as blocks, their order turned round, by size, or shuffled: never more colours than before.
  private static func improve(_ best: inout Colours, _ fewest: inout Int, _ bound: Int, rounds: Int, _ colour: (Cells<Int32>, Int) throws(Failure) -> Colours?) throws(Failure) {
    var now = best, seed: UInt64 = 0x9E37_79B9_7F4A_7C15
    let order = try Cells<Int32>(best.count)
    for round in 0 ..< min(rounds, 200) where fewest > bound {
      let k = colourCount(now)
      var sizes = [Int](repeating: 0, count: k + 1)
      for v in 0 ..< now.count { sizes[Int(now[v])] += 1 }
      var classes = Array(1 ... max(k, 1))
      switch round % 4 {
      case 0, 2: classes.reverse()
      case 1: classes.sort { sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1 }
      default:
        for i in stride(from: classes.count - 1, to: 0, by: -1) {
          seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          classes.swapAt(i, Int(truncatingIfNeeded: (seed >> 33) % UInt64(i + 1)))
        }
      }
      var starts = [Int](repeating: 0, count: k + 2), at = 0
      for c in classes {
        starts[c] = at
        at += sizes[c]
      }
      for v in 0 ..< now.count {
        order[starts[Int(now[v])]] = Int32(v)
        starts[Int(now[v])] += 1
      }
      guard let next = try colour(order, .max) else { continue }
      let m = colourCount(next)
      now = next
      if m < fewest { (best, fewest) = (next, m) }
    }
  }

  private static func portfolio<C>(_ g: Graph, _ order: Order?, _ patience: Int, _ colour: (Cells<Int32>) throws(Failure) -> C, _ count: (C) -> Int, _ colours: (C) -> Colours) throws(Failure) -> C {
    var cost = 0
    for v in 0 ..< g.count { cost = cost &+ g.adjacency.size(v) &* g.adjacency.size(v) }
    let near = try Neighbours(graph: g.adjacency)
    var best: C?, fewest = Int.max
    for o in order.map({ [$0] }) ?? (cost > 1 << 31 ? [.natural, .smallestLast] : Order.allCases) {
      let c = try colour(ordered(near, o)), k = count(c)
      if k < fewest { (best, fewest) = (c, k) }
    }
    guard var best else { throw Failure(.memory, "color: memory was refused") }
    guard order == nil else { return best }
    var kept = colours(best), least = fewest
    // The neutral colours of a bicolouring are only known after: rounds count what is left.
    let rounds = min(patience / max(2 * cost + 4 * g.count, 1), 200)
    var found: C?
    try improve(&kept, &least, 1, rounds: rounds) { (o, _) throws(Failure) in
      let c = try colour(o), k = count(c)
      if k < fewest { (found, fewest) = (c, k) }
      return colours(c)
    }
    if let found { best = found }
    return best
  }

  // MARK: star and acyclic

  private static func stars(_ p: Pattern, _ kind: ColouringKind, _ g: Graph, _ order: Order?, _ patience: Int) throws(Failure) -> Colouring {
    let s = try portfolio(g, order, patience, { (o) throws(Failure) in try starColouring(g, o) }, { settle($0, g, kind).count }, { $0.colour })
    let used = settle(s, g, kind)
    var result = Colouring(kind: kind)
    result.place(used.colours, p)
    result.reading.sides.reserveCapacity(p.count)
    let m = kind == .star ? 0 : p.rowCount
    var k = 0
    for i in 0 ..< p.rowCount {
      var at = g.adjacency.first(i)
      for j in p.row(i) {
        if kind == .star, Int(j) == i {
          result.read(0, used.colours[i], Int32(i))
        } else {
          let h = s.hub(of: g.edges[at])
          at += 1
          if kind == .star {
            result.read(0, used.colours[h], h == i ? j : Int32(i))
          } else if h >= m {
            result.read(0, result.columnColours[h - m], Int32(i))
          } else {
            result.read(1, result.rowColours[h], j)
          }
        }
        k += 1
      }
    }
    return result
  }

  /// The colours that are needed: of hubs and of the diagonal. Hubs of single edges are chosen to need fewest; others become neutral.
  private static func settle(_ s: Stars, _ g: Graph, _ kind: ColouringKind) -> (colours: [Int32], count: Int) {
    let n = g.count, (c, most) = sided(s.colour, g)
    var used = [Bool](repeating: false, count: most + 1)
    for v in 0 ..< n where g.diagonal[v] != 0 { used[Int(c[v])] = true }
    for h in s.hub where h >= 0 { used[Int(c[Int(h)])] = true }
    var other = [Int32](repeating: -1, count: s.hub.count)
    for v in 0 ..< n {
      for k in g.adjacency.first(v) ..< g.adjacency.end(v) {
        let t = Int(s.star[Int(g.edges[k])]), w = Int(g.adjacency.items[k])
        if s.hub[t] < 0, -1 - Int(s.hub[t]) == v { other[t] = Int32(w) }
      }
    }
    var hubs = s.hub
    for t in hubs.indices where hubs[t] < 0 {
      let h = -1 - Int(hubs[t]), w = Int(other[t])
      if used[Int(c[h])] { continue }
      if used[Int(c[w])] { hubs[t] = -1 - Int32(w) } else { used[Int(c[h])] = true }
    }
    s.hub = hubs
    return renumbered(c, used)
  }
  /// A row and a column of one colour need a product each: columns' colours are told apart.
  private static func sided(_ c: Colours, _ g: Graph) -> ([Int32], Int) {
    let k = Int32(colourCount(c))
    if g.rows == 0 { return (c.array, Int(k)) }
    return ((0 ..< c.count).map { $0 < g.rows ? c[$0] : c[$0] + k }, 2 * Int(k))
  }
  private static func renumbered(_ c: [Int32], _ used: [Bool]) -> (colours: [Int32], count: Int) {
    var names = [Int32](repeating: 0, count: used.count), k: Int32 = 0
    for i in used.indices where used[i] && i > 0 {
      k += 1
      names[i] = k
    }
    return ((0 ..< c.count).map { names[Int(c[$0])] }, Int(k))
  }

  /// A bicolouring's colours fall to rows and columns, each numbered from 1 in order.
  private mutating func place(_ colours: [Int32], _ p: Pattern) {
    guard !kind.isSymmetric else {
      columnColours = colours
      columnCount = Int(colours.max() ?? 0)
      return
    }
    rowColours = Array(colours[..<p.rowCount])
    columnColours = Array(colours[p.rowCount...])
    rowCount = Colouring.compact(&rowColours)
    columnCount = Colouring.compact(&columnColours)
  }
  private static func compact(_ list: inout [Int32]) -> Int {
    var names = [Int32](repeating: 0, count: Int(list.max() ?? 0) + 1), k: Int32 = 0
    for c in list where c > 0 && names[Int(c)] == 0 {
      k += 1
      names[Int(c)] = k
    }
    for i in list.indices { list[i] = names[Int(list[i])] }
    return Int(k)
  }

  @inline(__always) private mutating func read(_ side: UInt8, _ colour: Int32, _ line: Int32) {
    reading.sides.append(side)
    reading.colours.append(colour - 1)
    reading.lines.append(line)
  }

  private static func trees(_ p: Pattern, _ kind: ColouringKind, _ g: Graph, _ order: Order?, _ patience: Int) throws(Failure) -> Colouring {
    let t = try portfolio(g, order, patience, { (o) throws(Failure) in try acyclicColouring(g, o) }, { colourCount($0.colour) }, { $0.colour })
    let n = g.count, (c, most) = sided(t.colour, g), m = kind == .acyclic ? 0 : p.rowCount
    // The edges of each tree, as pairs of vertices.
    let starts = try Cells<Int>(t.treeCount + 1, filling: 0), list = try Cells<(Int32, Int32, Int32)>(g.edgeCount)
    for e in 0 ..< g.edgeCount { starts[Int(t.tree[e]) + 1] += 1 }
    for k in 0 ..< t.treeCount { starts[k + 1] += starts[k] }
    let next = try Cells<Int>(t.treeCount + 1)
    for k in 0 ... t.treeCount { next[k] = starts[k] }
    for v in 0 ..< n {
      for k in g.adjacency.first(v) ..< g.adjacency.end(v) where Int(g.adjacency.items[k]) > v {
        let e = g.edges[k], tree = Int(t.tree[Int(e)])
        list[next[tree]] = (Int32(v), g.adjacency.items[k], e)
        next[tree] += 1
      }
    }
    var used = [Bool](repeating: false, count: most + 1)
    for v in 0 ..< n where g.diagonal[v] != 0 { used[Int(c[v])] = true }
    let degree = try Cells<Int32>(n, filling: 0)
    var single: [Int] = []
    for k in 0 ..< t.treeCount {
      let edges = starts[k + 1] - starts[k]
      if edges == 1 { single.append(k); continue }
      for i in starts[k] ..< starts[k + 1] {
        degree[Int(list[i].0)] += 1
        degree[Int(list[i].1)] += 1
      }
      let (a, b, _) = list[starts[k]]
      if Int(degree[Int(a)]) == edges { used[Int(c[Int(a)])] = true } else if Int(degree[Int(b)]) == edges { used[Int(c[Int(b)])] = true } else {
        used[Int(c[Int(a)])] = true
        used[Int(c[Int(b)])] = true
      }
      for i in starts[k] ..< starts[k + 1] { (degree[Int(list[i].0)], degree[Int(list[i].1)]) = (0, 0) }
    }
    for k in single {
      let (a, b, _) = list[starts[k]]
      if !used[Int(c[Int(a)])], !used[Int(c[Int(b)])] { used[Int(c[Int(b)])] = true }
    }
    var result = Colouring(kind: kind)
    let names = renumbered(c, used).colours
    result.place(names, p)
    let own = kind == .acyclic ? result.columnColours : result.rowColours + result.columnColours
    // Leaves first, in each tree, down to a centre.
    let stepOf = try Cells<Int32>(g.edgeCount), links = try Cells<Int32>(n, filling: 0), gone = try Cells<UInt8>(g.edgeCount, filling: 0)
    var local: [Int32: [(Int32, Int32)]] = [:]
    for k in 0 ..< t.treeCount {
      let edges = starts[k + 1] - starts[k]
      func step(_ leaf: Int32, _ to: Int32, _ e: Int32, _ ends: Bool) {
        stepOf[Int(e)] = Int32(result.reading.steps.count)
        let forward = kind == .acyclic || Int(to) >= m
        let line = kind == .acyclic || forward ? leaf : leaf - Int32(m)
        result.reading.steps.append(Step(side: forward ? 0 : 1, ends: ends, colour: own[Int(to)] - 1, line: line, leaf: leaf, to: to))
      }
      if edges == 1 {
        let (a, b, e) = list[starts[k]]
        if names[Int(b)] > 0 { step(a, b, e, true) } else { step(b, a, e, true) }
        continue
      }
      local.removeAll(keepingCapacity: true)
      var queue: [Int32] = []
      for i in starts[k] ..< starts[k + 1] {
        let (a, b, e) = list[i]
        local[a, default: []].append((b, e))
        local[b, default: []].append((a, e))
        links[Int(a)] += 1
        links[Int(b)] += 1
      }
      for i in starts[k] ..< starts[k + 1] {
        let (a, b, _) = list[i]
        // Of a star the hub is never a leaf: with two edges or more its links are more than one.
        if links[Int(a)] == 1 { queue.append(a) }
        if links[Int(b)] == 1 { queue.append(b) }
      }
      var at = 0, done = 0
      while at < queue.count, done < edges {
        let leaf = queue[at]
        at += 1
        guard links[Int(leaf)] == 1, let (to, e) = local[leaf]?.first(where: { gone[Int($0.1)] == 0 }) else { continue }
        gone[Int(e)] = 1
        done += 1
        links[Int(leaf)] = 0
        links[Int(to)] -= 1
        step(leaf, to, e, done == edges)
        if links[Int(to)] == 1 { queue.append(to) }
      }
      for i in starts[k] ..< starts[k + 1] { (links[Int(list[i].0)], links[Int(list[i].1)]) = (0, 0) }
    }
    for i in 0 ..< p.rowCount {
      var at = g.adjacency.first(i)
      for j in p.row(i) {
        if kind == .acyclic, Int(j) == i { result.read(0, names[i], Int32(i)) } else {
          result.reading.sides.append(2)
          result.reading.colours.append(0)
          result.reading.lines.append(stepOf[Int(g.edges[at])])
          at += 1
        }
      }
    }
    return result
  }

  private mutating func readDirectly(_ p: Pattern) {
    reading.sides = [UInt8](repeating: kind == .column ? 0 : 1, count: p.count)
    reading.colours = [Int32](unsafeUninitializedCapacity: p.count) { b, k in
      k = p.count
      for i in 0 ..< p.rowCount { for e in p.starts[i] ..< p.starts[i + 1] { b[e] = (kind == .column ? columnColours[Int(p.columns[e])] : rowColours[i]) - 1 } }
    }
    if kind == .column {
      reading.lines = [Int32](unsafeUninitializedCapacity: p.count) { b, k in
        k = p.count
        for i in 0 ..< p.rowCount { for e in p.starts[i] ..< p.starts[i + 1] { b[e] = Int32(i) } }
      }
    } else {
      reading.lines = p.columns
    }
  }
}
