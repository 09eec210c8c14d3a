/// `map`: a function of each slice along the leading axis. Not an operator: all slices at once as a batch, one after the other as a scan, or as
/// a scan of batches.
extension Tape {
  /// Slices whose intermediate results take more bytes than this together go in batches that take no more: they stay near the processor.
  private static let together = 1 << 22

  /// `block` slices at once: 0 chooses. A batch runs several times faster than a scan of small bodies; but it computes both branches of a choice
  /// that differs between slices, runs loops until the longest ends, and holds the intermediate results of all.
  package func map(body: Tape, inputs: [NodeID], outputs: [NodeID], over xs: [NodeID], block: Int) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count)
    guard let (b, consts) = mapped(body, inputs, outputs, xs, block) else { return none }
    let n = shape(xs[0])[0], given = xs + consts, most = block > 0 ? block : chosen(b, n)
    if most == 1 {
      return parts(scan(b, [], xs, consts, length: n, reverse: false))
    }
    func at(once size: Int) -> Body? {
      batchedBody(b, b.inputs.indices.map { $0 < xs.count }, b.outputs.map { _ in true }, size: size)?.body
    }
    if most >= n {
      guard let all = at(once: n) else { return none }
      return inline(all, given)
    }
    let whole = n / most, rest = n % most
    guard let some = at(once: most) else { return none }
    func cut(_ x: NodeID, _ start: Int, _ count: Int) -> NodeID { slice(x, axis: -shape(x).count, start: start, count: count) }
    let stacked = xs.map { x in reshape(cut(x, 0, whole * most), [whole, most] + shape(x).dropFirst()) }
    let y = parts(scan(some, [], stacked, consts, length: whole, reverse: false)).map { y in reshape(y, [whole * most] + shape(y).dropFirst(2)) }
    if rest == 0 { return failure == nil ? y : none }
    guard failure == nil, let last = at(once: rest) else { return none }
    let z = inline(last, xs.map { cut($0, whole * most, rest) } + consts)
    guard failure == nil else { return none }
    return zip(y, z).map { concat([$0, $1], axis: -shape($0).count) }
  }

  private func chosen(_ b: Body, _ n: Int) -> Int {
    if branches(b) { return 1 }
    var bytes = 1
    for i in 0 ..< b.tape.count where b.tape.records[i].type >= 0 { bytes = min(bytes + b.tape.type(NodeID(i)).bytes, Tape.together) }
    return max(min(n, Tape.together / bytes), 1)
  }

  /// Whether a body runs differently for different values.
  private func branches(_ b: Body) -> Bool {
    var list = [b]
    while let b = list.popLast() {
      for i in 0 ..< b.tape.count {
        switch b.tape.structural(NodeID(i)) {
        case .cond, .whileLoop: return true
        case .scan: list += b.tape.bodies(of: NodeID(i))
        default: break
        }
      }
    }
    return false
  }

  private func mapped(_ body: Tape, _ inputs: [NodeID], _ outputs: [NodeID], _ xs: [NodeID], _ block: Int) -> (Body, [NodeID])? {
    guard failure == nil, sound("map", "its body", body) else { return nil }
    guard block >= 0 else { fail(.invalid, "map: blocks of \(block); 1 or more are taken, 0 chooses"); return nil }
    guard !xs.isEmpty else { fail(.invalid, "map: needs at least one array to go over"); return nil }
    guard inputs.count == xs.count else { fail(.invalid, "map: \(inputs.count) body inputs for \(xs.count) arrays"); return nil }
    guard check("map", xs, "array") else { return nil }
    for (i, n) in inputs.enumerated() where !body.contains(n) || body.structural(n) != .input { fail(.node, "map: body input \(i) is not an input of the body"); return nil }
    for (i, n) in outputs.enumerated() where !body.contains(n) || body.isTuple(n) { fail(.node, "map: body output \(i) is not a node of the body"); return nil }
    guard Set(inputs).count == inputs.count else { fail(.invalid, "map: a body input is given twice"); return nil }
    for (i, x) in xs.enumerated() {
      let t = type(x), want = body.type(inputs[i])
      guard let n = t.shape.first else { fail(.shape, "map: array \(i) is \(t.description), which has no leading axis"); return nil }
      guard t.dtype == want.dtype, Array(t.shape.dropFirst()) == want.shape else {
        fail(t.dtype == want.dtype ? .shape : .dtype, "map: array \(i) is \(t.description), the body takes \(want.description) of each slice")
        return nil
      }
      guard n == shape(xs[0])[0] else { fail(.shape, "map: leading axes \(shape(xs[0])[0]) and \(n) differ"); return nil }
    }
    guard let list = captured("map", "the body", body, inputs, outputs) else { return nil }
    let outer = list.map { NodeID(body.record($0).a) }
    return closed(body, inputs, outputs, captures: outer).map { ($0, outer) }
  }
}
