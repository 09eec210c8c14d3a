import CKernels

/// A linearised program: vertices in an order in which each comes after those it depends on, the inputs first, a sink for each output
/// last; edges with the partials on them, of which only the kind counts here.
package struct LinearGraph {
  package enum Kind: UInt8 { case unit, constant, varying }
  package var inputs = 0, outputs = 0, count = 0
  package var from: [Int32] = [], to: [Int32] = [], kinds: [Kind] = []
  package init() {}
  /// The vertices that an elimination removes.
  package var inner: Range<Int> { inputs ..< max(count - outputs, inputs) }
}

/// Operations of an accumulation: products of edges where none is +-1 and not both are constant, and sums where edges meet.
package struct EliminationCost: Comparable, Sendable {
  package var products = 0, sums = 0
  package static func < (a: EliminationCost, b: EliminationCost) -> Bool { (a.products, a.sums) < (b.products, b.sums) }
}

package enum EliminationOrder: Int, CaseIterable, Sendable {
  case best, forward, reverse, markowitz, relativeMarkowitz, minFill, annealing
  package var name: String {
    switch self {
    case .best: "best"
    case .forward: "forward"
    case .reverse: "reverse"
    case .markowitz: "markowitz"
    case .relativeMarkowitz: "relative_markowitz"
    case .minFill: "min_fill"
    case .annealing: "annealing"
    }
  }
}

/// Vertex elimination (Griewank and Walther, Evaluating Derivatives, chapter 10): the graph as rows of bits, so that a vertex goes at the
/// cost of a few words for each of its neighbours, and a whole order is counted exactly in microseconds.
package final class EliminationSearch {
  package let graph: LinearGraph
  private let n: Int, width: Int
  /// Rows of bits, `width` words each, at the start and as they are now: successors, those over +-1, those over constants, predecessors.
  private let start: UnsafeMutablePointer<UInt64>, now: UnsafeMutablePointer<UInt64>
  private var successors: UnsafeMutablePointer<UInt64> { now }
  private var units: UnsafeMutablePointer<UInt64> { now + n * width }
  private var constants: UnsafeMutablePointer<UInt64> { now + 2 * n * width }
  private var predecessors: UnsafeMutablePointer<UInt64> { now + 3 * n * width }
  /// Words looked at so far: what bounds a search, rather than a clock, so that its result is the same everywhere.
  private var work = 0

  package init?(_ g: LinearGraph) {
    graph = g
    n = g.count
    width = (g.count + 63) / 64
    let bytes = max(4 * n * width, 1) * 8
    guard let a = ck_alloc(bytes) else { return nil }
    guard let b = ck_alloc(bytes) else {
      ck_free(a)
      return nil
    }
    start = a.assumingMemoryBound(to: UInt64.self)
    now = b.assumingMemoryBound(to: UInt64.self)
    start.update(repeating: 0, count: max(4 * n * width, 1))
    for e in g.from.indices {
      let p = Int(g.from[e]), s = Int(g.to[e]), k = p * width + s >> 6, bit = UInt64(1) << UInt64(s & 63)
      start[k] |= bit
      if g.kinds[e] == .unit { start[n * width + k] |= bit }
      if g.kinds[e] != .varying { start[2 * n * width + k] |= bit }
      start[3 * n * width + s * width + p >> 6] |= UInt64(1) << UInt64(p & 63)
    }
  }
  deinit {
    ck_free(start)
    ck_free(now)
  }

  private func reset() {
    now.update(from: start, count: 4 * n * width)
    work += n * width / 2
  }

  /// Takes v out.
  @inline(__always) private func eliminate(_ v: Int, _ cost: inout EliminationCost) {
    let w = width, row = v * w, first = v >> 6, keep = ~(UInt64(1) << UInt64(v & 63))
    let s = successors, u = units, c = constants, p = predecessors
    var products = 0, sums = 0, touched = 0
    for k in 0 ... first {
      var bits = p[row + k]
      while bits != 0 {
        let q = (k << 6 + bits.trailingZeroBitCount) * w
        bits &= bits &- 1
        let isUnit = u[q + first] & ~keep != 0, isConstant = c[q + first] & ~keep != 0
        s[q + first] &= keep
        u[q + first] &= keep
        c[q + first] &= keep
        for j in first ..< w {
          let sv = s[row + j]
          if sv == 0 { continue }
          let sq = s[q + j], uv = u[row + j], cv = c[row + j]
          sums += (sq & sv).nonzeroBitCount
          var pu: UInt64 = 0, pc: UInt64 = 0
          if isUnit {
            (pu, pc) = (uv, cv)
          } else if isConstant {
            products += (sv & ~cv).nonzeroBitCount
            pc = cv
          } else {
            products += (sv & ~uv).nonzeroBitCount
          }
          let cq = c[q + j]
          u[q + j] = u[q + j] & ~sv | pu & ~sq
          c[q + j] = cq & ~sv | pc & ~sq | cq & pc
          s[q + j] = sq | sv
        }
        touched += w - first
      }
    }
    for k in first ..< w {
      var bits = s[row + k]
      while bits != 0 {
        let t = (k << 6 + bits.trailingZeroBitCount) * w
        bits &= bits &- 1
        for j in 0 ... first { p[t + j] |= p[row + j] }
        p[t + first] &= keep
        touched += first + 1
      }
    }
    work += touched + w
    cost.products += products
    cost.sums += sums
  }

  /// What an order costs, exactly.
  package func cost(_ order: [Int32]) -> EliminationCost {
    reset()
    var c = EliminationCost()
    for v in order { eliminate(Int(v), &c) }
    return c
  }

  // MARK: greedy orders

  private func bits(_ p: UnsafeMutablePointer<UInt64>, _ v: Int) -> Int {
    var sum = 0
    for k in 0 ..< width { sum += p[v * width + k].nonzeroBitCount }
    return sum
  }

  /// Edges that taking v out would make.
  private func fill(_ v: Int) -> Int {
    var made = 0
    for k in 0 ..< width {
      var bits = predecessors[v * width + k]
      while bits != 0 {
        let q = (k << 6 + bits.trailingZeroBitCount) * width
        bits &= bits &- 1
        for j in 0 ..< width { made += (successors[v * width + j] & ~successors[q + j]).nonzeroBitCount }
        work += width
      }
    }
    return made
  }

  /// The vertex of the least score goes, ties to the highest number. Scores of its neighbours are taken anew.
  package func greedy(_ how: EliminationOrder) -> (order: [Int32], cost: EliminationCost) {
    var order: [Int32] = []
    reset()
    let inner = Array(graph.inner), reach = how == .relativeMarkowitz ? reaches() : []
    var score = [(Int, Int)](repeating: (0, 0), count: n), gone = [Bool](repeating: false, count: n)
    func rate(_ v: Int) {
      let p = bits(predecessors, v), s = bits(successors, v)
      score[v] = how == .minFill ? (fill(v) - p - s, p * s) : (p * s - (reach.isEmpty ? 0 : reach[v]), 0)
    }
    for v in inner { rate(v) }
    var cost = EliminationCost()
    for _ in inner {
      var v = -1
      for u in inner where !gone[u] && (v < 0 || score[u] <= score[v]) { v = u }
      gone[v] = true
      order.append(Int32(v))
      var near: [Int] = []
      for k in 0 ..< width {
        var around = predecessors[v * width + k] | successors[v * width + k]
        while around != 0 {
          near.append(k << 6 + around.trailingZeroBitCount)
          around &= around &- 1
        }
      }
      eliminate(v, &cost)
      work += inner.count / 8
      for u in near where graph.inner.contains(u) && !gone[u] { rate(u) }
    }
    return (order, cost)
  }

  /// Inputs that reach each vertex times outputs that it reaches: the size of what its elimination has to give in the end.
  private func reaches() -> [Int] {
    var count = [Int](repeating: 0, count: n)
    var below = [UInt64](repeating: 0, count: n * width), above = below
    for v in 0 ..< n {
      if v < graph.inputs { below[v * width + v >> 6] |= 1 << UInt64(v & 63) }
      for k in 0 ..< width {
        var p = predecessors[v * width + k]
        while p != 0 {
          let q = k << 6 + p.trailingZeroBitCount
          p &= p &- 1
          for j in 0 ..< width { below[v * width + j] |= below[q * width + j] }
        }
      }
    }
    for v in stride(from: n - 1, through: 0, by: -1) {
      if v >= n - graph.outputs { above[v * width + v >> 6] |= 1 << UInt64(v & 63) }
      for k in 0 ..< width {
        var s = successors[v * width + k]
        while s != 0 {
          let q = k << 6 + s.trailingZeroBitCount
          s &= s &- 1
          for j in 0 ..< width { above[v * width + j] |= above[q * width + j] }
        }
      }
      var i = 0, o = 0
      for j in 0 ..< width {
        i += below[v * width + j].nonzeroBitCount
        o += above[v * width + j].nonzeroBitCount
      }
      count[v] = i * o
    }
    work += 4 * n * width
    return count
  }

  // MARK: annealing

  /// From `order` on: single vertices moved, worse orders accepted with the probability that a falling temperature gives them
  /// (Kirkpatrick, Gelatt and Vecchi 1983). Deterministic: its own random numbers, and `budget` words looked at.
  /// The graph without a set of vertices does not depend on the order in which they went. So a move changes the cost of the vertices
  /// between its two places only, and the graphs kept at every `step` places stay what they are outside of it.
  package func annealed(_ first: [Int32], budget: Int, seed: UInt64) -> (order: [Int32], cost: EliminationCost) {
    let count = first.count, size = 4 * n * width
    var order = first, best = first, total = cost(first), least = total
    guard count > 2 else { return (best, least) }
    let step = max(4, (count * size * 8) >> 23), kept = (count - 1) / step + 1
    guard let memory = ck_alloc(kept * size * 8) else { return (best, least) }
    defer { ck_free(memory) }
    let graphs = memory.assumingMemoryBound(to: UInt64.self)
    var costs = [EliminationCost](repeating: EliminationCost(), count: count)
    reset()
    for i in 0 ..< count {
      if i % step == 0 { (graphs + i / step * size).update(from: now, count: size) }
      eliminate(Int(order[i]), &costs[i])
    }
    var state = seed | 1
    func random() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state &* 0x2545_F491_4F6C_DD1D
    }
    func below(_ m: Int) -> Int { Int((random() >> 33) % UInt64(m)) }
    let begin = work, hot = max(1.0, Double(least.products) / 200), cold = 0.12
    var moved = [EliminationCost](repeating: EliminationCost(), count: count)
    while work - begin < budget {
      let done = Double(work - begin) / Double(budget), temperature = hot * (1 - done) * (1 - done) + cold
      // Mostly near, sometimes far.
      let i = below(count), far = 1 + below(min(count, 1 << (1 + below(8)))), j = random() >> 40 & 1 == 0 ? i + far : i - far
      work += 4
      if j < 0 || j >= count { continue }
      let a = min(i, j), b = max(i, j), v = order[i]
      func move() {
        if i < j { for k in i ..< j { order[k] = order[k + 1] } } else { for k in stride(from: i, to: j, by: -1) { order[k] = order[k - 1] } }
        order[j] = v
      }
      func undo() {
        if i < j { for k in stride(from: j, to: i, by: -1) { order[k] = order[k - 1] } } else { for k in j ..< i { order[k] = order[k + 1] } }
        order[i] = v
      }
      now.update(from: graphs + a / step * size, count: size)
      work += size / 8
      var before = EliminationCost(), after = EliminationCost(), ignored = EliminationCost()
      for k in a / step * step ..< a { eliminate(Int(order[k]), &ignored) }
      move()
      for k in a ... b {
        before.products += costs[k].products
        before.sums += costs[k].sums
        moved[k] = EliminationCost()
        eliminate(Int(order[k]), &moved[k])
        after.products += moved[k].products
        after.sums += moved[k].sums
      }
      let worse = Double(after.products - before.products) + Double(after.sums - before.sums) / 64
      guard worse <= 0 || exponential(-worse / temperature) > Double(random() >> 11) * 0x1p-53 else {
        undo()
        continue
      }
      for k in a ... b { costs[k] = moved[k] }
      total.products += after.products - before.products
      total.sums += after.sums - before.sums
      if b / step > a / step {
        // The graphs between: from the one before on.
        now.update(from: graphs + a / step * size, count: size)
        for k in a / step * step ... b / step * step {
          if k % step == 0, k > a { (graphs + k / step * size).update(from: now, count: size) }
          eliminate(Int(order[k]), &ignored)
        }
      }
      if total < least {
        best = order
        least = total
      }
    }
    return (best, least)
  }

  /// e^x for x <= 0, to a few digits.
  private func exponential(_ x: Double) -> Double {
    if x < -30 { return 0 }
    var y = 1 + x / 1024
    for _ in 0 ..< 10 { y *= y }
    return y
  }

  /// Every order asked for with its cost; the cheapest first among equals. `best` tries all.
  package func run(_ how: EliminationOrder, anneal: Bool = true) -> (order: [Int32], costs: [(EliminationOrder, EliminationCost)], used: EliminationOrder) {
    let inner = graph.inner.map { Int32($0) }
    // Words that annealing looks at: a millisecond for ten vertices, some tenths of a second for a hundred and more.
    let budget = min(54_000_000, (inner.count <= 96 ? 600 : 1700) * inner.count * inner.count * width)
    var best: [Int32] = [], least: EliminationCost?, costs: [(EliminationOrder, EliminationCost)] = [], used = how
    func offer(_ name: EliminationOrder, _ o: [Int32], _ c: EliminationCost) {
      costs.append((name, c))
      if least.map({ c < $0 }) ?? true { (best, least, used) = (o, c, name) }
    }
    for h in EliminationOrder.allCases where h != .best && h != .annealing && (h == how || (how == .best || how == .annealing) && (anneal || h != .minFill)) {
      if h == .forward || h == .reverse {
        let o = h == .forward ? inner : inner.reversed()
        offer(h, o, cost(o))
      } else {
        let found = greedy(h)
        offer(h, found.order, found.cost)
      }
    }
    if anneal, how == .best || how == .annealing, least.map({ $0.products > 0 }) ?? false {
      var found = annealed(best, budget: budget / 2, seed: 0x9E37_79B9_7F4A_7C15)
      let second = annealed(found.order, budget: budget / 2, seed: 0xD1B5_4A32_D192_ED03)
      if second.cost < found.cost { found = second }
      offer(.annealing, found.order, found.cost)
    }
    return (best, costs, used)
  }
}
