public import CCamber
import Tape

/// a * b for counts of results; -1 where that is absurd, which `transform` reports.
private func times(_ a: Int, _ b: Int) -> Int {
  guard a >= 0, b >= 0, a <= 1 << 28, b <= 1 << 28 else { return -1 }
  return a * b
}

/// A coefficient is a node or CAMBER_NONE.
@inline(never) private func refuseForeign(_ c: [NodeID], _ given: Nodes?, _ t: Tape) {
  guard let given else { return }
  for i in 0 ..< c.count where c[i].isNone && given[i] >= 0 { t.fail(.node, "taylor: coefficient \(i) is not a node of this tape") }
}

@_cdecl("camber_taylor") @implementation public func camber_taylor(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ coefficients: Nodes!, _ input_count: Int, _ order: Int, _ results: MutableNodes!
) -> camber_status {
  let given = times(input_count, order)
  return transform(tape, results, times(output_count, order), "taylor") { h, t in
    guard let y = h.nodes(outputs, output_count, "taylor"), let x = h.nodes(inputs, input_count, "taylor"), let c = h.nodes(coefficients, given, "taylor") else { return nil }
    refuseForeign(c, coefficients, t)
    return t.taylor(y, x, c, order: order)
  }
}

@_cdecl("camber_directional") @implementation public func camber_directional(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ directions: Nodes!, _ direction_count: Int,
  _ orders: UnsafePointer<Int32>!, _ derivative_count: Int, _ results: MutableNodes!
) -> camber_status {
  let count = times(direction_count, derivative_count), given = times(input_count, direction_count)
  let o = readOrders(orders, count)
  return transform(tape, results, times(output_count, derivative_count), "directional") { h, t in
    guard let o else {
      t.fail(.invalid, "directional: orders of \(UInt(bitPattern: derivative_count)) derivatives in \(UInt(bitPattern: direction_count)) directions")
      return nil
    }
    guard let y = h.nodes(outputs, output_count, "directional"), let x = h.nodes(inputs, input_count, "directional"), let d = h.nodes(directions, given, "directional") else { return nil }
    return t.mixed(y, x, d, o, directionCount: direction_count)
  }
}

@inline(never) private func readOrders(_ p: UnsafePointer<Int32>?, _ count: Int) -> [Int]? {
  guard count > 0, count <= 1 << 20, let p else { return nil }
  return (0 ..< count).map { Int(p[$0]) }
}
