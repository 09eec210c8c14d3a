public import CCamber
import CKernels
import Glibc
import Health
import Tape

final class NonfiniteHandle: Handled {
  let trace: Trace
  /// Texts of the last run, freed with the next.
  private let texts = HeldTexts()
  private(set) var sentences: [UnsafePointer<CChar>] = [], labels: [UnsafePointer<CChar>] = [], files: [UnsafePointer<CChar>] = []
  init(_ t: Trace) { trace = t }
  func settle() {
    texts.clear()
    sentences = trace.births.map { texts.keep($0.sentence(trace.births)) }
    labels = trace.births.map { texts.keep($0.origin.label?.text ?? "") }
    files = trace.births.map { texts.keep($0.origin.label?.file ?? "") }
    say(trace.report)
  }
  func run(_ inputs: UnsafePointer<UnsafeRawPointer?>?) -> camber_status {
    guard inputs != nil || trace.inputs.isEmpty else { return fail(Failure(.invalid, "nonfinite: the array of inputs is NULL")) }
    let given = trace.inputs.indices.map { inputs?[$0] }
    do throws(Failure) {
      let found = try trace.run(given)
      settle()
      return found ? CAMBER_NONFINITE.raw : 0
    } catch { return fail(error) }
  }
  func set(_ name: String, _ value: Double) -> Failure? {
    switch name {
    case "limit":
      guard let n = Int(exactly: value), n >= 1, n <= 1 << 20 else { return Failure(.invalid, "nonfinite: limit is a whole number from 1 to \(1 << 20), not \(value)") }
      trace.limit = n
    case "mask":
      guard let n = Int(exactly: value), trace.inputs.indices.contains(n) else { return Failure(.invalid, "nonfinite: mask is the number of one of \(trace.inputs.count) inputs, not \(value)") }
      trace.masks.insert(n)
    default: return Failure(.invalid, "nonfinite: no option is called \(name); there are limit, mask")
    }
    return nil
  }
}

func nonfiniteHandle(_ h: OpaquePointer?) -> NonfiniteHandle? { lend(h, .nonfinite, as: NonfiniteHandle.self) { $0 } }
private func handle(_ h: OpaquePointer?) -> NonfiniteHandle? { nonfiniteHandle(h) }
private func birth(_ h: OpaquePointer?, _ i: Int) -> Birth? {
  guard let n = handle(h), n.trace.births.indices.contains(i) else { return nil }
  return n.trace.births[i]
}

// MARK: places

private func label(_ text: UnsafePointer<CChar>?, _ file: UnsafePointer<CChar>?, _ line: Int32) -> Label {
  Label(text: text.map { String(cString: $0) } ?? "", file: file.map { String(cString: $0) } ?? "", line: line)
}
private func isEmpty(_ text: UnsafePointer<CChar>?, _ file: UnsafePointer<CChar>?, _ line: Int32) -> Bool {
  (text == nil || text?.pointee == 0) && (file == nil || file?.pointee == 0) && line == 0
}

@_cdecl("camber_label") @implementation public func camber_label(
  _ tape: OpaquePointer!, _ node: camber_node, _ text: UnsafePointer<CChar>!, _ file: UnsafePointer<CChar>!, _ line: Int32
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  guard h.tape.failure == nil else { return h.status }
  if line < 0 || isEmpty(text, file, line) {
    h.tape.fail(.invalid, line < 0 ? "label: line \(line)" : "label: the text, the file and the line are empty")
    return h.status
  }
  h.tape.label(h.node(node), label(text, file, line))
  return h.status
}
@_cdecl("camber_label_from") @implementation public func camber_label_from(
  _ tape: OpaquePointer!, _ text: UnsafePointer<CChar>!, _ file: UnsafePointer<CChar>!, _ line: Int32
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  guard h.tape.failure == nil else { return h.status }
  if line < 0 {
    h.tape.fail(.invalid, "label: line \(line)")
    return h.status
  }
  h.tape.label(from: isEmpty(text, file, line) ? nil : label(text, file, line))
  return 0
}
/// The tape that holds the node: this one or one around it.
private func holder(_ tape: OpaquePointer?, _ node: camber_node) -> (Tape, NodeID)? {
  guard var t = tapeHandle(tape)?.tape, node >= 0 else { return nil }
  let serial = Int32(truncatingIfNeeded: node >> 32), n = NodeID(Int32(truncatingIfNeeded: node))
  while t.serial != serial {
    guard let p = t.parent else { return nil }
    t = p
  }
  return t.contains(n) && !t.isTuple(n) ? (t, n) : nil
}
@_cdecl("camber_label_count") @implementation public func camber_label_count(_ tape: OpaquePointer!, _ node: camber_node) -> Int {
  holder(tape, node).map { $0.0.allLabels($0.1).count } ?? 0
}
@_cdecl("camber_label_get") @implementation public func camber_label_get(
  _ tape: OpaquePointer!, _ node: camber_node, _ i: Int, _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ file: UnsafeMutablePointer<UnsafePointer<CChar>?>!,
  _ line: UnsafeMutablePointer<Int32>!
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  guard let (t, n) = holder(tape, node) else { return CAMBER_ENODE.raw }
  let list = t.allLabels(n)
  guard list.indices.contains(i) else { return CAMBER_EINVAL.raw }
  text?.pointee = h.kept(list[i].text)
  file?.pointee = h.kept(list[i].file)
  line?.pointee = list[i].line
  return 0
}
@_cdecl("camber_node_origin") @implementation public func camber_node_origin(
  _ tape: OpaquePointer!, _ node: camber_node, _ origin: UnsafeMutablePointer<camber_node>!, _ sweep: UnsafeMutablePointer<Int32>!
) -> camber_status {
  guard tapeHandle(tape) != nil else { return CAMBER_EHANDLE.raw }
  guard let (t, n) = holder(tape, node) else { return CAMBER_ENODE.raw }
  let o = t.origin(n)
  origin?.pointee = Int64(t.serial) << 32 | Int64(o.node.index)
  sweep?.pointee = o.sweep.rawValue
  return 0
}

// MARK: births

@_cdecl("camber_nonfinite_new") @implementation public func camber_nonfinite_new(
  _ tape: OpaquePointer!, _ inputs: Nodes!, _ input_count: Int, _ outputs: Nodes!, _ output_count: Int
) -> OpaquePointer! {
  let made = compiled(tape, inputs, input_count, outputs, output_count, "nonfinite") { t, x, y throws(Failure) in NonfiniteHandle(try Trace(t, inputs: x, outputs: y)) }
  return made.flatMap { makeHandle(.nonfinite, $0) }
}
@_cdecl("camber_nonfinite_free") @implementation public func camber_nonfinite_free(_ nonfinite: OpaquePointer!) { freeHandle(.nonfinite, nonfinite) }
@_cdecl("camber_nonfinite_set") @implementation public func camber_nonfinite_set(_ nonfinite: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = handle(nonfinite) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "nonfinite: the option's name is NULL")) }
  return h.set(String(cString: name), value).map(h.fail) ?? 0
}
@_cdecl("camber_nonfinite_run") @implementation public func camber_nonfinite_run(_ nonfinite: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!) -> camber_status {
  handle(nonfinite)?.run(inputs) ?? CAMBER_EHANDLE.raw
}
@_cdecl("camber_nonfinite_count") @implementation public func camber_nonfinite_count(_ nonfinite: OpaquePointer!) -> Int { handle(nonfinite)?.trace.findings ?? 0 }
@_cdecl("camber_nonfinite_total") @implementation public func camber_nonfinite_total(_ nonfinite: OpaquePointer!) -> Int { handle(nonfinite)?.trace.births.count ?? 0 }
@_cdecl("camber_nonfinite_finding") @implementation public func camber_nonfinite_finding(
  _ nonfinite: OpaquePointer!, _ i: Int, _ node: UnsafeMutablePointer<camber_node>!, _ op: UnsafeMutablePointer<UnsafePointer<CChar>?>!,
  _ kind: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ element: UnsafeMutablePointer<Int64>!, _ behind: UnsafeMutablePointer<Int64>!, _ input: UnsafeMutablePointer<Int64>!
) -> camber_status {
  guard let h = handle(nonfinite) else { return CAMBER_EHANDLE.raw }
  guard let b = birth(nonfinite, i) else { return CAMBER_EINVAL.raw }
  node?.pointee = Int64(h.trace.tape.serial) << 32 | Int64(b.node.index)
  op?.pointee = opName(b.op)
  kind?.pointee = c(b.kind.name)
  element?.pointee = Int64(b.element)
  behind?.pointee = Int64(b.behind)
  input?.pointee = Int64(b.input)
  return 0
}
@_cdecl("camber_nonfinite_value") @implementation public func camber_nonfinite_value(_ nonfinite: OpaquePointer!, _ i: Int) -> Double { birth(nonfinite, i)?.value ?? .nan }
@_cdecl("camber_nonfinite_operand_count") @implementation public func camber_nonfinite_operand_count(_ nonfinite: OpaquePointer!, _ i: Int) -> Int { birth(nonfinite, i)?.operands.count ?? 0 }
@_cdecl("camber_nonfinite_operand") @implementation public func camber_nonfinite_operand(
  _ nonfinite: OpaquePointer!, _ i: Int, _ k: Int, _ value: UnsafeMutablePointer<Double>!, _ element: UnsafeMutablePointer<Int64>!, _ input: UnsafeMutablePointer<Int64>!
) -> camber_status {
  guard handle(nonfinite) != nil else { return CAMBER_EHANDLE.raw }
  guard let b = birth(nonfinite, i), b.operands.indices.contains(k) else { return CAMBER_EINVAL.raw }
  value?.pointee = b.operands[k].value
  element?.pointee = Int64(b.operands[k].element)
  input?.pointee = Int64(b.operands[k].input)
  return 0
}
@_cdecl("camber_nonfinite_origin") @implementation public func camber_nonfinite_origin(
  _ nonfinite: OpaquePointer!, _ i: Int, _ sweep: UnsafeMutablePointer<Int32>!, _ op: UnsafeMutablePointer<UnsafePointer<CChar>?>!,
  _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ file: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ line: UnsafeMutablePointer<Int32>!
) -> camber_status {
  guard let h = handle(nonfinite) else { return CAMBER_EHANDLE.raw }
  guard let b = birth(nonfinite, i) else { return CAMBER_EINVAL.raw }
  sweep?.pointee = b.origin.sweep.rawValue
  op?.pointee = opName(b.origin.op)
  text?.pointee = h.labels[i]
  file?.pointee = h.files[i]
  line?.pointee = b.origin.label?.line ?? 0
  return 0
}
@_cdecl("camber_nonfinite_steps") @implementation public func camber_nonfinite_steps(_ nonfinite: OpaquePointer!, _ i: Int, _ steps: UnsafeMutablePointer<Int64>!, _ capacity: Int) -> Int {
  guard let b = birth(nonfinite, i) else { return 0 }
  if let steps { for k in 0 ..< min(b.steps.count, Int(clamping: UInt(bitPattern: capacity))) { steps[k] = Int64(b.steps[k]) } }
  return b.steps.count
}
@_cdecl("camber_nonfinite_sentence") @implementation public func camber_nonfinite_sentence(_ nonfinite: OpaquePointer!, _ i: Int) -> UnsafePointer<CChar>! {
  guard let h = handle(nonfinite), h.sentences.indices.contains(i) else { return empty }
  return h.sentences[i]
}
@_cdecl("camber_nonfinite_remedy") @implementation public func camber_nonfinite_remedy(_ nonfinite: OpaquePointer!, _ i: Int) -> UnsafePointer<CChar>! {
  birth(nonfinite, i).map { c($0.kind.remedy) } ?? empty
}
@_cdecl("camber_nonfinite_message") @implementation public func camber_nonfinite_message(_ nonfinite: OpaquePointer!) -> UnsafePointer<CChar>! {
  handle(nonfinite)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_nonfinite_tally") @implementation public func camber_nonfinite_tally(
  _ nonfinite: OpaquePointer!, _ kills: UnsafeMutablePointer<Int>!, _ suppressed: UnsafeMutablePointer<Int>!
) -> camber_status {
  guard let h = handle(nonfinite) else { return CAMBER_EHANDLE.raw }
  kills?.pointee = h.trace.kills
  suppressed?.pointee = h.trace.suppressed
  return 0
}

@_cdecl("camber_poison") @implementation public func camber_poison(_ dtype: camber_dtype, _ data: UnsafeMutableRawPointer!, _ count: Int) -> camber_status {
  guard let d = DType(rawValue: dtype) else { return CAMBER_EDTYPE.raw }
  guard count >= 0, count <= TensorType.countLimit, data != nil || count == 0 else { return CAMBER_EINVAL.raw }
  if count == 0 { return 0 }
  var pattern: UInt64 = switch d {
  case .f64: 0x7FF4_CA3B_E700_DEAD
  case .f32: 0x7FA0_DEAD
  case .f16: 0x7D5A
  case .bf16: 0x7F95
  case .i64: 0x8000_0000_0000_0000
  case .i32: 0x8000_0000
  case .bool: 0
  }
  ck_fill(d.size, &pattern, data, count)
  return 0
}

@_cdecl("camber_optimizer_nonfinite") @implementation public func camber_optimizer_nonfinite(
  _ optimizer: OpaquePointer!, _ parameters: UnsafePointer<UnsafeMutableRawPointer?>!, _ gradients: UnsafePointer<UnsafeRawPointer?>!
) -> OpaquePointer! {
  guard let h = optimizerHandle(optimizer) else { return nil }
  guard let parameters, let gradients else {
    _ = h.fail(Failure(.invalid, "optimizer: the array of parameters or gradients is NULL"))
    return nil
  }
  return looked(h, parameters, gradients)
}
@inline(never) private func looked(_ h: OptimizerHandle, _ p: UnsafePointer<UnsafeMutableRawPointer?>, _ g: UnsafePointer<UnsafeRawPointer?>) -> OpaquePointer? {
  do throws(Failure) {
    let made = NonfiniteHandle(try h.optimizer.trace(p, g).0)
    made.settle()
    return makeHandle(.nonfinite, made)
  } catch {
    _ = h.fail(error)
    return nil
  }
}
