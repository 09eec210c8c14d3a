import CKernels
package import Tape

/// Rows of numbers, as pointers: what the colourings run on.
package final class Lists {
  package let count: Int
  package let starts: Cells<Int>, items: Cells<Int32>
  init(count: Int, entries: Int) throws(Failure) {
    self.count = count
    starts = try Cells(count + 1, filling: 0)
    items = try Cells(entries)
  }
  package convenience init(_ p: Pattern) throws(Failure) {
    try self.init(count: p.rowCount, entries: p.count)
    for i in 0 ... p.rowCount { starts[i] = p.starts[i] }
    p.columns.withUnsafeBufferPointer { c in if let b = c.baseAddress { items.p.update(from: b, count: c.count) } }
  }
  @inline(__always) package func first(_ i: Int) -> Int { starts.p[i] }
  @inline(__always) package func end(_ i: Int) -> Int { starts.p[i + 1] }
  @inline(__always) package func size(_ i: Int) -> Int { starts.p[i + 1] - starts.p[i] }

  /// The lists turned round: of each of `columns` numbers, the rows that hold it, ascending.
  package func transposed(columns: Int) throws(Failure) -> Lists {
    let t = try Lists(count: columns, entries: items.count), next = try Cells<Int>(columns + 1, filling: 0)
    for k in 0 ..< items.count { t.starts.p[Int(items.p[k]) + 1] += 1 }
    for j in 0 ..< columns {
      t.starts.p[j + 1] += t.starts.p[j]
      next.p[j + 1] = t.starts.p[j + 1]
    }
    for i in 0 ..< count {
      for k in first(i) ..< end(i) {
        let j = Int(items.p[k])
        t.items.p[next.p[j]] = Int32(truncatingIfNeeded: i)
        next.p[j] += 1
      }
    }
    return t
  }
  var longest: Int {
    var m = 0
    for i in 0 ..< count { m = max(m, size(i)) }
    return m
  }
}

/// An undirected graph without loops: neighbours, and the number of the edge to each.
package final class Graph {
  package let adjacency: Lists, edges: Cells<Int32>
  package let edgeCount: Int
  /// Vertices that have a diagonal entry.
  let diagonal: Cells<UInt8>
  /// Of a bipartite graph: how many vertices are rows, the first ones.
  let rows: Int
  package var count: Int { adjacency.count }

  /// Of a symmetric pattern.
  package convenience init(symmetric p: Pattern) throws(Failure) {
    let n = p.rowCount, diagonal = try Cells<UInt8>(n, filling: 0)
    for i in 0 ..< n { for j in p.row(i) where Int(j) == i { diagonal[i] = 1 } }
    var off = 0
    for i in 0 ..< n { off += p.starts[i + 1] - p.starts[i] - Int(diagonal[i]) }
    let a = try Lists(count: n, entries: off)
    var k = 0
    for i in 0 ..< n {
      for j in p.row(i) where Int(j) != i { a.items[k] = j; k += 1 }
      a.starts[i + 1] = k
    }
    try self.init(a, diagonal, rows: 0)
  }

  /// Rows, then columns, of a pattern: joined where it has an entry.
  package convenience init(bipartite p: Pattern) throws(Failure) {
    let m = p.rowCount, t = p.transposed, a = try Lists(count: m + p.columnCount, entries: 2 * p.count)
    for i in 0 ..< m { for (k, j) in p.row(i).enumerated() { a.items[p.starts[i] + k] = Int32(m) + j } }
    for i in 0 ... m { a.starts[i] = p.starts[i] }
    for j in 0 ..< p.columnCount { for (k, i) in t.row(j).enumerated() { a.items[p.count + t.starts[j] + k] = i } }
    for j in 0 ... p.columnCount { a.starts[m + j] = p.count + t.starts[j] }
    try self.init(a, try Cells<UInt8>(m + p.columnCount, filling: 0), rows: m)
  }

  private init(_ a: Lists, _ diagonal: Cells<UInt8>, rows: Int) throws(Failure) {
    adjacency = a
    self.rows = rows
    self.diagonal = diagonal
    edges = try Cells(a.items.count)
    let next = try Cells<Int>(a.count + 1)
    for i in 0 ..< a.count { next[i] = a.starts[i] }
    // Rows ascend: the lower ends of v's edges come, in order, first in v's list.
    var e: Int32 = 0
    for v in 0 ..< a.count {
      for k in a.first(v) ..< a.end(v) where Int(a.items.p[k]) > v {
        let w = Int(a.items.p[k])
        edges.p[k] = e
        edges.p[next.p[w]] = e
        next.p[w] += 1
        e += 1
      }
    }
    edgeCount = Int(e)
  }
}
