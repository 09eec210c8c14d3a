import CKernels

/// `scan` is a tuple: final carries, then stacked y's; operands: carries, x's, then what the body captured. attrs: [body, carries, x's,
/// captured, y's, length, reverse, slots]. Runtime runs the body; with slots, the carries that a reversed loop reads are not stacked but computed again
/// from so many kept ones. `part` reads member attrs[0] of a tuple.
func loopRow(_ s: Structural) -> Row {
  s == .scan
    ? Row(name: "scan", infer: { _, _ in .fail(.invalid, "is built by camber_scan") }, derivative: .loop) { _ in "scan: has no kernel" }
    : Row(name: "part", infer: { _, _ in .fail(.invalid, "is built by camber_scan") }, derivative: .loop) { _ in "part: has no kernel" }
}

package struct ScanShape {
  package let body: Body
  package let carries: Int, xs: Int, consts: Int, ys: Int, length: Int
  package let reverse: Bool
  /// How many carries a reversed loop may keep; 0: all.
  package let slots: Int
}

extension Tape {
  package func scanShape(_ n: NodeID) -> ScanShape {
    let a = attrs(n)
    return ScanShape(body: bodies[a[0]], carries: a[1], xs: a[2], consts: a[3], ys: a[4], length: a[5], reverse: a[6] != 0, slots: a.count > 7 ? a[7] : 0)
  }

  /// The bodies that a node runs: first in its attributes.
  package func bodies(of n: NodeID) -> [Body] {
    switch structural(n) {
    case .scan, .whileLoop: [bodies[attrs(n)[0]]]
    case .cond: attrs(n).map { bodies[$0] }
    default: []
    }
  }

  func part(_ tuple: NodeID, _ k: Int) -> NodeID {
    guard contains(tuple) else { return .none }
    return add(OpCode(.part), [tuple], type: memberType(tuple, k), attrs: [k])
  }
  package func parts(_ tuple: NodeID) -> [NodeID] { contains(tuple) ? (0 ..< memberCount(tuple)).map { part(tuple, $0) } : [] }

  /// A checked scan over a host's body; `.none` on error. The body's captures become operands.
  package func scan(body: Tape, inputs: [NodeID], outputs: [NodeID], init carries: [NodeID], xs: [NodeID], ys: Int, length: Int, reverse: Bool, slots: Int = 0) -> NodeID {
    guard failure == nil else { return .none }
    if let f = body.failure { return fail(f.code, "scan: its body failed: \(f.message)") }
    guard body.parent === self else { return fail(.node, "scan: the body is not a sub-tape of this tape") }
    guard length >= 0, length <= TensorType.countLimit else { return fail(.invalid, "scan: length \(length)") }
    guard slots >= 0, slots <= TensorType.countLimit else { return fail(.invalid, "scan: \(slots) slots; 1 or more are taken, 0 keeps every carry") }
    guard inputs.count == carries.count + xs.count, outputs.count == carries.count + ys else {
      return fail(.invalid, "scan: \(inputs.count) body inputs and \(outputs.count) outputs for \(carries.count) carries, \(xs.count) x's, \(ys) y's")
    }
    guard check("scan", carries, "carry"), check("scan", xs, "x") else { return .none }
    for (i, n) in inputs.enumerated() {
      guard body.contains(n), body.structural(n) == .input else { return fail(.node, "scan: body input \(i) is not an input of the body") }
    }
    for (i, n) in outputs.enumerated() { guard body.contains(n), body.records[n.i].type >= 0 else { return fail(.node, "scan: body output \(i) is not a node of the body") } }
    guard Set(inputs).count == inputs.count else { return fail(.invalid, "scan: a body input is given twice") }
    for (i, c) in carries.enumerated() {
      let want = type(c)
      guard body.type(inputs[i]) == want else { return fail(.shape, "scan: carry \(i) starts as \(want.description), the body takes \(body.type(inputs[i]).description)") }
      guard body.type(outputs[i]) == want else { return fail(.shape, "scan: carry \(i) is \(want.description), the body gives \(body.type(outputs[i]).description)") }
    }
    for (i, x) in xs.enumerated() {
      let t = type(x), want = body.type(inputs[carries.count + i])
      guard t.shape.first == length, t.dtype == want.dtype, Array(t.shape.dropFirst()) == want.shape else {
        return fail(.shape, "scan: x \(i) is \(t.description), the body takes \(want.description) for each of \(length) steps")
      }
    }
    // Every input that is reached must be a parameter; captures are operands in order of first visit.
    guard let nodes = body.order(outputs) else { adopt(body); return .none }
    var captured: [NodeID] = []
    let known = Set(inputs)
    for k in 0 ..< nodes.count {
      switch body.structural(nodes[k]) {
      case .capture: captured.append(nodes[k])
      case .input where !known.contains(nodes[k]): return fail(.invalid, "scan: the body depends on an input that is not among its parameters")
      default: break
      }
    }
    let consts = captured.map { NodeID(body.record($0).a) }
    // The loop keeps a copy of its own: the host's sub-tape may grow on, and holds this tape.
    let own = Tape(), parameters = (inputs + captured).map { own.input(body.type($0)) }
    if let f = own.failure { return fail(f.code, f.message) }
    let results = own.rewrite(body, outputs, Dictionary(uniqueKeysWithValues: zip(inputs + captured, parameters))) { _, _ in nil }
    return scan(Body(tape: own, inputs: parameters, outputs: results), carries, xs, consts, length: length, reverse: reverse, slots: slots)
  }

  /// A scan over a sound body.
  func scan(_ given: Body, _ carries: [NodeID], _ xs: [NodeID], _ captured: [NodeID], length: Int, reverse: Bool, slots: Int = 0) -> NodeID {
    guard failure == nil else { return .none }
    if let f = given.tape.failure { return fail(f.code, f.message) }
    let (body, consts) = hoisted(given, captured)
    guard failure == nil else { return .none }
    var members: [Int32] = []
    for (i, o) in body.outputs.enumerated() {
      let t = body.tape.type(o)
      guard let m = i < carries.count ? t : TensorType(t.dtype, checking: [length] + t.shape) else { return fail(.memory, "scan: stacked results are too large") }
      members.append(intern(m))
    }
    let operands = carries + xs + consts
    let ys = body.outputs.count - carries.count
    return add(OpCode(.scan), operands, type: tupleType(members), attrs: [file(body), carries.count, xs.count, consts.count, ys, length, reverse ? 1 : 0, slots])
  }
}
