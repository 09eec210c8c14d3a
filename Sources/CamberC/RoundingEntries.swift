public import CCamber
import Glibc
import Health
import Runtime
import Tape

final class RoundingHandle: Handled {
  let rounding: Rounding
  let serial: Int32
  init(_ r: Rounding, _ tape: Tape) {
    rounding = r
    serial = tape.serial
  }
  /// Labels of the last answer, freed with the next.
  private let texts = HeldTexts()
  private(set) var places: [Label: (text: UnsafePointer<CChar>, file: UnsafePointer<CChar>)] = [:]
  func settle() {
    texts.clear()
    places = [:]
    for c in rounding.contributions { for m in c.members { if let l = m.label, places[l] == nil { places[l] = (texts.keep(l.text), texts.keep(l.file)) } } }
  }
  func pack(_ n: NodeID) -> camber_node { n.isNone ? -1 : Int64(serial) << 32 | Int64(n.index) }
}
private func handle(_ h: OpaquePointer?) -> RoundingHandle? { roundingHandle(h) }

@inline(never) private func made(_ tape: OpaquePointer?, _ outputs: Nodes?, _ output_count: Int, _ inputs: Nodes?, _ input_count: Int) -> OpaquePointer? {
  compiled(tape, inputs, input_count, outputs, output_count, "rounding") { t, x, y throws(Failure) in RoundingHandle(try Rounding(t, outputs: y, inputs: x), t) }.flatMap { makeHandle(.rounding, $0) }
}
@_cdecl("camber_rounding_new") @implementation public func camber_rounding_new(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int
) -> OpaquePointer! { made(tape, outputs, output_count, inputs, input_count) }
@_cdecl("camber_rounding_free") @implementation public func camber_rounding_free(_ rounding: OpaquePointer!) { freeHandle(.rounding, rounding) }

@_cdecl("camber_rounding_set") @implementation public func camber_rounding_set(_ rounding: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = handle(rounding) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "rounding: the option's name is NULL")) }
  return h.rounding.set(String(cString: name), value).map(h.fail) ?? 0
}
@inline(never) private func guarded(_ h: RoundingHandle, _ body: () throws(Failure) -> Void) -> camber_status {
  defer { h.settle() }
  do { try body() } catch { return h.fail(error) }
  return 0
}
@_cdecl("camber_rounding_run") @implementation public func camber_rounding_run(_ rounding: OpaquePointer!, _ data: UnsafePointer<UnsafeRawPointer?>!) -> camber_status {
  guard let h = handle(rounding) else { return CAMBER_EHANDLE.raw }
  guard data != nil || h.rounding.inputTypes.isEmpty else { return h.fail(Failure(.invalid, "rounding: the array of inputs is NULL")) }
  return guarded(h) { () throws(Failure) in try h.rounding.run { data[$0] } }
}
@_cdecl("camber_rounding_at") @implementation public func camber_rounding_at(_ rounding: OpaquePointer!, _ output: Int, _ element: Int) -> camber_status {
  guard let h = handle(rounding) else { return CAMBER_EHANDLE.raw }
  return guarded(h) { () throws(Failure) in try h.rounding.at(output: output, element: element) }
}
@_cdecl("camber_rounding_along") @implementation public func camber_rounding_along(_ rounding: OpaquePointer!, _ weights: UnsafePointer<UnsafePointer<Double>?>!) -> camber_status {
  guard let h = handle(rounding) else { return CAMBER_EHANDLE.raw }
  guard weights != nil || h.rounding.outputTypes.isEmpty else { return h.fail(Failure(.invalid, "rounding: the array of weights is NULL")) }
  return guarded(h) { () throws(Failure) in try h.rounding.along { weights[$0] } }
}
@_cdecl("camber_rounding_figure") @implementation public func camber_rounding_figure(_ rounding: OpaquePointer!, _ name: UnsafePointer<CChar>!) -> Double {
  guard let h = handle(rounding), let name else { return .nan }
  return h.rounding.figure(String(cString: name))
}
@_cdecl("camber_rounding_level") @implementation public func camber_rounding_level(_ rounding: OpaquePointer!) -> Int32 {
  handle(rounding).map { $0.rounding.figures.level.rawValue } ?? CAMBER_UNBOUNDED_ERROR.raw
}
@_cdecl("camber_rounding_contributions") @implementation public func camber_rounding_contributions(_ rounding: OpaquePointer!) -> Int { handle(rounding)?.rounding.contributions.count ?? 0 }
@_cdecl("camber_rounding_contribution") @implementation public func camber_rounding_contribution(
  _ rounding: OpaquePointer!, _ i: Int, _ node: MutableNodes!, _ op: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ error: UnsafeMutablePointer<Double>!,
  _ bound: UnsafeMutablePointer<Double>!, _ share: UnsafeMutablePointer<Double>!, _ condition: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard let h = handle(rounding) else { return CAMBER_EHANDLE.raw }
  guard h.rounding.contributions.indices.contains(i) else { return h.fail(Failure(.invalid, "rounding: contribution \(UInt(bitPattern: i)) of \(h.rounding.contributions.count)")) }
  let c = h.rounding.contributions[i]
  node?.pointee = h.pack(c.node)
  op?.pointee = opName(c.op)
  error?.pointee = c.error
  bound?.pointee = c.bound
  share?.pointee = c.share
  condition?.pointee = c.condition
  return 0
}
@_cdecl("camber_rounding_member") @implementation public func camber_rounding_member(
  _ rounding: OpaquePointer!, _ i: Int, _ k: Int, _ node: MutableNodes!, _ op: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ error: UnsafeMutablePointer<Double>!,
  _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ file: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ line: UnsafeMutablePointer<Int32>!
) -> camber_status {
  guard let h = handle(rounding) else { return CAMBER_EHANDLE.raw }
  let list = h.rounding.contributions
  guard list.indices.contains(i), list[i].members.indices.contains(k) else { return CAMBER_EINVAL.raw }
  let m = list[i].members[k], at = m.label.flatMap { h.places[$0] }
  node?.pointee = h.pack(m.node)
  op?.pointee = opName(m.op)
  error?.pointee = m.error
  text?.pointee = at?.text ?? empty
  file?.pointee = at?.file ?? empty
  line?.pointee = m.label?.line ?? 0
  return 0
}
@_cdecl("camber_rounding_unstables") @implementation public func camber_rounding_unstables(_ rounding: OpaquePointer!) -> Int { handle(rounding)?.rounding.unstable.count ?? 0 }
@_cdecl("camber_rounding_unstable") @implementation public func camber_rounding_unstable(
  _ rounding: OpaquePointer!, _ i: Int, _ node: MutableNodes!, _ op: UnsafeMutablePointer<UnsafePointer<CChar>?>!, _ elements: UnsafeMutablePointer<Int>!,
  _ turns: UnsafeMutablePointer<Int32>!, _ other: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard let h = handle(rounding) else { return CAMBER_EHANDLE.raw }
  guard h.rounding.unstable.indices.contains(i) else { return h.fail(Failure(.invalid, "rounding: unstable comparison \(UInt(bitPattern: i)) of \(h.rounding.unstable.count)")) }
  let u = h.rounding.unstable[i]
  node?.pointee = h.pack(u.node)
  op?.pointee = opName(u.op)
  elements?.pointee = u.elements
  turns?.pointee = u.turns ? 1 : 0
  other?.pointee = u.other
  return 0
}
@_cdecl("camber_rounding_report") @implementation public func camber_rounding_report(_ rounding: OpaquePointer!) -> UnsafePointer<CChar>! {
  guard let h = handle(rounding) else { return empty }
  h.say(h.rounding.report { "node \($0.index)" })
  return h.text
}
@_cdecl("camber_rounding_message") @implementation public func camber_rounding_message(_ rounding: OpaquePointer!) -> UnsafePointer<CChar>! {
  handle(rounding)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}

// MARK: bounds as nodes

@_cdecl("camber_rounding_bound") @implementation public func camber_rounding_bound(_ tape: OpaquePointer!, _ output: camber_node, _ inputs: Nodes!, _ input_count: Int) -> camber_node {
  build(tape) { h, t in h.nodes(inputs, input_count, "rounding_bound").map { t.roundingBound(h.node(output), $0, estimate: false)[0] } ?? .none }
}
@_cdecl("camber_rounding_estimate") @implementation public func camber_rounding_estimate(
  _ tape: OpaquePointer!, _ output: camber_node, _ inputs: Nodes!, _ input_count: Int, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, 3, "rounding_estimate") { h, t in
    h.nodes(inputs, input_count, "rounding_estimate").map { t.roundingBound(h.node(output), $0, estimate: true) }
  }
}
