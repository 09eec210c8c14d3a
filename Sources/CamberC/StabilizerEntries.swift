public import CCamber
import Glibc
import Health
import Tape

final class StabilizerHandle: Handled {
  let stabilizer: Stabilizer
  private var texts: [UnsafeMutablePointer<CChar>?] = []
  private(set) var sentences: [UnsafePointer<CChar>] = []
  init(_ s: Stabilizer) { stabilizer = s }
  deinit { for t in texts { free(t) } }

  private func sentence(_ r: Rewrite) -> String {
    var s = "rule \(r.number): \(r.rule)"
    if let l = r.label { s += ", at " + (l.text.isEmpty ? "" : l.text + (l.file.isEmpty ? "" : ", ")) + (l.file.isEmpty ? "" : "\(l.file):\(l.line)") }
    s += r.isMade ? ", made" : ", not made"
    if !r.before.isNaN { s += ": loses \(bits(r.before)) before, \(bits(r.after)) after" }
    return s + " (\(r.reason))"
  }
  private func bits(_ v: Double) -> String { v.isInfinite ? "all bits" : "\((v * 10).rounded() / 10) bits" }

  func run(_ out: UnsafeMutablePointer<camber_node>?) -> camber_status {
    guard out != nil || stabilizer.outputs.isEmpty else { return fail(Failure(.invalid, "stabilize: the array of outputs is NULL")) }
    do throws(Failure) {
      let nodes = try stabilizer.run()
      for (i, n) in nodes.enumerated() { out?[i] = n.isNone ? -1 : Int64(stabilizer.tape.serial) << 32 | Int64(n.index) }
    } catch { return fail(error) }
    for t in texts { free(t) }
    texts = stabilizer.journal.map { strdup(sentence($0)) }
    sentences = texts.map { $0.map { UnsafePointer($0) } ?? empty }
    say(stabilizer.journal.map { sentence($0) }.joined(separator: "\n"))
    return 0
  }
}

func stabilizerHandle(_ h: OpaquePointer?) -> StabilizerHandle? { lend(h, .stabilizer, as: StabilizerHandle.self) { $0 } }
private func handle(_ h: OpaquePointer?) -> StabilizerHandle? { stabilizerHandle(h) }

@_cdecl("camber_stabilizer_new") @implementation public func camber_stabilizer_new(
  _ tape: OpaquePointer!, _ inputs: Nodes!, _ input_count: Int, _ outputs: Nodes!, _ output_count: Int
) -> OpaquePointer! {
  let made = compiled(tape, inputs, input_count, outputs, output_count, "stabilize") { t, x, y throws(Failure) in StabilizerHandle(try Stabilizer(t, inputs: x, outputs: y)) }
  return made.flatMap { makeHandle(.stabilizer, $0) }
}
@_cdecl("camber_stabilizer_free") @implementation public func camber_stabilizer_free(_ stabilizer: OpaquePointer!) { freeHandle(.stabilizer, stabilizer) }
@_cdecl("camber_stabilizer_set") @implementation public func camber_stabilizer_set(_ stabilizer: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = handle(stabilizer) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "stabilize: the option's name is NULL")) }
  guard value >= 0, value <= 1100 else { return h.fail(Failure(.invalid, "stabilize: \(String(cString: name)) is a number from 0 to 1100, not \(value)")) }
  switch String(cString: name) {
  case "threshold": h.stabilizer.threshold = value
  case "slack": h.stabilizer.slack = value
  case "rounds": h.stabilizer.rounds = min(Int(value), 64)
  default: return h.fail(Failure(.invalid, "stabilize: no option is called \(String(cString: name)); there are rounds, slack, threshold"))
  }
  return 0
}
@_cdecl("camber_stabilizer_sample") @implementation public func camber_stabilizer_sample(_ stabilizer: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!) -> camber_status {
  guard let h = handle(stabilizer) else { return CAMBER_EHANDLE.raw }
  guard inputs != nil || h.stabilizer.inputs.isEmpty else { return h.fail(Failure(.invalid, "stabilize: the array of inputs is NULL")) }
  return sampled(h, inputs)
}
@inline(never) private func sampled(_ h: StabilizerHandle, _ inputs: UnsafePointer<UnsafeRawPointer?>?) -> camber_status {
  do throws(Failure) { try h.stabilizer.sample(h.stabilizer.inputs.indices.map { inputs?[$0] }) } catch { return h.fail(error) }
  return 0
}
@_cdecl("camber_stabilizer_range") @implementation public func camber_stabilizer_range(_ stabilizer: OpaquePointer!, _ input: Int, _ low: Double, _ high: Double) -> camber_status {
  guard let h = handle(stabilizer) else { return CAMBER_EHANDLE.raw }
  do throws(Failure) { try h.stabilizer.range(input, low, high) } catch { return h.fail(error) }
  return 0
}
@_cdecl("camber_stabilizer_run") @implementation public func camber_stabilizer_run(_ stabilizer: OpaquePointer!, _ outputs: UnsafeMutablePointer<camber_node>!) -> camber_status {
  handle(stabilizer)?.run(outputs) ?? CAMBER_EHANDLE.raw
}
@_cdecl("camber_stabilizer_count") @implementation public func camber_stabilizer_count(_ stabilizer: OpaquePointer!) -> Int { handle(stabilizer)?.stabilizer.journal.count ?? 0 }
@_cdecl("camber_stabilizer_entry") @implementation public func camber_stabilizer_entry(
  _ stabilizer: OpaquePointer!, _ i: Int, _ rule: UnsafeMutablePointer<Int32>!, _ node: UnsafeMutablePointer<camber_node>!, _ before: UnsafeMutablePointer<Double>!,
  _ after: UnsafeMutablePointer<Double>!, _ made: UnsafeMutablePointer<Int32>!
) -> camber_status {
  guard let h = handle(stabilizer) else { return CAMBER_EHANDLE.raw }
  guard h.stabilizer.journal.indices.contains(i) else { return CAMBER_EINVAL.raw }
  let r = h.stabilizer.journal[i]
  rule?.pointee = Int32(r.number)
  node?.pointee = Int64(h.stabilizer.tape.serial) << 32 | Int64(r.node.index)
  before?.pointee = r.before
  after?.pointee = r.after
  made?.pointee = r.isMade ? 1 : 0
  return 0
}
@_cdecl("camber_stabilizer_sentence") @implementation public func camber_stabilizer_sentence(_ stabilizer: OpaquePointer!, _ i: Int) -> UnsafePointer<CChar>! {
  guard let h = handle(stabilizer), h.sentences.indices.contains(i) else { return empty }
  return h.sentences[i]
}
@_cdecl("camber_stabilizer_message") @implementation public func camber_stabilizer_message(_ stabilizer: OpaquePointer!) -> UnsafePointer<CChar>! {
  handle(stabilizer)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
