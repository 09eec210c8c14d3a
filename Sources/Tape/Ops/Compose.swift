import CKernels

/// What is composed of other rows: shapes, triangles, variance, associative scans.
extension Tape {
  package func split(_ x: NodeID, _ sizes: [Int], axis: Int) -> [NodeID] {
    guard contains(x), shape(x).count + axis >= 0 else { return sizes.map { _ in .none } }
    let n = shape(x)[shape(x).count + axis]
    guard sizes.allSatisfy({ $0 >= 0 && $0 <= n }), sizes.reduce(0, &+) == n else {
      fail(.shape, "split: sizes \(text(sizes)) of an axis of length \(n)")
      return sizes.map { _ in .none }
    }
    var at = 0
    return sizes.map { size in
      defer { at += size }
      return slice(x, axis: axis, start: at, count: size)
    }
  }

  /// NumPy's tile: x, with leading axes of 1 where there are more counts than axes, beside itself.
  package func tile(_ x: NodeID, _ counts: [Int]) -> NodeID {
    guard contains(x) else { return failure == nil ? fail(.node, "tile: the operand is not a node of this tape") : .none }
    guard counts.allSatisfy({ $0 >= 0 }) else { return fail(.shape, "tile: counts \(text(counts))") }
    let s = [Int](repeating: 1, count: max(0, counts.count - shape(x).count)) + shape(x), c = [Int](repeating: 1, count: s.count - counts.count) + counts
    guard let whole = TensorType(dtype(x), checking: zip(s, c).map { $0.multipliedReportingOverflow(by: $1) }.map { $0.overflow ? -1 : $0.partialValue }) else {
      return fail(.memory, "tile: counts \(text(counts)) of shape \(text(s))")
    }
    let apart = reshape(x, s.flatMap { [1, $0] })
    return reshape(broadcast(apart, to: zip(c, s).flatMap { [$0, $1] }), whole.shape)
  }

  /// Each element along `axis` so many times as its count says; one count stands for all.
  package func repeated(_ x: NodeID, _ counts: [Int], axis: Int) -> NodeID {
    guard contains(x), shape(x).count + axis >= 0 else { return .none }
    let s = shape(x), k = s.count + axis
    guard counts.count == 1 || counts.count == s[k], counts.allSatisfy({ $0 >= 0 && $0 <= TensorType.countLimit }) else {
      return fail(.shape, "repeat: counts \(text(counts.prefix(8))) for the \(s[k]) elements of axis \(axis)")
    }
    var to = s
    if counts.count == 1 {
      let (n, over) = s[k].multipliedReportingOverflow(by: counts[0])
      to[k] = n
      guard !over, TensorType(dtype(x), checking: to) != nil else { return fail(.memory, "repeat: \(counts[0]) times shape \(text(s))") }
      let apart = Array(s[...k]) + [1] + s[(k + 1)...]
      var wide = apart
      wide[k + 1] = counts[0]
      return reshape(broadcast(reshape(x, apart), to: wide), to)
    }
    to[k] = counts.reduce(0) { $0 &+ $1 }
    guard TensorType(dtype(x), checking: to) != nil, to[k] <= 1 << 28 else { return fail(.memory, "repeat: \(to[k]) elements of shape \(text(s))") }
    let list = counts.enumerated().flatMap { [Int64](repeating: Int64($0), count: $1) }
    return gather(x, array(TensorType(.i64, [list.count]), list), axis: axis)
  }

  /// The lower (upper) triangle of the last two axes, diagonal k and what lies below (above) it; 0 elsewhere.
  package func triangle(_ x: NodeID, lower: Bool, _ k: Int) -> NodeID {
    guard contains(x) else { return failure == nil ? fail(.node, "\(lower ? "tril" : "triu"): the operand is not a node of this tape") : .none }
    let s = shape(x)
    guard s.count >= 2 else { return fail(.shape, "\(lower ? "tril" : "triu"): takes matrices, not shape \(text(s))") }
    let index = TensorType(.i64, Array(s.suffix(2)))
    let row = iota(index, axis: -2), column = iota(index, axis: -1), shift = like(row, Double(min(max(k, -(1 << 50)), 1 << 50)))
    return select(broadcast(binary(lower ? .le : .ge, column, add(row, shift)), to: s), x, zeros(x))
  }

  /// Diagonal k of the last two axes: one strided slice.
  package func diagonal(_ x: NodeID, _ k: Int) -> NodeID {
    guard contains(x) else { return failure == nil ? fail(.node, "diagonal: the operand is not a node of this tape") : .none }
    let s = shape(x)
    guard s.count >= 2 else { return fail(.shape, "diagonal: takes matrices, not shape \(text(s))") }
    let rows = s[s.count - 2], columns = s[s.count - 1], n = k > -rows && k < columns ? max(0, min(rows + min(k, 0), columns - max(k, 0))) : 0
    let flat = reshape(x, s.dropLast(2) + [rows * columns])
    return slice(flat, axis: -1, start: n == 0 ? 0 : k < 0 ? -k * columns : k, count: n, step: columns + 1)
  }

  /// Matrices with the last axis on diagonal k and 0 elsewhere.
  package func diag(_ v: NodeID, _ k: Int) -> NodeID {
    guard contains(v) else { return failure == nil ? fail(.node, "diag: the operand is not a node of this tape") : .none }
    guard let n = shape(v).last else { return fail(.shape, "diag: takes a vector, not a scalar") }
    guard abs(k) <= 1 << 20 || abs(k) < TensorType.countLimit / max(n, 1) else { return fail(.memory, "diag: diagonal \(k)") }
    let size = n + abs(k), to = shape(v).dropLast() + [size, size]
    guard let t = TensorType(dtype(v), checking: Array(to)) else { return fail(.memory, "diag: diagonal \(k) of shape \(text(shape(v)))") }
    if n == 0 { return full(t, 0) }
    let first = k < 0 ? -k * size : k, last = first + (n - 1) * (size + 1)
    return reshape(apply(.pad, [v], [first, size * size - 1 - last, size]), t.shape)
  }

  /// In two passes: the mean of the squared distances from the mean, over count - ddof.
  package func variance(_ x: NodeID, axes: [Int], ddof: Double, keep: Bool) -> NodeID {
    let m = mean(x, axes: axes, keep: true)
    guard contains(m) else { return .none }
    let far = sub(x, broadcast(m, to: shape(x)))
    return overCount(reduce(.sum, unary(.square, far), axes: axes, keep: keep), x, axes, ddof) { $0 }
  }
  /// Its root by the norm, which neither over- nor underflows; the gradient where all are equal is 0.
  package func deviation(_ x: NodeID, axes: [Int], ddof: Double, keep: Bool) -> NodeID {
    let m = mean(x, axes: axes, keep: true)
    guard contains(m) else { return .none }
    return overCount(reduce(.norm, sub(x, broadcast(m, to: shape(x))), axes: axes, keep: keep), x, axes, ddof) { $0.squareRoot() }
  }
  private func overCount(_ total: NodeID, _ x: NodeID, _ axes: [Int], _ ddof: Double, _ f: (Double) -> Double) -> NodeID {
    guard contains(total) else { return .none }
    let n = f(max(axes.reduce(1.0) { $0 * Double(shape(x)[shape(x).count + $1]) } - ddof, 0))
    return dtype(total).isHalf ? cast(div(cast(total, .f32), full(type(total).with(.f32), n)), dtype(total)) : div(total, like(total, n))
  }

  // MARK: associative scans

  /// Running results of an associative body (a's elements, b's elements) -> elements along an axis of each of xs, in some 2 log2 n steps
  /// that each do half of what is left at once. The body sees single elements.
  package func associativeScan(body: Tape, inputs: [NodeID], outputs: [NodeID], _ xs: [NodeID], axis: Int, reverse: Bool) -> [NodeID] {
    let name = "associative_scan", none = [NodeID](repeating: .none, count: xs.count)
    func refuse(_ code: Code, _ why: String) -> [NodeID] {
      fail(code, "\(name): \(why)")
      return none
    }
    guard failure == nil, check(name, xs, "element") else { return none }
    if let f = body.failure { return refuse(f.code, "its body failed: \(f.message)") }
    guard body.parent === self else { return refuse(.node, "the body is not a sub-tape of this tape") }
    guard !xs.isEmpty, inputs.count == 2 * xs.count, outputs.count == xs.count else {
      return refuse(.invalid, "\(inputs.count) body inputs and \(outputs.count) outputs for \(xs.count) elements; twice as many and as many are wanted")
    }
    guard Set(inputs).count == inputs.count else { return refuse(.invalid, "a body input is given twice") }
    for (i, n) in (inputs + outputs).enumerated() where !body.contains(n) || body.typeID(n) < 0 || i < inputs.count && body.structural(n) != .input {
      return refuse(.node, i < inputs.count ? "body input \(i) is not an input of the body" : "body output \(i - inputs.count) is not a node of the body")
    }
    var length = 0, front: [NodeID] = []
    for (i, x) in xs.enumerated() {
      let s = shape(x), k = axis < 0 ? s.count + axis : axis
      guard k >= 0, k < s.count else { return refuse(.shape, "axis \(axis) of element \(i) of shape \(text(s))") }
      guard i == 0 || s[k] == length else { return refuse(.shape, "element \(i) has \(s[k]) along the axis, element 0 \(length)") }
      length = s[k]
      let one = TensorType(dtype(x), Array(s[..<k] + s[(k + 1)...]))
      for n in [inputs[i], inputs[xs.count + i], outputs[i]] where body.type(n) != one {
        return refuse(.shape, "element \(i) is \(one.description) at each place, the body has \(body.type(n).description)")
      }
      front.append(transpose(x, [k] + s.indices.filter { $0 != k }))
    }
    guard length > 0 else { return xs }
    // The body once on this tape, on inputs of its own; each level is a batch of it.
    guard let nodes = body.order(outputs) else { adopt(body); return none }
    let holders = inputs.map { input(body.type($0)) }
    var seeds = Dictionary(uniqueKeysWithValues: zip(inputs, holders))
    for k in 0 ..< nodes.count {
      if body.structural(nodes[k]) == .capture { seeds[nodes[k]] = NodeID(body.record(nodes[k]).a) }
      if body.structural(nodes[k]) == .input, seeds[nodes[k]] == nil { return refuse(.invalid, "the body depends on an input that is not among its parameters") }
    }
    let results = rewrite(body, outputs, seeds) { _, _ in nil }
    func combine(_ a: [NodeID], _ b: [NodeID], _ n: Int) -> [NodeID] {
      batch(results, holders, a + b, size: n)
    }
    func every(_ list: [NodeID], from: Int, _ n: Int) -> [NodeID] { list.map { slice($0, axis: -shape($0).count, start: from, count: n, step: n > 1 ? 2 : 1) } }
    if reverse { front = front.map { self.reverse($0, axes: [-shape($0).count]) } }
    // Down: neighbours joined, till one is left; up: what lies between is the one before joined with its own.
    var levels = [front], n = length
    while n > 1 {
      let h = n / 2, x = levels[levels.count - 1]
      levels.append(combine(every(x, from: 0, h), every(x, from: 1, h), h))
      if failure != nil { return none }
      n = h
    }
    var done = levels.removeLast()
    while let x = levels.popLast() {
      guard let first = x.first, contains(first) else { return none }
      let n = shape(first)[0], odd = n / 2, more = (n - 1) / 2
      let heads = x.map { slice($0, axis: -shape($0).count, start: 0, count: 1) }
      var even = heads
      if more > 0 {
        let joined = combine(done.map { slice($0, axis: -shape($0).count, start: 0, count: more) }, every(x, from: 2, more), more)
        even = zip(heads, joined).map { concat([$0, $1], axis: -shape($0).count) }
      }
      if failure != nil { return none }
      done = zip(even, done).map { weave($0, $1, n, odd) }
    }
    if reverse { done = done.map { self.reverse($0, axes: [-shape($0).count]) } }
    guard failure == nil else { return none }
    return zip(done, xs).map { y, x in
      let s = shape(x), k = axis < 0 ? s.count + axis : axis
      return transpose(y, Array(1 ..< k + 1) + [0] + Array((k + 1) ..< s.count))
    }
  }

  /// even[0], odd[0], even[1], …: n of them along the first axis.
  private func weave(_ even: NodeID, _ odd: NodeID, _ n: Int, _ m: Int) -> NodeID {
    guard contains(even), contains(odd), m > 0 else { return even }
    let s = Array(shape(even).dropFirst()), a = -s.count - 1
    func apart(_ x: NodeID, _ count: Int) -> NodeID { reshape(slice(x, axis: a, start: 0, count: count), [count, 1] + s) }
    let pairs = reshape(concat([apart(even, m), apart(odd, m)], axis: a), [2 * m] + s)
    return n == 2 * m ? pairs : concat([pairs, slice(even, axis: a, start: m, count: 1)], axis: a)
  }
}
