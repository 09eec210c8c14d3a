public import CCamber
import Health
import Runtime
import Tape
import Glibc

final class CurvatureHandle: Handled {
  let c: Curvature
  init(_ c: Curvature) { self.c = c }
  func node(_ n: camber_node) -> NodeID { n < 0 ? .none : c.tape.resolve(serial: Int32(truncatingIfNeeded: n >> 32), index: Int32(truncatingIfNeeded: n)) }
  func nodes(_ p: Nodes?, _ n: Int) throws(Failure) -> [NodeID] {
    guard n >= 0, n <= 1 << 20, p != nil || n == 0 else { throw Failure(.invalid, "curvature: an array of \(UInt(bitPattern: n)) nodes\(p == nil ? " is NULL" : "")") }
    guard let p else { return [] }
    return (0 ..< n).map { node(p[$0]) }
  }
}

private func asked(_ curvature: OpaquePointer?, _ body: (Curvature) throws(Failure) -> Void) -> camber_status {
  guard let h = curvatureHandle(curvature) else { return CAMBER_EHANDLE.raw }
  do { try body(h.c) } catch { return h.fail(error) }
  return 0
}
/// Adds; the tape's failure on the way becomes this handle's.
private func added(_ curvature: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ body: (CurvatureHandle, String) throws(Failure) -> Void) -> camber_status {
  guard let h = curvatureHandle(curvature) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "curvature: the approximation's name is NULL")) }
  let t = h.c.tape, before = t.failure
  if let before { return h.fail(before) }
  defer { t.failure = before }
  do { try body(h, String(cString: name)) } catch { return h.fail(error) }
  return 0
}
private func text(_ s: UnsafePointer<CChar>?, _ what: StaticString) throws(Failure) -> String {
  guard let s else { throw Failure(.invalid, "curvature: \(what) is NULL") }
  return String(cString: s)
}
private func array<T>(_ p: T?, _ n: Int, _ what: StaticString) throws(Failure) -> T {
  guard let p else { throw Failure(.invalid, "curvature: the array of \(n) \(what) is NULL") }
  return p
}
/// NaN where it cannot be computed.
private func figure(_ v: UnsafeMutablePointer<Double>?, _ l: UnsafeMutablePointer<Double>?, _ h: UnsafeMutablePointer<Double>?, _ body: () throws(Failure) -> Figure) throws(Failure) {
  write(.unknown, v, l, h)
  write(try body(), v, l, h)
}
private func write(_ f: Figure, _ v: UnsafeMutablePointer<Double>?, _ l: UnsafeMutablePointer<Double>?, _ h: UnsafeMutablePointer<Double>?) {
  v?.pointee = f.value
  l?.pointee = f.low
  h?.pointee = f.high
}

@_cdecl("camber_curvature_new") @implementation public func camber_curvature_new(
  _ tape: OpaquePointer!, _ output: camber_node, _ variables: Nodes!, _ variable_count: Int, _ data: Nodes!, _ data_count: Int
) -> OpaquePointer! {
  made(tape, output, variables, variable_count, data, data_count)
}
@inline(never) private func made(_ tape: OpaquePointer?, _ output: camber_node, _ variables: Nodes?, _ variableCount: Int, _ data: Nodes?, _ dataCount: Int) -> OpaquePointer? {
  guard let h = tapeHandle(tape) else { return nil }
  defer { h.settle() }
  guard h.tape.failure == nil, let x = h.nodes(variables, variableCount, "curvature"), let d = h.nodes(data, dataCount, "curvature") else { return nil }
  do { return makeHandle(.curvature, CurvatureHandle(try Curvature(h.tape, h.node(output), x, d))) } catch {
    h.tape.fail(error.code, error.message)
    return nil
  }
}
@_cdecl("camber_curvature_free") @implementation public func camber_curvature_free(_ curvature: OpaquePointer!) { freeHandle(.curvature, curvature) }
@_cdecl("camber_curvature_message") @implementation public func camber_curvature_message(_ curvature: OpaquePointer!) -> UnsafePointer<CChar>! {
  curvatureHandle(curvature)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_curvature_set") @implementation public func camber_curvature_set(_ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  asked(curvature) { (c) throws(Failure) in if let f = c.set(try text(name, "the option's name"), value) { throw f } }
}
@_cdecl("camber_curvature_dimension") @implementation public func camber_curvature_dimension(_ curvature: OpaquePointer!) -> Int { curvatureHandle(curvature)?.c.n ?? 0 }
@_cdecl("camber_curvature_products") @implementation public func camber_curvature_products(_ curvature: OpaquePointer!) -> Int { curvatureHandle(curvature)?.c.products ?? 0 }

@_cdecl("camber_curvature_at") @implementation public func camber_curvature_at(
  _ curvature: OpaquePointer!, _ variables: UnsafePointer<UnsafeRawPointer?>!, _ data: UnsafePointer<UnsafeRawPointer?>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in try place(c, variables, data) }
}
@inline(never) private func place(_ c: Curvature, _ variables: UnsafePointer<UnsafeRawPointer?>?, _ data: UnsafePointer<UnsafeRawPointer?>?) throws(Failure) {
  let x = try array(variables, c.variables.count, "variables"), d = c.data.isEmpty ? nil : try array(data, c.data.count, "data")
  var all = c.variables.indices.map { x[$0] }
  if let d { all += c.data.indices.map { d[$0] } }
  try c.at(all)
}
@_cdecl("camber_curvature_gradient") @implementation public func camber_curvature_gradient(_ curvature: OpaquePointer!, _ gradient: UnsafeMutablePointer<Double>!) -> camber_status {
  asked(curvature) { (c) throws(Failure) in try c.copyGradient(try array(gradient, c.n, "gradient entries")) }
}
@_cdecl("camber_curvature_product") @implementation public func camber_curvature_product(
  _ curvature: OpaquePointer!, _ v: UnsafePointer<Double>!, _ product: UnsafeMutablePointer<Double>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in try c.product(UnsafeMutablePointer(mutating: try array(v, c.n, "vector entries")), try array(product, c.n, "product entries")) }
}
@_cdecl("camber_curvature_figure") @implementation public func camber_curvature_figure(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: UnsafeMutablePointer<Double>!, _ low: UnsafeMutablePointer<Double>!, _ high: UnsafeMutablePointer<Double>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in try figure(value, low, high) { () throws(Failure) in try c.figure(try text(name, "the figure's name")) } }
}
private let figureTexts = Curvature.figureNames.map { staticText($0) }
/// Kept for good: names of a fixed list.
func staticText(_ s: String) -> UnsafePointer<CChar> { strdup(s).map { UnsafePointer($0) } ?? empty }
@_cdecl("camber_curvature_figure_name") @implementation public func camber_curvature_figure_name(_ i: Int) -> UnsafePointer<CChar>! {
  figureTexts.indices.contains(i) ? figureTexts[i] : nil
}
@_cdecl("camber_curvature_diagonal") @implementation public func camber_curvature_diagonal(
  _ curvature: OpaquePointer!, _ values: UnsafeMutablePointer<Double>!, _ half: UnsafeMutablePointer<Double>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in try c.diagonal(try array(values, c.n, "values"), try array(half, c.n, "half widths")) }
}
@_cdecl("camber_curvature_posterior") @implementation public func camber_curvature_posterior(
  _ curvature: OpaquePointer!, _ variances: UnsafeMutablePointer<Double>!, _ half: UnsafeMutablePointer<Double>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in try c.posterior(try array(variances, c.n, "variances"), try array(half, c.n, "half widths")) }
}
@_cdecl("camber_curvature_eigenvalues") @implementation public func camber_curvature_eigenvalues(
  _ curvature: OpaquePointer!, _ values: UnsafeMutablePointer<Double>!, _ residuals: UnsafeMutablePointer<Double>!, _ capacity: Int, _ count: UnsafeMutablePointer<Int>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in
    let e = try c.eigenvalues()
    count?.pointee = e.values.count
    fill(e.values, values, capacity)
    fill(e.residuals, residuals, capacity)
  }
}
func fill(_ from: [Double], _ to: UnsafeMutablePointer<Double>?, _ capacity: Int) {
  guard let to, capacity > 0 else { return }
  for i in 0 ..< min(from.count, capacity) { to[i] = from[i] }
}
@_cdecl("camber_curvature_density") @implementation public func camber_curvature_density(
  _ curvature: OpaquePointer!, _ count: Int, _ places: UnsafeMutablePointer<Double>!, _ density: UnsafeMutablePointer<Double>!, _ low: UnsafeMutablePointer<Double>!, _ high: UnsafeMutablePointer<Double>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in
    try c.density(count, try array(places, count, "places"), try array(density, count, "densities"), try array(low, count, "lower ends"), try array(high, count, "upper ends"))
  }
}

@_cdecl("camber_curvature_add_diagonal") @implementation public func camber_curvature_add_diagonal(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ values: UnsafePointer<Double>!
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in try h.c.addDiagonal(name, values) }
}
@_cdecl("camber_curvature_add_matrix") @implementation public func camber_curvature_add_matrix(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ rows: UnsafePointer<Double>!
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in try h.c.addMatrix(name, try array(rows, h.c.n, "rows")) }
}
@_cdecl("camber_curvature_add_product") @implementation public func camber_curvature_add_product(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ product: camber_product_callback!, _ payload: UnsafeMutableRawPointer!
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in try addProduct(h, name, product, payload) }
}
@inline(never) private func addProduct(_ h: CurvatureHandle, _ name: String, _ product: camber_product_callback?, _ payload: UnsafeMutableRawPointer?) throws(Failure) {
  guard let product else { throw Failure(.invalid, "curvature: the callback of \"\(name)\" is NULL") }
  let n = h.c.n
  try h.c.addProduct(name) { v, w in
    let s = product(payload, n, v, w)
    return s == 0 ? nil : Failure(.callback, "\(name): the product by the host gave status \(s)")
  }
}
@_cdecl("camber_curvature_add_pairs") @implementation public func camber_curvature_add_pairs(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ kind: UnsafePointer<CChar>!, _ steps: UnsafePointer<Double>!, _ changes: UnsafePointer<Double>!, _ count: Int, _ memory: Int, _ noise: Double
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in
    guard count > 0, count <= 1 << 24 else { throw Failure(.invalid, "curvature: \(UInt(bitPattern: count)) pairs; 1 to 16777216 are taken") }
    try h.c.addPairs(name, try text(kind, "the kind of secant"), try array(steps, count, "steps"), try array(changes, count, "changes of the gradient"), count, memory: memory, noise: noise)
  }
}
@_cdecl("camber_curvature_pair") @implementation public func camber_curvature_pair(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ i: Int, _ residual: UnsafeMutablePointer<Double>!, _ secant: UnsafeMutablePointer<Double>!, _ noise: UnsafeMutablePointer<Double>!,
  _ damping: UnsafeMutablePointer<Double>!, _ state: UnsafeMutablePointer<Int32>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in
    let name = try text(name, "the approximation's name")
    guard let p = try c.pair(name, i) else { throw Failure(.invalid, "curvature: \"\(name)\" has no pair \(UInt(bitPattern: i))") }
    residual?.pointee = p.residual
    secant?.pointee = p.secant
    noise?.pointee = p.noise
    damping?.pointee = p.damping
    state?.pointee = Int32(p.state)
  }
}
@_cdecl("camber_curvature_add_differences") @implementation public func camber_curvature_add_differences(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ kind: UnsafePointer<CChar>!
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in try h.c.addDifferences(name, try text(kind, "the kind of differences")) }
}
@_cdecl("camber_curvature_add_gauss_newton") @implementation public func camber_curvature_add_gauss_newton(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ outputs: Nodes!, _ output_count: Int
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in try h.c.addGaussNewton(name, try h.nodes(outputs, output_count)) }
}
@_cdecl("camber_curvature_add_fisher") @implementation public func camber_curvature_add_fisher(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ outputs: Nodes!, _ output_count: Int, _ family: UnsafePointer<CChar>!, _ scale: Double
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in try h.c.addFisher(name, try h.nodes(outputs, output_count), try text(family, "the family"), scale: scale) }
}
@_cdecl("camber_curvature_add_kfac") @implementation public func camber_curvature_add_kfac(
  _ curvature: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ layer_count: Int, _ weights: UnsafePointer<Int64>!, _ biases: UnsafePointer<Int64>!, _ inputs: Nodes!, _ preactivations: Nodes!,
  _ output: camber_node, _ family: UnsafePointer<CChar>!, _ scale: Double
) -> camber_status {
  added(curvature, name) { (h, name) throws(Failure) in try addKFAC(h, name, layer_count, weights, biases, inputs, preactivations, output, family, scale) }
}
@inline(never) private func addKFAC(_ h: CurvatureHandle, _ name: String, _ count: Int, _ weights: UnsafePointer<Int64>?, _ biases: UnsafePointer<Int64>?, _ inputs: Nodes?, _ outputs: Nodes?,
                                    _ output: camber_node, _ family: UnsafePointer<CChar>?, _ scale: Double) throws(Failure) {
  guard count > 0, count <= 1 << 20 else { throw Failure(.invalid, "kfac: \(UInt(bitPattern: count)) layers") }
  let w = try array(weights, count, "weights"), b = biases
  try h.c.addKFAC(name, weights: (0 ..< count).map { Int(w[$0]) }, biases: (0 ..< count).map { i in b.map { Int($0[i]) } ?? -1 }, inputs: try h.nodes(inputs, count), outputs: try h.nodes(outputs, count),
                  h.node(output), try text(family, "the family"), scale: scale)
}
@_cdecl("camber_curvature_approximation_count") @implementation public func camber_curvature_approximation_count(_ curvature: OpaquePointer!) -> Int {
  curvatureHandle(curvature)?.c.approximationNames.count ?? 0
}
@_cdecl("camber_curvature_approximation") @implementation public func camber_curvature_approximation(_ curvature: OpaquePointer!, _ i: Int) -> UnsafePointer<CChar>! {
  guard let h = curvatureHandle(curvature), h.c.approximationNames.indices.contains(i) else { return nil }
  h.say(h.c.approximationNames[i])
  return h.text
}
@_cdecl("camber_curvature_error") @implementation public func camber_curvature_error(
  _ curvature: OpaquePointer!, _ approximation: UnsafePointer<CChar>!, _ error: UnsafePointer<CChar>!, _ value: UnsafeMutablePointer<Double>!, _ low: UnsafeMutablePointer<Double>!, _ high: UnsafeMutablePointer<Double>!
) -> camber_status {
  asked(curvature) { (c) throws(Failure) in try figure(value, low, high) { () throws(Failure) in try c.error(try text(approximation, "the approximation's name"), try text(error, "the error's name")) } }
}
@_cdecl("camber_curvature_error_name") @implementation public func camber_curvature_error_name(_ curvature: OpaquePointer!, _ approximation: UnsafePointer<CChar>!, _ i: Int) -> UnsafePointer<CChar>! {
  guard let h = curvatureHandle(curvature), let approximation, let names = try? h.c.errorNames(of: String(cString: approximation)), names.indices.contains(i) else { return nil }
  h.say(names[i])
  return h.text
}
