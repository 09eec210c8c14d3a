import CKernels
package import Tape

/// In which order vertices are coloured (Gebremedhin, Manne and Pothen 2005; ties as ColPack and SparseMatrixColorings break them).
package enum Order: Int32, CaseIterable, Sendable {
  case natural, largestFirst, smallestLast, incidence, dynamicLargestFirst
  package static func named(_ s: String) -> Order? {
    switch s {
    case "natural": .natural
    case "largest_first", "lf": .largestFirst
    case "smallest_last", "sl": .smallestLast
    case "incidence_degree", "id": .incidence
    case "dynamic_largest_first", "dlf": .dynamicLargestFirst
    default: nil
    }
  }
}

/// Neighbours of a vertex: of a graph those one edge away, of a pattern's columns those that share a row.
struct Neighbours {
  let near: Lists
  /// Rows by column and columns by row, where neighbours share a row.
  let rows: Lists?
  let stamps: Cells<Int32>
  init(graph: Lists) throws(Failure) {
    near = graph
    rows = nil
    stamps = try Cells(graph.count, filling: -1)
  }
  init(columns: Lists, rows: Lists) throws(Failure) {
    near = columns
    self.rows = rows
    stamps = try Cells(columns.count, filling: -1)
  }
  var count: Int { near.count }
  /// Each other neighbour once. `mark` is a number not used before, of this round.
  @inline(__always) func each(_ v: Int, _ mark: Int32, _ body: (Int) -> Void) {
    let s = stamps.p
    guard let rows else {
      for k in near.first(v) ..< near.end(v) { body(Int(near.items.p[k])) }
      return
    }
    s[v] = mark
    for k in near.first(v) ..< near.end(v) {
      let w = Int(near.items.p[k])
      for q in rows.first(w) ..< rows.end(w) {
        let x = Int(rows.items.p[q])
        if s[x] != mark {
          s[x] = mark
          body(x)
        }
      }
    }
  }
}

func ordered(_ g: Neighbours, _ order: Order) throws(Failure) -> Cells<Int32> {
  let n = g.count, result = try Cells<Int32>(n)
  for v in 0 ..< n { result[v] = Int32(v) }
  if order == .natural { return result }
  g.stamps.p.update(repeating: -1, count: n)
  let degree = try Cells<Int32>(n, filling: 0)
  if order != .incidence || g.rows != nil {
    for v in 0 ..< n {
      var d: Int32 = 0
      g.each(v, Int32(v)) { _ in d += 1 }
      degree[v] = d
    }
  } else {
    for v in 0 ..< n { degree[v] = Int32(g.near.size(v)) }
  }
  var most = 0
  for v in 0 ..< n { most = max(most, Int(degree[v])) }
  if order == .largestFirst {
    let starts = try Cells<Int>(most + 2, filling: 0)
    for v in 0 ..< n { starts[most - Int(degree[v]) + 1] += 1 }
    for d in 0 ... most { starts[d + 1] += starts[d] }
    for v in 0 ..< n {
      let d = most - Int(degree[v])
      result[starts[d]] = Int32(v)
      starts[d] += 1
    }
    return result
  }
  // A bucket for each degree, and where in it each vertex lies.
  if order == .incidence { degree.p.update(repeating: 0, count: n) }
  var buckets = [[Int32]](repeating: [], count: most + 1)
  let place = try Cells<Int32>(n)
  for v in 0 ..< n {
    place[v] = Int32(buckets[Int(degree[v])].count)
    buckets[Int(degree[v])].append(Int32(v))
  }
  let lowest = order == .smallestLast, step: Int32 = order == .incidence ? 1 : -1
  var at = lowest ? 0 : most
  g.stamps.p.update(repeating: -1, count: n)
  for k in 0 ..< n {
    while buckets[at].isEmpty { at += lowest ? 1 : -1 }
    let v = Int(buckets[at].removeLast())
    degree[v] = -1
    result[lowest ? n - 1 - k : k] = Int32(v)
    let d = at
    g.each(v, Int32(v)) { x in
      let old = degree.p[x]
      if old < 0 { return }
      let i = Int(old), j = Int(place.p[x]), last = buckets[i].removeLast()
      if Int(last) != x {
        buckets[i][j] = last
        place.p[Int(last)] = Int32(j)
      }
      let to = Int(old + step)
      degree.p[x] = old + step
      place.p[x] = Int32(buckets[to].count)
      buckets[to].append(Int32(x))
    }
    at = lowest ? max(d - 1, 0) : min(d + 1, most)
  }
  return result
}
