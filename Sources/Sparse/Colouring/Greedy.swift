import CKernels
package import Tape

/// Colours 1, 2, … of vertices; 0 before one is given.
typealias Colours = Cells<Int32>

/// Columns that share a row get different colours: the least that is free, in this order. Stops, and gives nil, past `most` colours.
func greedyDistance2(_ columns: Lists, _ rows: Lists, _ order: Cells<Int32>, most: Int = .max) throws(Failure) -> Colours? {
  let n = columns.count, colour = try Colours(n, filling: 0), forbidden = try Cells<Int32>(n + 2, filling: -1)
  let c = colour.p, f = forbidden.p
  for k in 0 ..< n {
    let v = order.p[k]
    for i in columns.first(Int(v)) ..< columns.end(Int(v)) {
      let w = Int(columns.items.p[i])
      for j in rows.first(w) ..< rows.end(w) { f[Int(c[Int(rows.items.p[j])])] = v }
    }
    var free = 1
    while f[free] == v { free += 1 }
    if free > most { return nil }
    c[Int(v)] = Int32(free)
  }
  return colour
}

func colourCount(_ c: Colours) -> Int {
  var m: Int32 = 0
  for i in 0 ..< c.count { m = max(m, c[i]) }
  return Int(m)
}

/// A star colouring and its stars: two colours at a time induce stars, so that each edge is read off at its spoke (Gebremedhin, Tarafdar,
/// Manne and Pothen 2007, algorithm 4.1).
package final class Stars {
  let colour: Colours
  let star: Cells<Int32>
  /// The hub of each star; -1 - v where a star is one edge and v its hub for now.
  var hub: [Int32]
  init(_ colour: Colours, _ star: Cells<Int32>, _ hub: [Int32]) {
    self.colour = colour
    self.star = star
    self.hub = hub
  }
  func hub(of edge: Int32) -> Int {
    let h = Int(hub[Int(star[Int(edge)])])
    return h < 0 ? -1 - h : h
  }
}

func starColouring(_ g: Graph, _ order: Cells<Int32>) throws(Failure) -> Stars {
  let n = g.count, a = g.adjacency, colour = try Colours(n, filling: 0), forbidden = try Cells<Int32>(n + 2, filling: -1)
  let firstV = try Cells<Int32>(n + 2, filling: -1), firstW = try Cells<Int32>(n + 2, filling: -1), firstE = try Cells<Int32>(n + 2, filling: -1)
  let treated = try Cells<Int32>(n, filling: -1), star = try Cells<Int32>(g.edgeCount, filling: -1)
  let c = colour.p, f = forbidden.p, items = a.items.p, edge = g.edges.p
  var hub: [Int32] = []
  func forbid(_ w: Int, _ v: Int32) {
    for k in a.first(w) ..< a.end(w) { f[Int(c[Int(items[k])])] = v }
  }
  for k in 0 ..< n {
    let v = order.p[k]
    for i in a.first(Int(v)) ..< a.end(Int(v)) {
      let w = Int(items[i]), cw = Int(c[w])
      if cw == 0 { continue }
      f[cw] = v
      if firstV[cw] == v {
        let q = Int(firstW[cw])
        if treated[q] != v {
          forbid(q, v)
          treated[q] = v
        }
        forbid(w, v)
        treated[w] = v
      } else {
        (firstV[cw], firstW[cw], firstE[cw]) = (v, Int32(w), edge[i])
        for j in a.first(w) ..< a.end(w) {
          let x = items[j]
          if x == v || c[Int(x)] == 0 { continue }
          if hub[Int(star[Int(edge[j])])] == x { f[Int(c[Int(x)])] = v }
        }
      }
    }
    var free = 1
    while f[free] == v { free += 1 }
    c[Int(v)] = Int32(free)
    for i in a.first(Int(v)) ..< a.end(Int(v)) {
      let w = Int(items[i]), cw = Int(c[w])
      if cw == 0 { continue }
      var joined = false
      for j in a.first(w) ..< a.end(w) {
        let x = items[j]
        if x == v || c[Int(x)] != Int32(free) { continue }
        let s = star[Int(edge[j])]
        hub[Int(s)] = Int32(w)
        star[Int(edge[i])] = s
        joined = true
        break
      }
      if joined { continue }
      if firstV[cw] == v, Int(firstW[cw]) != w {
        let s = star[Int(firstE[cw])]
        hub[Int(s)] = v
        star[Int(edge[i])] = s
      } else {
        star[Int(edge[i])] = Int32(hub.count)
        hub.append(-1 - max(v, Int32(w)))
      }
    }
  }
  return Stars(colour, star, hub)
}

/// An acyclic colouring and its trees: two colours at a time induce a forest, read off from the leaves (algorithm 3.1 there).
package final class Trees {
  let colour: Colours
  /// The tree of each edge, numbered from 0.
  let tree: Cells<Int32>
  let treeCount: Int
  init(_ colour: Colours, _ tree: Cells<Int32>, _ count: Int) {
    self.colour = colour
    self.tree = tree
    treeCount = count
  }
}

func acyclicColouring(_ g: Graph, _ order: Cells<Int32>) throws(Failure) -> Trees {
  let n = g.count, a = g.adjacency, colour = try Colours(n, filling: 0), forbidden = try Cells<Int32>(n + 2, filling: -1)
  let parent = try Cells<Int32>(g.edgeCount), rank = try Cells<UInt8>(g.edgeCount, filling: 0)
  for e in 0 ..< g.edgeCount { parent[e] = Int32(e) }
  let visitV = try Cells<Int32>(g.edgeCount, filling: -1), visitW = try Cells<Int32>(g.edgeCount, filling: -1)
  let firstV = try Cells<Int32>(n + 2, filling: -1), firstE = try Cells<Int32>(n + 2, filling: -1)
  let c = colour.p, f = forbidden.p, items = a.items.p, edge = g.edges.p, up = parent.p
  func root(_ e: Int32) -> Int32 {
    var r = e
    while up[Int(r)] != r {
      up[Int(r)] = up[Int(up[Int(r)])]
      r = up[Int(r)]
    }
    return r
  }
  func unite(_ x: Int32, _ y: Int32) {
    let p = root(x), q = root(y)
    if p == q { return }
    if rank[Int(p)] < rank[Int(q)] { up[Int(p)] = q } else { up[Int(q)] = p }
    if rank[Int(p)] == rank[Int(q)] { rank[Int(p)] += 1 }
  }
  for k in 0 ..< n {
    let v = order.p[k]
    for i in a.first(Int(v)) ..< a.end(Int(v)) { f[Int(c[Int(items[i])])] = v }
    for i in a.first(Int(v)) ..< a.end(Int(v)) {
      let w = Int(items[i])
      if c[w] == 0 { continue }
      for j in a.first(w) ..< a.end(w) {
        let x = items[j], cx = Int(c[Int(x)])
        if x == v || cx == 0 || f[cx] == v { continue }
        let r = Int(root(edge[j]))
        if visitV[r] != v { (visitV[r], visitW[r]) = (v, Int32(w)) } else if visitW[r] != Int32(w) { f[cx] = v }
      }
    }
    var free = 1
    while f[free] == v { free += 1 }
    c[Int(v)] = Int32(free)
    for i in a.first(Int(v)) ..< a.end(Int(v)) {
      let cw = Int(c[Int(items[i])])
      if cw == 0 { continue }
      if firstV[cw] != v { (firstV[cw], firstE[cw]) = (v, edge[i]) } else { unite(edge[i], firstE[cw]) }
    }
    for i in a.first(Int(v)) ..< a.end(Int(v)) {
      let w = Int(items[i])
      if c[w] == 0 { continue }
      for j in a.first(w) ..< a.end(w) where items[j] != v && c[Int(items[j])] == Int32(free) { unite(edge[i], edge[j]) }
    }
  }
  let tree = try Cells<Int32>(g.edgeCount), number = try Cells<Int32>(g.edgeCount, filling: -1)
  var count: Int32 = 0
  for e in 0 ..< g.edgeCount {
    let r = Int(root(Int32(e)))
    if number[r] < 0 {
      number[r] = count
      count += 1
    }
    tree[e] = number[r]
  }
  return Trees(colour, tree, Int(count))
}
