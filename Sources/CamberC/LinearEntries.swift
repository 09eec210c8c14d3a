public import CCamber
import Tape

@_cdecl("camber_inv") @implementation public func camber_inv(_ tape: OpaquePointer!, _ a: camber_node) -> camber_node {
  build(tape) { h, t in t.inverse(h.node(a)) }
}
@_cdecl("camber_det") @implementation public func camber_det(_ tape: OpaquePointer!, _ a: camber_node) -> camber_node {
  build(tape) { h, t in t.determinant(h.node(a)) }
}
@_cdecl("camber_slogdet") @implementation public func camber_slogdet(_ tape: OpaquePointer!, _ a: camber_node, _ out: UnsafeMutablePointer<camber_node>!) -> camber_status {
  transform(tape, out, 2, "slogdet") { h, t in t.slogdet(h.node(a)) }
}
@_cdecl("camber_lu") @implementation public func camber_lu(_ tape: OpaquePointer!, _ a: camber_node, _ out: UnsafeMutablePointer<camber_node>!) -> camber_status {
  transform(tape, out, 3, "lu") { h, t in t.lu(h.node(a)) }
}
@_cdecl("camber_qr") @implementation public func camber_qr(_ tape: OpaquePointer!, _ a: camber_node, _ full: Int32, _ out: UnsafeMutablePointer<camber_node>!) -> camber_status {
  transform(tape, out, 2, "qr") { h, t in t.qr(h.node(a), full: full != 0) }
}
@_cdecl("camber_eigh") @implementation public func camber_eigh(_ tape: OpaquePointer!, _ a: camber_node, _ lower: Int32, _ out: UnsafeMutablePointer<camber_node>!) -> camber_status {
  transform(tape, out, 2, "eigh") { h, t in t.eigh(h.node(a), lower: lower != 0) }
}
@_cdecl("camber_eigvalsh") @implementation public func camber_eigvalsh(_ tape: OpaquePointer!, _ a: camber_node, _ lower: Int32) -> camber_node {
  build(tape) { h, t in t.apply(.eigvalsh, [h.node(a)], [lower != 0 ? 1 : 0]) }
}
@_cdecl("camber_eigh_generalized") @implementation public func camber_eigh_generalized(
  _ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node, _ out: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  transform(tape, out, 2, "eigh") { h, t in t.eigh(h.node(a), h.node(b)) }
}
@_cdecl("camber_svd") @implementation public func camber_svd(_ tape: OpaquePointer!, _ a: camber_node, _ full: Int32, _ out: UnsafeMutablePointer<camber_node>!) -> camber_status {
  transform(tape, out, 3, "svd") { h, t in t.svd(h.node(a), full: full != 0) }
}
@_cdecl("camber_svdvals") @implementation public func camber_svdvals(_ tape: OpaquePointer!, _ a: camber_node) -> camber_node {
  build(tape) { h, t in t.apply(.svdvals, [h.node(a)]) }
}
@_cdecl("camber_lstsq") @implementation public func camber_lstsq(_ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node) -> camber_node {
  build(tape) { h, t in t.lstsq(h.node(a), h.node(b)) }
}
@_cdecl("camber_pinv") @implementation public func camber_pinv(_ tape: OpaquePointer!, _ a: camber_node, _ cut: Double) -> camber_node {
  build(tape) { h, t in t.pinv(h.node(a), cut: cut) }
}
@_cdecl("camber_cholesky_solve") @implementation public func camber_cholesky_solve(_ tape: OpaquePointer!, _ l: camber_node, _ b: camber_node) -> camber_node {
  build(tape) { h, t in t.choleskySolve(h.node(l), h.node(b)) }
}
@_cdecl("camber_expm") @implementation public func camber_expm(_ tape: OpaquePointer!, _ a: camber_node) -> camber_node {
  build(tape) { h, t in t.apply(.expm, [h.node(a)]) }
}
@_cdecl("camber_sqrtm") @implementation public func camber_sqrtm(_ tape: OpaquePointer!, _ a: camber_node) -> camber_node {
  build(tape) { h, t in t.apply(.sqrtm, [h.node(a)]) }
}
@_cdecl("camber_matrix_power") @implementation public func camber_matrix_power(_ tape: OpaquePointer!, _ a: camber_node, _ n: Int64) -> camber_node {
  build(tape) { h, t in t.matrixPower(h.node(a), Int(n)) }
}
@_cdecl("camber_kron") @implementation public func camber_kron(_ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node) -> camber_node {
  build(tape) { h, t in t.kron(h.node(a), h.node(b)) }
}
@_cdecl("camber_sylvester") @implementation public func camber_sylvester(_ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node, _ c: camber_node) -> camber_node {
  build(tape) { h, t in t.sylvester(h.node(a), h.node(b), h.node(c)) }
}
@_cdecl("camber_lyapunov") @implementation public func camber_lyapunov(_ tape: OpaquePointer!, _ a: camber_node, _ q: camber_node, _ discrete: Int32) -> camber_node {
  build(tape) { h, t in t.lyapunov(h.node(a), h.node(q), discrete: discrete != 0) }
}
@_cdecl("camber_solve_banded") @implementation public func camber_solve_banded(
  _ tape: OpaquePointer!, _ ab: camber_node, _ b: camber_node, _ below: Int64, _ above: Int64
) -> camber_node {
  build(tape) { h, t in t.solveBanded(h.node(ab), h.node(b), below: Int(below), above: Int(above)) }
}
@_cdecl("camber_solve_tridiagonal") @implementation public func camber_solve_tridiagonal(
  _ tape: OpaquePointer!, _ dl: camber_node, _ d: camber_node, _ du: camber_node, _ b: camber_node
) -> camber_node {
  build(tape) { h, t in t.solveTridiagonal(h.node(dl), h.node(d), h.node(du), h.node(b)) }
}

private func kind(_ t: Tape, _ ord: UnsafePointer<CChar>?, _ name: StaticString) -> Tape.MatrixNorm? {
  let known = Tape.MatrixNorm.allCases.map(\.rawValue).joined(separator: ", ")
  guard let ord else { t.fail(.invalid, "\(name): ord is NULL; one of \(known) is taken"); return nil }
  guard let k = Tape.MatrixNorm(rawValue: String(cString: ord)) else { t.fail(.invalid, "\(name): ord \"\(String(cString: ord))\"; one of \(known) is taken"); return nil }
  return k
}
@_cdecl("camber_matrix_norm") @implementation public func camber_matrix_norm(_ tape: OpaquePointer!, _ a: camber_node, _ ord: UnsafePointer<CChar>!) -> camber_node {
  build(tape) { h, t in kind(t, ord, "matrix_norm").map { t.matrixNorm(h.node(a), $0) } ?? .none }
}
@_cdecl("camber_matrix_cond") @implementation public func camber_matrix_cond(_ tape: OpaquePointer!, _ a: camber_node, _ ord: UnsafePointer<CChar>!) -> camber_node {
  build(tape) { h, t in kind(t, ord, "matrix_cond").map { t.cond(h.node(a), $0) } ?? .none }
}
@_cdecl("camber_matrix_rank") @implementation public func camber_matrix_rank(_ tape: OpaquePointer!, _ a: camber_node, _ tolerance: Double) -> camber_node {
  build(tape) { h, t in t.matrixRank(h.node(a), tolerance: tolerance) }
}
