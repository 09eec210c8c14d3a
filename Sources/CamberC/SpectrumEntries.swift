public import CCamber
import Glibc
import Health
import Tape

@inline(never) private func products(_ h: TapeHandle, _ output: camber_node, _ input: camber_node, _ data: Nodes?, _ n: Int) -> JacobianProducts? {
  guard h.tape.failure == nil, let d = h.nodes(data, n, "spectrum") else { return nil }
  do { return try JacobianProducts(h.tape, h.node(output), h.node(input), d) } catch {
    h.tape.fail(error.code, error.message)
    return nil
  }
}
@inline(never) private func given(_ p: UnsafePointer<UnsafeRawPointer?>?, _ n: Int) -> [UnsafeRawPointer?]? {
  guard n > 0 else { return [] }
  guard let p else { return nil }
  return (0 ..< n).map { p[$0] }
}
@inline(never) private func exponents(_ h: TapeHandle, _ j: JacobianProducts, _ x: UnsafeRawPointer?, _ d: [UnsafeRawPointer?]?, _ steps: Int, _ count: Int, _ back: Bool,
                                      _ out: UnsafeMutablePointer<Double>?) -> camber_status {
  guard let x, let d, let out, count >= 1, count <= j.n, steps >= 1, steps <= 1 << 24, count * j.n <= 1 << 26 else {
    h.tape.fail(.invalid, "lyapunov: \(UInt(bitPattern: count)) exponents over \(UInt(bitPattern: steps)) steps, or an array is NULL")
    return h.status
  }
  do {
    let e = try lyapunov(j, j.load(x), d, steps: steps, count: count, back: back)
    for k in 0 ..< count { out[k] = e[k] }
    return 0
  } catch {
    h.tape.fail(error.code, error.message)
    return h.status
  }
}
@_cdecl("camber_lyapunov_exponents") @implementation public func camber_lyapunov_exponents(
  _ tape: OpaquePointer!, _ output: camber_node, _ input: camber_node, _ data: Nodes!, _ data_count: Int, _ point: UnsafeRawPointer!, _ arrays: UnsafePointer<UnsafeRawPointer?>!,
  _ steps: Int, _ transposed: Int32, _ exponents_: UnsafeMutablePointer<Double>!, _ count: Int
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  guard let j = products(h, output, input, data, data_count) else { return h.status }
  return exponents(h, j, point, given(arrays, data_count), steps, count, transposed != 0, exponents_)
}
@inline(never) private func singular(_ h: TapeHandle, _ j: JacobianProducts, _ x: UnsafeRawPointer?, _ d: [UnsafeRawPointer?]?, _ steps: Int, _ out: UnsafeMutablePointer<Double>?) -> camber_status {
  guard let x, let d, let out, steps >= 1, steps <= 512 else {
    h.tape.fail(.invalid, "singular_values: steps are from 1 to 512, not \(UInt(bitPattern: steps)), or an array is NULL")
    return h.status
  }
  do {
    let s = try singularValues(j, j.load(x), d, steps: steps)
    (out[0], out[1], out[2], out[3]) = (s.largest, s.largestError, s.smallest, s.smallestError)
    return 0
  } catch {
    h.tape.fail(error.code, error.message)
    return h.status
  }
}
@_cdecl("camber_singular_values") @implementation public func camber_singular_values(
  _ tape: OpaquePointer!, _ output: camber_node, _ input: camber_node, _ data: Nodes!, _ data_count: Int, _ point: UnsafeRawPointer!, _ arrays: UnsafePointer<UnsafeRawPointer?>!,
  _ steps: Int, _ values: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  guard let j = products(h, output, input, data, data_count) else { return h.status }
  return singular(h, j, point, given(arrays, data_count), steps, values)
}
@_cdecl("camber_mean_field") @implementation public func camber_mean_field(
  _ activation: UnsafePointer<CChar>!, _ weight: Double, _ bias: Double, _ q: UnsafeMutablePointer<Double>!, _ chi: UnsafeMutablePointer<Double>!, _ depth: UnsafeMutablePointer<Double>!
) -> camber_status {
  guard let activation, let f = meanField(named: String(cString: activation), weight: weight, bias: bias) else { return CAMBER_EINVAL.raw }
  q?.pointee = f.q
  chi?.pointee = f.chi
  depth?.pointee = f.depth
  return 0
}
