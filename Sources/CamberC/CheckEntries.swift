public import CCamber
import Health
import Runtime
import Tape

final class CheckHandle: Handled {
  let check: DerivativeCheck
  init(_ c: DerivativeCheck) { check = c }
}

@inline(never) private func made(_ tape: OpaquePointer?, _ outputs: Nodes?, _ output_count: Int, _ inputs: Nodes?, _ input_count: Int) -> OpaquePointer? {
  compiled(tape, inputs, input_count, outputs, output_count, "check") { t, x, y throws(Failure) in CheckHandle(try DerivativeCheck(t, outputs: y, inputs: x)) }.flatMap { makeHandle(.check, $0) }
}
@_cdecl("camber_check_new") @implementation public func camber_check_new(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int
) -> OpaquePointer! { made(tape, outputs, output_count, inputs, input_count) }
@_cdecl("camber_check_free") @implementation public func camber_check_free(_ check: OpaquePointer!) { freeHandle(.check, check) }

@_cdecl("camber_check_set") @implementation public func camber_check_set(_ check: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = checkHandle(check) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "check: the option's name is NULL")) }
  return h.check.set(String(cString: name), value).map(h.fail) ?? 0
}
@inline(never) private func ran(_ h: CheckHandle, _ data: UnsafePointer<UnsafeRawPointer?>?) -> camber_status {
  do { try h.check.run { i in data.flatMap { $0[i] } } } catch { return h.fail(error) }
  h.say(h.check.sentence)
  return 0
}
@_cdecl("camber_check_run") @implementation public func camber_check_run(_ check: OpaquePointer!, _ data: UnsafePointer<UnsafeRawPointer?>!) -> camber_status {
  guard let h = checkHandle(check) else { return CAMBER_EHANDLE.raw }
  return ran(h, data)
}
@_cdecl("camber_check_verdict") @implementation public func camber_check_verdict(_ check: OpaquePointer!) -> Int32 { checkHandle(check)?.check.verdict.rawValue ?? CAMBER_EHANDLE.raw }
@_cdecl("camber_check_message") @implementation public func camber_check_message(_ check: OpaquePointer!) -> UnsafePointer<CChar>! {
  checkHandle(check)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_check_entries") @implementation public func camber_check_entries(_ check: OpaquePointer!) -> Int { checkHandle(check)?.check.entries.count ?? 0 }
@_cdecl("camber_check_entry") @implementation public func camber_check_entry(
  _ check: OpaquePointer!, _ i: Int, _ input: UnsafeMutablePointer<Int>!, _ kind: UnsafeMutablePointer<Int32>!, _ verdict: UnsafeMutablePointer<Int32>!,
  _ derivative: UnsafeMutablePointer<Double>!, _ difference: UnsafeMutablePointer<Double>!, _ error: UnsafeMutablePointer<Double>!, _ slope: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard let h = checkHandle(check) else { return CAMBER_EHANDLE.raw }
  guard h.check.entries.indices.contains(i) else { return h.fail(Failure(.invalid, "check: entry \(UInt(bitPattern: i)) of \(h.check.entries.count)")) }
  let e = h.check.entries[i]
  input?.pointee = e.input
  kind?.pointee = e.kind.rawValue
  verdict?.pointee = e.verdict.rawValue
  derivative?.pointee = e.derivative
  difference?.pointee = e.difference
  error?.pointee = e.error
  slope?.pointee = e.slope
  return 0
}
@_cdecl("camber_check_remainders") @implementation public func camber_check_remainders(
  _ check: OpaquePointer!, _ i: Int, _ capacity: Int, _ steps: UnsafeMutablePointer<Double>!, _ remainders: UnsafeMutablePointer<Double>!
) -> Int {
  guard let h = checkHandle(check), h.check.entries.indices.contains(i) else { return 0 }
  let e = h.check.entries[i]
  for k in 0 ..< max(0, min(capacity, e.steps.count)) {
    steps?[k] = e.steps[k]
    remainders?[k] = e.remainders[k]
  }
  return e.steps.count
}
