/* camber::var as the scalar of Eigen's matrices: include it beside <Eigen/Core>. Not part of camber.hpp.
 *
 * Every entry is a node of its own; programs of such nodes are re-rolled into arrays where they repeat. Algorithms that branch on values
 * (pivoting, eigenvalues) take those of one point, see Tape::at: this header defines CAMBER_GUARDS. For matrices as wholes there are matmul,
 * solve, cholesky.
 */
#ifndef CAMBER_EIGEN_HPP
#define CAMBER_EIGEN_HPP

#include <Eigen/Core>

#if defined CAMBER_HPP && !defined CAMBER_GUARDS
#error "include camber/eigen.hpp before camber.hpp, or define CAMBER_GUARDS: Eigen branches on numbers"
#endif
#ifndef CAMBER_GUARDS
#define CAMBER_GUARDS
#endif
#include "../camber.hpp"

namespace Eigen {

template <>
struct NumTraits<camber::Node> : GenericNumTraits<double> {
  using Real = camber::Node;
  using NonInteger = camber::Node;
  using Nested = camber::Node;
  using Literal = camber::Node;
  enum { IsComplex = 0, IsInteger = 0, IsSigned = 1, RequireInitialization = 1, ReadCost = 1, AddCost = 3, MulCost = 3 };
  static Real epsilon() { return std::numeric_limits<double>::epsilon(); }
  static Real dummy_precision() { return 1e-12; }
  static Real highest() { return std::numeric_limits<double>::max(); }
  static Real lowest() { return std::numeric_limits<double>::lowest(); }
  static Real infinity() { return std::numeric_limits<double>::infinity(); }
  static Real quiet_NaN() { return std::numeric_limits<double>::quiet_NaN(); }
};
template <class Op>
struct ScalarBinaryOpTraits<camber::Node, double, Op> {
  using ReturnType = camber::Node;
};
template <class Op>
struct ScalarBinaryOpTraits<double, camber::Node, Op> {
  using ReturnType = camber::Node;
};

}  // namespace Eigen

namespace camber {

inline const Node &conj(const Node &x) { return x; }
inline const Node &real(const Node &x) { return x; }
inline Node imag(const Node &) { return 0; }
inline Node abs2(const Node &x) { return square(x); }

/* The entries of a node of rank 1 or 2 as a matrix, and a matrix as a node of rank 2. */
inline Eigen::Matrix<Node, Eigen::Dynamic, Eigen::Dynamic> to_eigen(const Node &x) {
  const Shape s = x.shape();
  if (s.empty() || s.size() > 2) throw error(CAMBER_ESHAPE, "to_eigen: takes rank 1 or 2");
  const std::int64_t columns = s.size() == 2 ? s[1] : 1;
  const Node flat = reshape(x, {s[0] * columns});
  Eigen::Matrix<Node, Eigen::Dynamic, Eigen::Dynamic> m(s[0], columns);
  for (std::int64_t i = 0; i < s[0]; i++)
    for (std::int64_t j = 0; j < columns; j++) m(i, j) = flat[i * columns + j];
  return m;
}
template <class Derived>
Node from_eigen(const Eigen::MatrixBase<Derived> &matrix) {
  const Eigen::Matrix<Node, Eigen::Dynamic, Eigen::Dynamic> m = matrix;
  Nodes entries;
  for (Eigen::Index i = 0; i < m.rows(); i++)
    for (Eigen::Index j = 0; j < m.cols(); j++) entries.push_back(m(i, j));
  detail::TapeRef *tape = detail::inner(entries);
  if (!tape) detail::fail(tape);
  for (Node &n : entries) n = detail::Operand(n).on(tape, f64);
  return reshape(stack(entries), {static_cast<std::int64_t>(m.rows()), static_cast<std::int64_t>(m.cols())});
}

}  // namespace camber
#endif
