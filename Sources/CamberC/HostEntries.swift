public import CCamber
import Glibc
import Tape

/// A payload that a table's functions keep.
private final class Payload: @unchecked Sendable {
  let p: UnsafeMutableRawPointer?
  private let release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  init(_ p: UnsafeMutableRawPointer?, _ retain: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?, _ release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?) {
    self.p = p
    self.release = release
    retain?(p)
  }
  deinit { release?(p) }
}

/// What a callback asks and says of one call.
final class CallHandle: Handled {
  let types: [TensorType?], flags: [Bool], batch: Int
  var sentence: String?
  init(_ types: [TensorType?], _ flags: [Bool], _ batch: Int) {
    self.types = types
    self.flags = flags
    self.batch = batch
  }
}

/// The call of one step of a workspace with its handle, and room for pointers.
private final class CallContext {
  let call: CallHandle
  let handle: OpaquePointer?
  /// Directions, then results: where they stand among the operands and results, -1 for none.
  let places: [Int]
  let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  init(_ call: CallHandle, places: [Int] = []) {
    self.call = call
    self.places = places
    handle = makeHandle(.call, call)
    pointers = .allocate(capacity: places.count + 1)
    pointers.initialize(repeating: nil, count: places.count + 1)
  }
  deinit {
    freeHandle(.call, handle)
    pointers.deallocate()
  }
  /// What became of a callback.
  func outcome(_ status: camber_status) -> HostFailure? {
    if status == 0 { return nil }
    defer { call.sentence = nil }
    return HostFailure(status > 0 ? .nonfinite : .callback, call.sentence ?? (status > 0 ? "the numbers failed" : "its callback returned \(status)"))
  }
}

private func callHandle(_ h: OpaquePointer?) -> CallHandle? { lend(h, .call, as: CallHandle.self) { $0 } }
private func type(_ call: OpaquePointer?, _ i: Int) -> TensorType? { callHandle(call).flatMap { $0.types.indices.contains(i) ? $0.types[i] : nil } }

@_cdecl("camber_call_fail") @implementation public func camber_call_fail(_ call: OpaquePointer!, _ sentence: UnsafePointer<CChar>!) -> camber_status {
  guard let h = callHandle(call) else { return CAMBER_EHANDLE.raw }
  h.sentence = sentence.map { String(cString: $0) }
  return CAMBER_ECALLBACK.raw
}
@_cdecl("camber_call_dtype") @implementation public func camber_call_dtype(_ call: OpaquePointer!, _ i: Int) -> camber_dtype { type(call, i)?.dtype.rawValue ?? -1 }
@_cdecl("camber_call_rank") @implementation public func camber_call_rank(_ call: OpaquePointer!, _ i: Int) -> Int64 { type(call, i).map { Int64($0.rank) } ?? -1 }
@_cdecl("camber_call_dim") @implementation public func camber_call_dim(_ call: OpaquePointer!, _ i: Int, _ axis: Int64) -> Int64 {
  guard let t = type(call, i), axis >= -Int64(t.rank), axis < Int64(t.rank) else { return -1 }
  return Int64(t.shape[Int(axis < 0 ? axis + Int64(t.rank) : axis)])
}
@_cdecl("camber_call_size") @implementation public func camber_call_size(_ call: OpaquePointer!, _ i: Int) -> Int { type(call, i)?.count ?? 0 }
@_cdecl("camber_call_batch") @implementation public func camber_call_batch(_ call: OpaquePointer!) -> Int64 { Int64(callHandle(call)?.batch ?? -1) }
@_cdecl("camber_call_is_batched") @implementation public func camber_call_is_batched(_ call: OpaquePointer!, _ i: Int) -> Int32 {
  guard let h = callHandle(call), h.flags.indices.contains(i) else { return 0 }
  return h.flags[i] ? 1 : 0
}

/// A host's table as the core's functions and rule, for `n` operands.
private final class Operator {
  let value: HostFunction
  let rule: HostRule
  init(_ name: String, _ o: camber_operator, _ n: Int) {
    let payload = Payload(o.payload, o.retain, o.release), m = o.output_count
    let function = o.value, batch = o.batch
    value = HostFunction(name, pure: o.pure != 0, takesBatches: batch != nil, prepare: { x, y, count, flags in
      CallContext(CallHandle(x + y, count < 0 ? [] : flags + y.map { _ in true }, count))
    }, call: { context, x, y in
      guard let context else { return nil }
      let c = unsafeDowncast(context, to: CallContext.self)
      return c.outcome((c.call.batch >= 0 ? batch : function)?(payload.p, c.handle, x, y) ?? 0)
    })
    func direction(_ f: camber_direction_callback?, _ suffix: String, ofInputs: Bool) -> HostFunction? {
      guard let f else { return nil }
      return HostFunction("\(name).\(suffix)", pure: o.pure != 0, prepare: { x, y, _, _ in Operator.context(x, y, n, m, ofInputs: ofInputs) }, call: { context, x, y in
        guard let context else { return nil }
        let c = unsafeDowncast(context, to: CallContext.self), first = ofInputs ? n : m
        for (i, k) in c.places.enumerated() where k >= 0 { c.pointers[i] = i < first ? UnsafeMutableRawPointer(mutating: x[k]) : y[k] }
        return c.outcome(f(payload.p, c.handle, x, x + n, UnsafeRawPointer(c.pointers).assumingMemoryBound(to: UnsafeRawPointer?.self), UnsafePointer(c.pointers + first)))
      })
    }
    let numbers = HostDerivatives(jvp: direction(o.jvp, "jvp", ofInputs: true), vjp: direction(o.vjp, "vjp", ofInputs: false))
    let sparsity = o.sparsity
    rule = numbers.rule(name, jvp: forward(o.jvp_nodes, payload, name), vjp: backward(o.vjp_nodes, payload, name), pattern: sparsity.map { f in { output, input in
      var count = 0
      guard f(payload.p, output, input, nil, nil, 0, &count) == 0, count >= 0, count <= 1 << 40 else { return nil }
      var p = HostPattern(rows: [Int64](repeating: 0, count: count), columns: [Int64](repeating: 0, count: count)), again = count
      guard f(payload.p, output, input, &p.rows, &p.columns, count, &again) == 0, again == count else { return nil }
      return p
    } })
  }

  /// Operands are x, y and the directions of floats; results those of the other's floats.
  private static func context(_ x: [TensorType], _ y: [TensorType], _ n: Int, _ m: Int, ofInputs: Bool) -> CallContext {
    let given = ofInputs ? x[..<n] : x[n ..< n + m], wanted = ofInputs ? x[n ..< n + m] : x[..<n]
    var types: [TensorType?] = Array(x[..<(n + m)]), places: [Int] = [], next = n + m
    for t in given {
      types.append(t.dtype.isFloat ? t : nil)
      places.append(t.dtype.isFloat ? next : -1)
      if t.dtype.isFloat { next += 1 }
    }
    next = 0
    for t in wanted {
      types.append(t.dtype.isFloat ? t : nil)
      places.append(t.dtype.isFloat ? next : -1)
      if t.dtype.isFloat { next += 1 }
    }
    return CallContext(CallHandle(types, [], -1), places: places)
  }
}

/// Calls back with nodes of a tape, lent for the call.
private func ask(_ f: camber_rule_callback, _ payload: Payload, _ name: String, _ mode: String, _ t: Tape, _ x: [NodeID], _ y: [NodeID], _ d: [NodeID], _ count: Int) -> [NodeID?] {
  let none = [NodeID?](repeating: nil, count: count), h = TapeHandle(t)
  guard let handle = makeHandle(.tape, h) else { t.fail(.memory, "\(name): memory was refused"); return none }
  defer { freeHandle(.tape, handle) }
  var out = [camber_node](repeating: -1, count: count)
  let status = f(payload.p, handle, x.map(h.pack), y.map(h.pack), d.map(h.pack), &out)
  if let said = t.failure {
    if !said.message.hasPrefix(name) { t.failure = Failure(said.code, "\(name): its \(mode): \(said.message)") }
    return none
  }
  guard status == 0 else { t.fail(.callback, "\(name): the callback of its \(mode) returned \(status)"); return none }
  return out.map { id in
    if id < 0 { return nil }
    let n = h.node(id)
    if n.isNone { t.fail(.node, "\(name): its \(mode) gave a node that is not of the tape it was given") }
    return n
  }
}
private func forward(_ f: camber_rule_callback?, _ payload: Payload, _ name: String) -> HostRule.Forward? {
  f.map { f in { t, x, y, dx in ask(f, payload, name, "jvp", t, x, y, t.instantiated(dx, like: x), y.count) } }
}
private func backward(_ f: camber_rule_callback?, _ payload: Payload, _ name: String) -> HostRule.Backward? {
  f.map { f in { t, x, y, ct, _ in ask(f, payload, name, "vjp", t, x, y, t.instantiated(ct, like: y), x.count) } }
}

/// A host's struct, whichever version it was compiled with; what a newer one says beside is refused. Its fields beyond `least` are of eight
/// bytes each; one that the size cuts in two is not there.
private func read<T: BitwiseCopyable>(_ p: UnsafePointer<T>?, _ size: (T) -> Int, _ name: StaticString, _ t: Tape, _ empty: T, least: Int) -> T? {
  guard let p else { t.fail(.invalid, "\(name): the table is NULL"); return nil }
  let given = UnsafeRawPointer(p).loadUnaligned(as: Int.self), known = MemoryLayout<T>.size
  guard given >= least, given <= 4096 else { t.fail(.invalid, "\(name): the table's size is \(given); set it to its sizeof, \(known)"); return nil }
  for i in known ..< max(given, known) where UnsafeRawPointer(p).load(fromByteOffset: i, as: UInt8.self) != 0 {
    t.fail(.invalid, "\(name): the table is of a newer version of camber.h and uses what this library lacks")
    return nil
  }
  var copy = empty
  withUnsafeMutableBytes(of: &copy) { $0.copyMemory(from: UnsafeRawBufferPointer(start: p, count: min(given & ~7, known))) }
  return copy
}

private func text(_ p: UnsafePointer<CChar>?, _ other: String) -> String { p.map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? other }

/// The types of an operator's results.
private func results(_ o: camber_operator, _ name: String, _ t: Tape, _ x: [NodeID]) -> [TensorType]? {
  guard let f = o.types else {
    guard let first = x.first else { t.fail(.invalid, "\(name): without operands it needs a callback for its types"); return nil }
    return [TensorType](repeating: t.type(first), count: o.output_count)
  }
  let scratch = Tape(), h = TapeHandle(scratch), inputs = x.map { scratch.input(t.type($0)) }
  guard let handle = makeHandle(.tape, h) else { t.fail(.memory, "\(name): memory was refused"); return nil }
  defer { freeHandle(.tape, handle) }
  var out = [camber_node](repeating: -1, count: o.output_count)
  let status = f(o.payload, handle, inputs.map(h.pack), x.count, &out)
  if let said = scratch.failure { t.fail(said.code, "\(name): its types: \(said.message)"); return nil }
  guard status == 0 else { t.fail(.callback, "\(name): the callback of its types returned \(status)"); return nil }
  var types: [TensorType] = []
  for (k, id) in out.enumerated() {
    let n = h.node(id)
    guard scratch.contains(n) else { t.fail(.node, "\(name): its types: result \(k) is not a node of the tape it was given"); return nil }
    types.append(scratch.type(n))
  }
  return types
}

@_cdecl("camber_host_call") @implementation public func camber_host_call(
  _ tape: OpaquePointer!, _ op: UnsafePointer<camber_operator>!, _ inputs: Nodes!, _ input_count: Int, _ outputs: MutableNodes!, _ output_count: Int
) -> camber_status {
  transform(tape, outputs, output_count, "host_call") { h, t in
    let least = MemoryLayout<camber_operator>.offset(of: \.batch) ?? 0
    guard let o = read(op, \.size, "host_call", t, camber_operator(), least: least) else { return nil }
    let name = text(o.name, "host_call")
    guard o.value != nil else { t.fail(.invalid, "\(name): the table has no callback for the value"); return nil }
    guard o.output_count > 0, o.output_count == output_count else { t.fail(.invalid, "\(name): has \(UInt(bitPattern: o.output_count)) results; room for \(output_count) is given"); return nil }
    guard o.input_count == -1 || o.input_count == input_count else { t.fail(.invalid, "\(name): takes \(UInt(bitPattern: o.input_count)) operands, not \(input_count)"); return nil }
    guard let x = h.nodes(inputs, input_count, "host_call") else { return nil }
    for (i, n) in x.enumerated() where !t.contains(n) || t.isTuple(n) { t.fail(.node, "\(name): operand \(i) is not a node of this tape"); return nil }
    guard x.count + o.output_count < 16384 else { t.fail(.invalid, "\(name): \(x.count) operands and \(o.output_count) results; together at most 16383 are taken"); return nil }
    guard let types = results(o, name, t, x), t.failure == nil else { return nil }
    var nameless = o
    nameless.name = nil
    let key = withUnsafeBytes(of: nameless) { Array($0) } + Array(name.utf8) + withUnsafeBytes(of: x.count) { Array($0) }
    let made = t.hostOperator(key) { Operator(name, o, x.count) }
    return t.custom(made.rule, x, t.hostCall(made.value, x, types))
  }
}

@_cdecl("camber_custom") @implementation public func camber_custom(
  _ tape: OpaquePointer!, _ body: OpaquePointer!, _ body_inputs: Nodes!, _ body_outputs: Nodes!, _ inputs: Nodes!, _ input_count: Int,
  _ rule: UnsafePointer<camber_rule>!, _ outputs: MutableNodes!, _ output_count: Int
) -> camber_status {
  transform(tape, outputs, output_count, "custom") { h, t in
    guard let b = tapeHandle(body) else { t.fail(.handle, "custom: the body is NULL, freed or no tape"); return nil }
    let least = MemoryLayout<camber_rule>.offset(of: \.jvp_tape) ?? 0
    guard let r = read(rule, \.size, "custom", t, camber_rule(), least: least) else { return nil }
    let name = text(r.name, "custom")
    guard let x = h.nodes(inputs, input_count, "custom"), let ins = h.nodes(body_inputs, input_count, "custom", of: b),
          let outs = h.nodes(body_outputs, output_count, "custom", of: b) else { return nil }
    guard x.count + outs.count < 16384 else { t.fail(.invalid, "\(name): \(x.count) inputs and \(outs.count) outputs; together at most 16383 are taken"); return nil }
    guard let sound = t.body(name, b.tape, ins, outs) else { return nil }
    let floats = (ins.filter { sound.tape.dtype($0).isFloat }, outs.filter { sound.tape.dtype($0).isFloat })
    guard let jvp = recorded(h, r.jvp_tape, r.jvp_inputs, r.jvp_outputs, name, sound, floats.0, floats.1),
          let vjp = recorded(h, r.vjp_tape, r.vjp_inputs, r.vjp_outputs, name, sound, floats.1, floats.0) else { return nil }
    guard r.jvp == nil && r.vjp == nil || jvp.body == nil && vjp.body == nil else { t.fail(.invalid, "\(name): a rule has callbacks or recorded functions, not both"); return nil }
    let payload = Payload(r.payload, r.retain, r.release)
    let made: Rule = r.jvp != nil || r.vjp != nil
      ? HostRule(name, jvp: forward(r.jvp, payload, name), vjp: backward(r.vjp, payload, name))
      : RecordedRule(name, jvp: jvp.body, vjp: vjp.body)
    guard made.hasJVP || made.hasVJP else { t.fail(.invalid, "\(name): the rule gives neither a jvp nor a vjp"); return nil }
    return t.custom(made, body: b.tape, inputs: ins, outputs: outs, x)
  }
}

/// A recorded rule; nil with the tape's failure where it is none that fits.
private func recorded(_ h: TapeHandle, _ tape: OpaquePointer?, _ inputs: Nodes?, _ outputs: Nodes?, _ name: String, _ f: Body, _ directions: [NodeID], _ results: [NodeID]) -> (body: Body?, Void)? {
  guard let tape else { return (nil, ()) }
  guard let r = tapeHandle(tape) else { h.tape.fail(.handle, "\(name): a rule's tape was freed or is no tape"); return nil }
  let wanted = f.inputs + f.outputs + directions
  guard let ins = h.nodes(inputs, wanted.count, "custom", of: r), let outs = h.nodes(outputs, results.count, "custom", of: r),
        let b = h.tape.body(name, r.tape, ins, outs, captures: false) else { return nil }
  for (what, given, like) in [("input", ins, wanted), ("output", outs, results)] {
    for (i, (n, m)) in zip(given, like).enumerated() where r.tape.type(n) != f.tape.type(m) {
      h.tape.fail(.shape, "\(name): \(what) \(i) of a recorded rule is \(r.tape.type(n).description), not \(f.tape.type(m).description)")
      return nil
    }
  }
  // A copy of its own: the host's tape may grow on.
  let own = Tape(), parameters = ins.map { own.input(r.tape.type($0)) }
  let made = own.copy(b, parameters)
  if let failure = own.failure { h.tape.fail(failure.code, failure.message); return nil }
  return (Body(tape: own, inputs: parameters, outputs: made), ())
}

@_cdecl("camber_node_sparsity") @implementation public func camber_node_sparsity(
  _ tape: OpaquePointer!, _ output: camber_node, _ input: Int, _ rows: UnsafeMutablePointer<Int64>!, _ columns: UnsafeMutablePointer<Int64>!, _ capacity: Int,
  _ count: UnsafeMutablePointer<Int>!
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  guard let count, capacity >= 0, capacity <= 1 << 28, capacity == 0 || rows != nil && columns != nil else { return CAMBER_EINVAL.raw }
  let n = h.node(output), t = h.tape
  guard t.contains(n) else { return CAMBER_ENODE.raw }
  guard let (m, k, p) = t.patternOf(n, input: input) else { return CAMBER_EINVAL.raw }
  if let p {
    for (r, c) in zip(p.rows, p.columns) where r < 0 || r >= Int64(m) || c < 0 || c >= Int64(k) { return CAMBER_ECALLBACK.raw }
    for i in 0 ..< min(capacity, p.rows.count) { (rows[i], columns[i]) = (p.rows[i], p.columns[i]) }
    count.pointee = p.rows.count
    return 0
  }
  let (total, overflow) = m.multipliedReportingOverflow(by: k)
  if overflow { return CAMBER_ENOMEM.raw }
  for i in 0 ..< min(capacity, total) { (rows[i], columns[i]) = (Int64(i / k), Int64(i % k)) }
  count.pointee = total
  return 0
}
