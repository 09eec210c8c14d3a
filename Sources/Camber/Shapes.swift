import Tape

/// Shapes, reductions, products and indexing of nodes. Axes count from the front, or from the end when negative.
extension Node {
  private func build(_ body: (CoreTape) -> NodeID) -> Node {
    guard tape.core.contains(id) else {
      return tape.node(tape.core.failure == nil ? tape.core.fail(.node, "an operand is not a node of this tape") : .none)
    }
    return tape.node(body(tape.core))
  }
  private func axis(_ a: Int, _ name: String, extra: Int = 0) -> Int? {
    let r = rank + extra
    guard a >= -r, a < r else {
      tape.core.fail(.shape, "\(name): axis \(a) of rank \(r)")
      return nil
    }
    return a < 0 ? a : a - r
  }
  private func axes(_ a: [Int]?, _ name: String) -> [Int]? {
    guard let a else { return tape.core.allAxes(id) }
    let list = a.compactMap { axis($0, name) }
    return list.count == a.count ? list : nil
  }

  public func cast(_ d: DType) -> Node { build { $0.cast(id, d.core) } }
  public func reshaped(_ shape: [Int]) -> Node { build { $0.reshape(id, shape) } }
  public func broadcast(to shape: [Int]) -> Node { build { $0.broadcast(id, to: shape) } }
  /// Out axis i is axis order[i]; all reversed by default.
  public func transposed(_ order: [Int]? = nil) -> Node {
    let o = (order ?? Array((0 ..< rank).reversed())).map { $0 < 0 ? $0 + rank : $0 }
    return build { t in
      o.sorted() == Array(0 ..< rank) ? t.transpose(id, o) : t.fail(.shape, "transpose: \(o) is no order of \(rank) axes")
    }
  }
  public func padded(low: [Int], high: [Int], interior: [Int]? = nil) -> Node {
    build { t in
      guard low.count == rank, high.count == rank, (interior ?? low).count == rank else { return t.fail(.shape, "pad: paddings for \(low.count) axes, shape \(text(shape))") }
      return t.apply(.pad, [id], (0 ..< rank).flatMap { [low[$0], high[$0], interior?[$0] ?? 0] })
    }
  }

  private func reduce(_ s: Structural, _ a: [Int]?, _ keep: Bool) -> Node {
    build { t in axes(a, "\(s)").map { t.reduce(s, id, axes: $0, keep: keep) } ?? .none }
  }
  public func sum(_ axes: [Int]? = nil, keep: Bool = false) -> Node { dtype == .bool ? notNumber("sum") : reduce(.sum, axes, keep) }
  public func prod(_ axes: [Int]? = nil, keep: Bool = false) -> Node { dtype == .bool ? notNumber("prod") : reduce(.prod, axes, keep) }
  public func max(_ axes: [Int]? = nil, keep: Bool = false) -> Node { reduce(.max, axes, keep) }
  public func min(_ axes: [Int]? = nil, keep: Bool = false) -> Node { reduce(.min, axes, keep) }
  public func logsumexp(_ axes: [Int]? = nil, keep: Bool = false) -> Node { reduce(.logsumexp, axes, keep) }
  public func norm(_ axes: [Int]? = nil, keep: Bool = false) -> Node { reduce(.norm, axes, keep) }
  public func any(_ axes: [Int]? = nil, keep: Bool = false) -> Node { dtype == .bool ? reduce(.sum, axes, keep) : notBool("any") }
  public func all(_ axes: [Int]? = nil, keep: Bool = false) -> Node { dtype == .bool ? reduce(.prod, axes, keep) : notBool("all") }
  public func mean(_ a: [Int]? = nil, keep: Bool = false) -> Node { build { t in axes(a, "mean").map { t.mean(id, axes: $0, keep: keep) } ?? .none } }
  private func notNumber(_ name: String) -> Node { build { $0.fail(.dtype, "\(name): takes a number, not bool; cast first") } }
  private func notBool(_ name: String) -> Node { build { $0.fail(.dtype, "\(name): takes bool, not \(dtype)") } }

  public func argmax(_ a: Int) -> Node { build { t in axis(a, "argmax").map { t.apply(.argmax, [id], [$0]) } ?? .none } }
  public func argmin(_ a: Int) -> Node { build { t in axis(a, "argmin").map { t.apply(.argmin, [id], [$0]) } ?? .none } }
  public func softmax(_ a: Int) -> Node { build { t in axis(a, "softmax").map { t.apply(.softmax, [id], [$0]) } ?? .none } }
  public func logSoftmax(_ a: Int) -> Node { build { t in axis(a, "log_softmax").map { t.logSoftmax(id, axis: $0) } ?? .none } }
  public func cumsum(_ a: Int, reverse: Bool = false) -> Node { build { t in axis(a, "cumsum").map { t.apply(.cumsum, [id], [$0, reverse ? 1 : 0]) } ?? .none } }

  private func running(_ s: Structural, _ a: Int, _ reverse: Bool) -> Node {
    dtype == .bool ? notNumber("\(s)") : build { t in axis(a, "\(s)").map { t.apply(s, [id], [$0, reverse ? 1 : 0]) } ?? .none }
  }
  public func cumprod(_ a: Int, reverse: Bool = false) -> Node { running(.cumprod, a, reverse) }
  public func cummax(_ a: Int, reverse: Bool = false) -> Node { running(.cummax, a, reverse) }
  public func cummin(_ a: Int, reverse: Bool = false) -> Node { running(.cummin, a, reverse) }
  /// Where the maximum (minimum) so far stands.
  public func cumargmax(_ a: Int, reverse: Bool = false) -> Node { running(.cumargmax, a, reverse) }
  public func cumargmin(_ a: Int, reverse: Bool = false) -> Node { running(.cumargmin, a, reverse) }
  public func cumlogsumexp(_ a: Int, reverse: Bool = false) -> Node { running(.cumlogsumexp, a, reverse) }
  /// h[0] = b[0], h[i] = a[i] h[i-1] + b[i] with the node as a; where a[i] is 0 it begins anew.
  public func linearRecurrence(_ b: Node, axis a: Int, reverse: Bool = false) -> Node {
    build { t in axis(a, "linear_recurrence").map { t.apply(.recurrence, [id, tape.id(b)], [$0, reverse ? 1 : 0]) } ?? .none }
  }
  public func variance(_ a: [Int]? = nil, ddof: Double = 0, keep: Bool = false) -> Node {
    build { t in axes(a, "var").map { t.variance(id, axes: $0, ddof: ddof, keep: keep) } ?? .none }
  }
  public func standardDeviation(_ a: [Int]? = nil, ddof: Double = 0, keep: Bool = false) -> Node {
    build { t in axes(a, "std").map { t.deviation(id, axes: $0, ddof: ddof, keep: keep) } ?? .none }
  }

  /// NaN last; descending is the exact reverse, but equal elements keep their order.
  public func sorted(_ a: Int = -1, descending: Bool = false) -> Node { build { t in axis(a, "sort").map { t.apply(.sort, [id], [$0, descending ? 1 : 0]) } ?? .none } }
  public func argsort(_ a: Int = -1, descending: Bool = false) -> Node { build { t in axis(a, "argsort").map { t.argsort(id, axis: $0, descending: descending) } ?? .none } }
  /// The k largest (smallest), best first, and where they stand.
  public func topK(_ k: Int, axis a: Int = -1, largest: Bool = true) -> (values: Node, indices: Node) {
    var at = NodeID.none
    let values = build { t in
      guard let k2 = axis(a, "top_k") else { return .none }
      let r = t.topK(id, k, axis: k2, largest: largest)
      at = r.indices
      return r.values
    }
    return (values, tape.node(at))
  }
  public func isIn(_ set: Node) -> Node { build { $0.isIn(id, tape.id(set)) } }
  /// Which elements along an axis equal an earlier one.
  public func duplicated(_ a: Int = -1) -> Node { build { t in axis(a, "duplicated").map { t.duplicated(id, axis: $0) } ?? .none } }

  /// Element by element: NumPy's take_along_axis.
  public func takeAlong(_ indices: Node, axis a: Int) -> Node { build { t in axis(a, "take_along").map { t.takeAlong(id, tape.id(indices), axis: $0) } ?? .none } }
  public func scatterSet(_ indices: Node, _ updates: Node, axis a: Int) -> Node {
    build { t in axis(a, "scatter_set").map { t.apply(.scatterSet, [id, tape.id(indices), tape.id(updates)], [$0, 0]) } ?? .none }
  }
  public func scatterMul(_ indices: Node, _ updates: Node, axis a: Int) -> Node {
    build { t in axis(a, "scatter_mul").map { t.scatter(.segmentProd, .mul, id, tape.id(indices), tape.id(updates), axis: $0) } ?? .none }
  }
  public func scatterMax(_ indices: Node, _ updates: Node, axis a: Int) -> Node {
    build { t in axis(a, "scatter_max").map { t.scatter(.segmentMax, .maximum, id, tape.id(indices), tape.id(updates), axis: $0) } ?? .none }
  }
  public func scatterMin(_ indices: Node, _ updates: Node, axis a: Int) -> Node {
    build { t in axis(a, "scatter_min").map { t.scatter(.segmentMin, .minimum, id, tape.id(indices), tape.id(updates), axis: $0) } ?? .none }
  }
  /// The block of these sizes at `start`, one integer an axis, moved inside where it would stick out.
  public func dynamicSlice(_ start: Node, _ sizes: [Int]) -> Node {
    build { t in sizes.count == rank ? t.dynamicSlice(id, tape.id(start), sizes) : t.fail(.shape, "dynamic_slice: \(sizes.count) sizes for shape \(text(shape))") }
  }
  public func dynamicUpdate(_ update: Node, at start: Node) -> Node { build { $0.dynamicUpdate(id, tape.id(update), tape.id(start)) } }
  /// Rows added, multiplied… in each of `count` segments.
  public func segmentSum(_ segments: Node, count: Int) -> Node { build { $0.segment(.scatterAdd, id, tape.id(segments), count: count) } }
  public func segmentProd(_ segments: Node, count: Int) -> Node { build { $0.segment(.segmentProd, id, tape.id(segments), count: count) } }
  public func segmentMax(_ segments: Node, count: Int) -> Node { build { $0.segment(.segmentMax, id, tape.id(segments), count: count) } }
  public func segmentMin(_ segments: Node, count: Int) -> Node { build { $0.segment(.segmentMin, id, tape.id(segments), count: count) } }
  public func bincount(weights: Node? = nil, length: Int) -> Node { build { $0.bincount(id, weights: weights.map(tape.id), length: length) } }

  public func reversed(_ a: [Int]? = nil) -> Node { build { t in axes(a, "reverse").map { t.reverse(id, axes: $0) } ?? .none } }
  public func split(_ sizes: [Int], axis a: Int = 0) -> [Node] {
    guard tape.core.contains(id), let k = axis(a, "split") else { return sizes.map { _ in tape.node(.none) } }
    return tape.core.split(id, sizes, axis: k).map(tape.node)
  }
  public func tiled(_ counts: [Int]) -> Node { build { $0.tile(id, counts) } }
  public func repeated(_ counts: [Int], axis a: Int) -> Node { build { t in axis(a, "repeat").map { t.repeated(id, counts, axis: $0) } ?? .none } }
  /// Triangles and diagonals of the last two axes; `diag` puts the last axis on a diagonal.
  public func tril(_ k: Int = 0) -> Node { build { $0.triangle(id, lower: true, k) } }
  public func triu(_ k: Int = 0) -> Node { build { $0.triangle(id, lower: false, k) } }
  public func diagonal(_ k: Int = 0) -> Node { build { $0.diagonal(id, k) } }
  public func diag(_ k: Int = 0) -> Node { build { $0.diag(id, k) } }

  public func gather(_ indices: Node, axis a: Int) -> Node { build { t in axis(a, "gather").map { t.gather(id, tape.id(indices), axis: $0) } ?? .none } }
  public func scatterAdd(_ indices: Node, _ updates: Node, axis a: Int) -> Node {
    build { t in axis(a, "scatter_add").map { t.scatterAdd(id, tape.id(indices), tape.id(updates), axis: $0) } ?? .none }
  }
  public func oneHot(_ depth: Int, _ d: DType = .f64) -> Node { build { $0.oneHot(id, depth: depth, d.core) } }

  /// NumPy's matmul.
  public func matmul(_ other: Node) -> Node {
    let home = Node.home([self, other])
    return home.node(home.core.failure == nil ? home.core.matmul(numpy: home.id(self), home.id(other)) : .none)
  }
  public func cholesky() -> Node { build { $0.apply(.cholesky, [id]) } }
  public func solve(_ b: Node) -> Node { build { $0.solve(id, tape.id(b), .solve, [0]) } }
  public func triangularSolve(_ b: Node, lower: Bool = true, transposed: Bool = false, unit: Bool = false) -> Node {
    build { $0.solve(id, tape.id(b), .triangularSolve, [lower ? 1 : 0, transposed ? 1 : 0, unit ? 1 : 0]) }
  }
  public func dropout(key: Node, rate: Double) -> Node { build { $0.dropout(id, tape.id(key), rate: rate) } }

  /// x[2], x[-1]: that element along the first axis.
  public subscript(i: Int) -> Node {
    build { t in
      guard let n = shape.first, i >= -n, i < n else { return t.fail(.shape, "index \(i) of shape \(text(shape))") }
      return t.reshape(t.slice(id, axis: -rank, start: i < 0 ? i + n : i, count: 1), Array(shape.dropFirst()))
    }
  }
  /// x[1 ..< 3, 0 ..< 2]: a range an axis from the front; axes without one stay whole.
  public subscript(ranges: Range<Int>...) -> Node {
    build { t in
      guard ranges.count <= rank else { return t.fail(.shape, "\(ranges.count) ranges for shape \(text(shape))") }
      var a: [Int] = []
      for (i, n) in shape.enumerated() {
        guard i < ranges.count else { a += [0, n, 1]; continue }
        guard ranges[i].lowerBound >= 0, ranges[i].upperBound <= n else { return t.fail(.shape, "range \(ranges[i]) of axis \(i) of shape \(text(shape))") }
        a += [ranges[i].lowerBound, ranges[i].count, 1]
      }
      return t.apply(.slice, [id], a)
    }
  }
  /// Every `step`-th element of `from ..< to` along an axis; a negative step goes down from `from`, `to` excluded.
  public func strided(axis a: Int, from: Int, to: Int, by step: Int) -> Node {
    build { t in
      guard let k = axis(a, "strided"), step != 0 else { return t.fail(.invalid, "strided: a step of 0") }
      let n = step > 0 ? Swift.max(0, (to - from + step - 1) / step) : Swift.max(0, (from - to - step - 1) / -step)
      return t.slice(id, axis: k, start: from, count: n, step: step)
    }
  }
  /// Elements moved on by `shift` along an axis, round its end.
  public func rolled(by shift: Int, axis a: Int = 0) -> Node {
    build { t in
      guard let k = axis(a, "rolled") else { return .none }
      return t.roll(id, axis: k, by: -(shift % Swift.max(shape[shape.count + k], 1)))
    }
  }
}

extension Tape {
  private func joined(_ parts: [Node], _ name: String, _ body: ([NodeID]) -> NodeID) -> Node {
    let ids = parts.map(id)
    guard core.failure == nil else { return node(.none) }
    guard !ids.isEmpty, ids.allSatisfy(core.contains) else { return node(core.fail(.node, "\(name): a part is not a node of this tape, or there is none")) }
    return node(body(ids))
  }
  public func concat(_ parts: [Node], axis: Int) -> Node {
    joined(parts, "concat") { ids in
      let r = core.shape(ids[0]).count
      guard axis >= -r, axis < r else { return core.fail(.shape, "concat: axis \(axis) of rank \(r)") }
      return core.concat(ids, axis: axis < 0 ? axis : axis - r)
    }
  }
  public func stack(_ parts: [Node], axis: Int) -> Node {
    joined(parts, "stack") { ids in
      var s = core.shape(ids[0])
      guard ids.allSatisfy({ core.shape($0) == s }) else { return core.fail(.shape, "stack: parts of different shapes") }
      let r = s.count + 1
      guard axis >= -r, axis < r else { return core.fail(.shape, "stack: axis \(axis) of rank \(r)") }
      let a = axis < 0 ? axis : axis - r
      s.insert(1, at: r + a)
      return core.concat(ids.map { core.reshape($0, s) }, axis: a)
    }
  }
  public func einsum(_ subscripts: String, _ operands: [Node]) -> Node { joined(operands, "einsum") { core.einsum(subscripts, $0) } }
  public func randomUniform(key: Node, _ shape: [Int], _ dtype: DType = .f64) -> Node { node(core.randomUniform(id(key), dtype.core, shape)) }
  public func randomNormal(key: Node, _ shape: [Int], _ dtype: DType = .f64) -> Node { node(core.randomNormal(id(key), dtype.core, shape)) }
  public func l1Penalty(_ nodes: [Node]) -> Node { node(core.penalty(nodes.map(id), squared: false)) }
  /// Half the squared norm of the gradient of a scalar by nodes.
  public func gradientPenalty(_ loss: Node, _ nodes: [Node]) -> Node { node(core.gradientPenalty(id(loss), nodes.map(id))) }
  public func l2Penalty(_ nodes: [Node]) -> Node { node(core.penalty(nodes.map(id), squared: true)) }
  public func clipByGlobalNorm(_ nodes: [Node], _ limit: Double) -> [Node] { core.clipByGlobalNorm(nodes.map(id), limit).map(node) }
  public func clipByNorm(_ nodes: [Node], _ limit: Double) -> [Node] { core.clipByNorm(nodes.map(id), limit).map(node) }
  public func clipByValue(_ nodes: [Node], _ limit: Double) -> [Node] { core.clipByValue(nodes.map(id), limit).map(node) }

  /// Running results of an associative body along an axis of every element, each level of a tree at once. The body sees single elements.
  public func associativeScan(_ elements: [Node], axis: Int = 0, reverse: Bool = false, _ body: (Tape, [Node], [Node]) -> [Node]) -> [Node] {
    let inner = Tape(CoreTape(parent: core))
    func one(_ n: Node) -> Node {
      var s = n.shape
      let k = axis < 0 ? s.count + axis : axis
      if k >= 0, k < s.count { s.remove(at: k) }
      return inner.input(n.dtype, s)
    }
    let a = elements.map(one), b = elements.map(one), out = body(inner, a, b)
    return core.associativeScan(body: inner.core, inputs: (a + b).map(\.id), outputs: out.map(inner.id), elements.map(id), axis: axis, reverse: reverse).map(node)
  }

  /// for i in 0 ..< length: (carry, y[i]) = body(carry, x[i]). Gives the final carries and the stacked y's; reverse runs from the last.
  /// With `slots`, derivatives keep so many carries and compute the others again by the optimal schedule; the results are the same.
  public func scan(carry: [Node], over xs: [Node] = [], length: Int? = nil, reverse: Bool = false, slots: Int = 0, _ body: (Tape, [Node], [Node]) -> (carry: [Node], y: [Node])) -> (carry: [Node], y: [Node]) {
    let n = length ?? xs.first?.shape.first ?? 0
    let inner = Tape(CoreTape(parent: core))
    let cs = carry.map { inner.input($0.dtype, $0.shape) }, ss = xs.map { inner.input($0.dtype, Array($0.shape.dropFirst())) }
    let (next, ys) = body(inner, cs, ss)
    let y = core.scan(body: inner.core, inputs: (cs + ss).map(\.id), outputs: (next + ys).map(inner.id), init: carry.map(id), xs: xs.map(id), ys: ys.count, length: n, reverse: reverse, slots: slots)
    let parts = core.parts(y).map(node)
    guard parts.count == carry.count + ys.count else { return (carry.map { _ in node(.none) }, ys.map { _ in node(.none) }) }
    return (Array(parts[..<carry.count]), Array(parts[carry.count...]))
  }
}
