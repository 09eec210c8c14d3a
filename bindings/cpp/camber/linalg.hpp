/* Linear algebra: factorisations, equations and functions of matrices [.., m, n]. camber.h says what each does, and what its derivatives are.
 *   auto [q, r] = qr(a);
 */
#ifndef CAMBER_LINALG_HPP
#define CAMBER_LINALG_HPP

#include "transforms.hpp"

namespace camber {

struct QR { Node q, r; };
struct LU { Node l, u, p; };
struct Eigh { Node w, v; };
struct SVD { Node u, s, vt; };
struct LogDet { Node sign, logabs; };

#define CAMBER_X(name) \
  inline Node name(const Node &a) { return detail::made(a.tape_ref(), camber_##name(detail::need(a), a.id())); }
CAMBER_X(inv)
CAMBER_X(det)
CAMBER_X(svdvals)
CAMBER_X(expm)
CAMBER_X(sqrtm)
#undef CAMBER_X

#define CAMBER_X(name)                                                             \
  inline Node name(const Node &a, const Node &b) {                                 \
    detail::TapeRef *tape = detail::inner(a, b);                                   \
    if (!tape) detail::fail(tape);                                                 \
    return detail::made(tape, camber_##name(tape->handle.get(), a.id(), b.id()));  \
  }
CAMBER_X(lstsq)
CAMBER_X(kron)
CAMBER_X(cholesky_solve)
#undef CAMBER_X

inline LogDet slogdet(const Node &a) {
  Nodes n = detail::collect(a.tape_ref(), 2, [&](camber_tape *t, camber_node *out) { return camber_slogdet(t, a.id(), out); });
  return {n[0], n[1]};
}
inline LU lu(const Node &a) {
  Nodes n = detail::collect(a.tape_ref(), 3, [&](camber_tape *t, camber_node *out) { return camber_lu(t, a.id(), out); });
  return {n[0], n[1], n[2]};
}
inline QR qr(const Node &a, bool full = false) {
  Nodes n = detail::collect(a.tape_ref(), 2, [&](camber_tape *t, camber_node *out) { return camber_qr(t, a.id(), full, out); });
  return {n[0], n[1]};
}
inline Eigh eigh(const Node &a, bool lower = true) {
  Nodes n = detail::collect(a.tape_ref(), 2, [&](camber_tape *t, camber_node *out) { return camber_eigh(t, a.id(), lower, out); });
  return {n[0], n[1]};
}
/* a v = w b v. */
inline Eigh eigh(const Node &a, const Node &b) {
  Nodes n = detail::collect(detail::inner(a, b), 2, [&](camber_tape *t, camber_node *out) { return camber_eigh_generalized(t, a.id(), b.id(), out); });
  return {n[0], n[1]};
}
inline Node eigvalsh(const Node &a, bool lower = true) { return detail::made(a.tape_ref(), camber_eigvalsh(detail::need(a), a.id(), lower)); }
inline SVD svd(const Node &a, bool full = false) {
  Nodes n = detail::collect(a.tape_ref(), 3, [&](camber_tape *t, camber_node *out) { return camber_svd(t, a.id(), full, out); });
  return {n[0], n[1], n[2]};
}
inline Node pinv(const Node &a, double cut = -1) { return detail::made(a.tape_ref(), camber_pinv(detail::need(a), a.id(), cut)); }
inline Node matrix_power(const Node &a, std::int64_t n) { return detail::made(a.tape_ref(), camber_matrix_power(detail::need(a), a.id(), n)); }
inline Node matrix_norm(const Node &a, const char *ord = "fro") { return detail::made(a.tape_ref(), camber_matrix_norm(detail::need(a), a.id(), ord)); }
inline Node matrix_cond(const Node &a, const char *ord = "2") { return detail::made(a.tape_ref(), camber_matrix_cond(detail::need(a), a.id(), ord)); }
inline Node matrix_rank(const Node &a, double tolerance = -1) { return detail::made(a.tape_ref(), camber_matrix_rank(detail::need(a), a.id(), tolerance)); }
inline Node sylvester(const Node &a, const Node &b, const Node &c) {
  detail::TapeRef *tape = detail::inner({a, b, c});
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_sylvester(tape->handle.get(), a.id(), b.id(), c.id()));
}
inline Node lyapunov(const Node &a, const Node &q, bool discrete = false) {
  detail::TapeRef *tape = detail::inner(a, q);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_lyapunov(tape->handle.get(), a.id(), q.id(), discrete));
}
inline Node solve_banded(const Node &ab, const Node &b, std::int64_t below, std::int64_t above) {
  detail::TapeRef *tape = detail::inner(ab, b);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_solve_banded(tape->handle.get(), ab.id(), b.id(), below, above));
}
inline Node solve_tridiagonal(const Node &dl, const Node &d, const Node &du, const Node &b) {
  detail::TapeRef *tape = detail::inner({dl, d, du, b});
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_solve_tridiagonal(tape->handle.get(), dl.id(), d.id(), du.id(), b.id()));
}

}  // namespace camber
#endif
