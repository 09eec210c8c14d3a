import CKernels
package import Tape

/// A program cut where few values cross. Each stage's Jacobian comes in its cheaper direction, and they are multiplied in the cheapest
/// order (the matrix-chain rule, with a stage's own cost for its leaves): forward early and reverse late falls out where that is best.
package struct Stages {
  package struct Cut {
    /// Behind how many of the nodes it lies; the values that cross it, and their elements.
    var place: Int, nodes: [NodeID], width: Int
  }
  package private(set) var cuts: [Cut] = []
  /// Of each interval of cuts: its cost and the cut where it is split (-1: one stage).
  private var costs: [[Double]] = [], splits: [[Int]] = []
  /// Elements computed before each place.
  private var work: [Double] = [0]
  package static let most = 40

  package var cost: Double { costs.isEmpty ? 0 : costs[0][cuts.count - 1] }
  package var single: Double { costs.isEmpty ? 0 : direct(0, cuts.count - 1) }
  package var count: Int {
    func stages(_ i: Int, _ j: Int) -> Int { splits[i][j] < 0 ? 1 : stages(i, splits[i][j]) + stages(splits[i][j], j) }
    return cuts.count < 2 ? 0 : stages(0, cuts.count - 1)
  }

  package init?(_ t: Tape, _ outputs: [NodeID], _ inputs: [NodeID]) {
    guard let order = t.order(outputs, derivatives: true) else { return nil }
    let known = Set(inputs)
    guard var state = PerNode<Int32>(t, -1) else { return nil }
    // Nodes that depend on inputs, in order, and the last place where each is read.
    var nodes: [NodeID] = [], last: [Int] = []
    for n in inputs {
      state[n] = Int32(nodes.count)
      nodes.append(n)
      last.append(-1)
    }
    let first = nodes.count
    for k in 0 ..< order.count where !known.contains(order[k]) {
      let n = order[k]
      guard t.isTuple(n) || t.dtype(n).isFloat else { continue }
      var active = false
      for slot in 0 ..< t.arity(n) where state[t.input(n, slot)] >= 0 {
        active = true
        last[Int(state[t.input(n, slot)])] = nodes.count
      }
      guard active else { continue }
      state[n] = Int32(nodes.count)
      nodes.append(n)
      last.append(-1)
      work.append(work[work.count - 1] + (t.isTuple(n) ? 1 : Double(t.type(n).count) * Stages.weight(t, n)))
    }
    for o in outputs where state[o] >= 0 { last[Int(state[o])] = nodes.count }
    let d = t.dtype(outputs.first ?? inputs.first ?? .none)
    // Widths along the way; a tuple that crosses is no place to cut.
    var change = [Int](repeating: 0, count: nodes.count + 2), blocked = change
    for (i, n) in nodes.enumerated() where last[i] >= 0 {
      let whole = t.isTuple(n), from = max(i - first + 1, 0), to = last[i] - first + 1
      if from >= to { continue }
      let other = whole || t.dtype(n) != d
      if other { blocked[from] += 1; blocked[to] -= 1 } else { change[from] += t.type(n).count; change[to] -= t.type(n).count }
    }
    let length = nodes.count - first
    var width = 0, closed = 0, widths: [(place: Int, width: Int)] = []
    for p in 0 ..< max(length, 1) {
      width += change[p]
      closed += blocked[p]
      if p > 0, closed == 0, width > 0 { widths.append((p, width)) }
    }
    let n = inputs.reduce(0) { $0 + t.type($1).count }, m = outputs.reduce(0) { $0 + t.type($1).count }
    // The narrowest, each once along a run of equal ones.
    var chosen: [Int] = []
    for (k, w) in widths.enumerated() where w.width < max(n, m) && (k == 0 || widths[k - 1].width > w.width || widths[k - 1].place + 1 < w.place) {
      if k + 1 < widths.count, widths[k + 1].place == w.place + 1, widths[k + 1].width < w.width { continue }
      chosen.append(k)
    }
    if chosen.count > Stages.most { chosen = chosen.sorted { (widths[$0].width, $0) < (widths[$1].width, $1) }.prefix(Stages.most).sorted() }
    func crossing(_ p: Int) -> [NodeID] { nodes.indices.filter { $0 - first < p && last[$0] - first >= p }.map { nodes[$0] } }
    cuts.append(Cut(place: 0, nodes: inputs, width: n))
    for k in chosen { cuts.append(Cut(place: widths[k].place, nodes: crossing(widths[k].place), width: widths[k].width)) }
    var ends: [NodeID] = []
    for o in outputs where !ends.contains(o) { ends.append(o) }
    cuts.append(Cut(place: length, nodes: ends, width: m))
    plan()
  }

  /// What a derivative of the node takes, about, in operations an element.
  static func weight(_ t: Tape, _ n: NodeID) -> Double {
    switch t.structural(n) {
    case .matmul: Double(t.shape(t.input(n, 0)).last ?? 1)
    case .reshape, .broadcast, .slice, .transpose, .concat, .cast, .part: 0.25
    default: 1
    }
  }

  private func direct(_ i: Int, _ j: Int) -> Double {
    Swift.min(Double(cuts[i].width), 2 * Double(cuts[j].width)) * (work[Swift.min(cuts[j].place, work.count - 1)] - work[Swift.min(cuts[i].place, work.count - 1)])
  }

  private mutating func plan() {
    let k = cuts.count
    costs = [[Double]](repeating: [Double](repeating: 0, count: k), count: k)
    splits = [[Int]](repeating: [Int](repeating: -1, count: k), count: k)
    for span in 1 ..< k {
      for i in 0 ..< k - span {
        let j = i + span
        costs[i][j] = direct(i, j)
        for s in i + 1 ..< max(j, i + 1) {
          let c = costs[i][s] + costs[s][j] + Double(cuts[i].width) * Double(cuts[s].width) * Double(cuts[j].width) / 4
          if c < costs[i][j] { (costs[i][j], splits[i][j]) = (c, s) }
        }
      }
    }
  }

  /// A matrix between the values of two cuts, block by block.
  private enum Block { case none, identity, matrix(NodeID) }

  private func matrix(_ t: Tape, _ i: Int, _ j: Int, _ name: String) -> [[Block]] {
    let from = cuts[i].nodes, to = cuts[j].nodes
    if splits[i][j] < 0 { return stage(t, from, to, name) }
    let s = splits[i][j], a = matrix(t, i, s, name), b = matrix(t, s, j, name)
    return to.indices.map { o in
      from.indices.map { k in
        var sum = Block.none
        for m in cuts[s].nodes.indices {
          let term: Block
          switch (b[o][m], a[m][k]) {
          case (.none, _), (_, .none): continue
          case (.identity, let x): term = x
          case (let x, .identity): term = x
          case (.matrix(let x), .matrix(let y)): term = .matrix(t.matmul(x, y))
          }
          sum = added(t, sum, term, t.type(to[o]).count)
        }
        return sum
      }
    }
  }

  private func added(_ t: Tape, _ a: Block, _ b: Block, _ n: Int) -> Block {
    if case .none = a { return b }
    return .matrix(t.add(full(t, a, n), full(t, b, n)))
  }
  private func full(_ t: Tape, _ b: Block, _ n: Int) -> NodeID {
    if case .matrix(let m) = b { return m }
    let index = TensorType(.i64, [n, n])
    return t.cast(t.binary(.eq, t.iota(index, axis: -2), t.iota(index, axis: -1)), t.dtype(cuts[0].nodes[0]))
  }

  /// One stage's Jacobian, its first values cut off from what they come from and from each other.
  private func stage(_ t: Tape, _ from: [NodeID], _ to: [NodeID], _ name: String) -> [[Block]] {
    let stand = from.map { t.input(t.type($0)) }, computed = to.filter { !from.contains($0) }
    let again = t.substitute(computed, from, stand)
    let n = from.reduce(0) { $0 + t.type($1).count }, m = computed.reduce(0) { $0 + t.type($1).count }
    var blocks = computed.isEmpty ? [] : t.jacobian(again, stand, mode: n <= 2 * m ? .forward : .reverse, name: name)
    guard t.failure == nil else { return to.map { _ in from.map { _ in .none } } }
    blocks = t.substitute(blocks, stand, from)
    return to.map { o in
      guard let c = computed.firstIndex(of: o) else { return from.map { $0 == o ? .identity : .none } }
      return from.indices.map { k in
        let b = blocks[c * from.count + k]
        if t.isUniform(b, 0) { return .none }
        return .matrix(t.reshape(b, [t.type(o).count, t.type(from[k]).count]))
      }
    }
  }

  /// Blocks [output][input] of shape output.shape + input.shape.
  package func blocks(_ t: Tape, _ outputs: [NodeID], _ inputs: [NodeID], name: String) -> [NodeID] {
    let m = matrix(t, 0, cuts.count - 1, name), ends = cuts[cuts.count - 1].nodes
    guard t.failure == nil else { return [NodeID](repeating: .none, count: outputs.count * inputs.count) }
    var result: [NodeID] = []
    for o in outputs {
      guard let r = ends.firstIndex(of: o) else { continue }
      for (k, x) in inputs.enumerated() {
        let shape = t.shape(o) + t.shape(x)
        if case .none = m[r][k] { result.append(t.full(TensorType(t.dtype(o), shape), 0)) } else { result.append(t.reshape(full(t, m[r][k], t.type(o).count), shape)) }
      }
    }
    return result
  }
}

extension Tape {
  /// Dense blocks as `jacobian` gives them, stage by stage; by one stage where that is cheapest, or dtypes are mixed.
  package func stagedBlocks(_ outputs: [NodeID], _ inputs: [NodeID], name: String = "jacobian") -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count * inputs.count)
    guard jacobianArguments(outputs, inputs, name) else { return none }
    let mixed = Set((outputs + inputs).map { dtype($0) }).count > 1
    guard !mixed, !outputs.isEmpty, !inputs.isEmpty, let s = Stages(self, outputs, inputs), s.count > 1 else {
      return failure == nil ? jacobian(outputs, inputs, mode: .auto, name: name) : none
    }
    let b = s.blocks(self, outputs, inputs, name: name)
    return failure == nil ? b : none
  }
}
