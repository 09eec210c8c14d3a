/* What text written for double asks of its type: the rest of <cmath>, std::max and std::min of two values, std::numeric_limits, and branches
 * that are taken while recording. Functions are found by argument-dependent lookup: `using std::sin; sin(x)`, or `sin(x)` alone. */
#ifndef CAMBER_GENERIC_HPP
#define CAMBER_GENERIC_HPP

#include <ostream>

#include "shapes.hpp"

namespace camber {

inline Node fabs(const Node &x) { return abs(x); }
/* To even at ties, as these are by default; `round` too, which <cmath> takes away from zero. */
inline Node rint(const Node &x) { return round(x); }
inline Node nearbyint(const Node &x) { return round(x); }
inline Node isinf(const Node &x) { return logical_not(isfinite(x)) & logical_not(isnan(x)); }
inline Node signbit(const Node &x) { return (x < 0) | (1 / x < 0); }

/* Elementwise, where an operand is a node; max(x, 1) with an integer is the reduction along that axis. */
inline Node max(const Node &x, const Node &y) { return maximum(x, y); }
inline Node max(const Node &x, double y) { return maximum(x, y); }
inline Node max(double x, const Node &y) { return maximum(x, y); }
inline Node max(const Node &x, int axis, bool keep = false) { return max(x, Axes(axis), keep); }
inline Node max(const Node &x, std::int64_t axis, bool keep = false) { return max(x, Axes(axis), keep); }
inline Node max(const Node &x, std::initializer_list<std::int64_t> axes, bool keep = false) { return max(x, Axes(axes), keep); }
inline Node min(const Node &x, const Node &y) { return minimum(x, y); }
inline Node min(const Node &x, double y) { return minimum(x, y); }
inline Node min(double x, const Node &y) { return minimum(x, y); }
inline Node min(const Node &x, int axis, bool keep = false) { return min(x, Axes(axis), keep); }
inline Node min(const Node &x, std::int64_t axis, bool keep = false) { return min(x, Axes(axis), keep); }
inline Node min(const Node &x, std::initializer_list<std::int64_t> axes, bool keep = false) { return min(x, Axes(axes), keep); }

template <class A, class B, detail::if_operands<A, B> = 0>
Node copysign(const A &x, const B &y) {
  const Node m = abs(Node(x));
  return select(signbit(Node(y)), -m, m);
}
template <class A, class B, detail::if_operands<A, B> = 0>
Node fdim(const A &x, const B &y) {
  return maximum(Node(x) - Node(y), 0);
}
template <class A, class B, class C, detail::if_operands<A, B, C> = 0>
Node hypot(const A &x, const B &y, const C &z) {
  return hypot(hypot(Node(x), Node(y)), Node(z));
}

#ifndef CAMBER_GUARDS
/* Both sides are computed. */
template <class A, class B, std::enable_if_t<detail::is_node<A> && detail::is_node<B>, int> = 0>
Node operator&&(const A &x, const B &y) {
  return logical_and(x, y);
}
template <class A, class B, std::enable_if_t<detail::is_node<A> && detail::is_node<B>, int> = 0>
Node operator||(const A &x, const B &y) {
  return logical_or(x, y);
}
#endif

inline Node &operator++(Node &x) { return x = x + 1; }
inline Node &operator--(Node &x) { return x = x - 1; }
inline Node operator++(Node &x, int) {
  const Node before = x;
  x = x + 1;
  return before;
}
inline Node operator--(Node &x, int) {
  const Node before = x;
  x = x - 1;
  return before;
}

/* A number as it is; of a node its operator and shape. */
template <class Traits>
std::basic_ostream<char, Traits> &operator<<(std::basic_ostream<char, Traits> &out, const Node &x) {
  if (x.is_number()) return out << x.number();
  const Shape s = x.tape_ref() ? x.shape() : Shape();
  out << x.op() << "[";
  for (std::size_t i = 0; i < s.size(); i++) out << (i ? ", " : "") << s[i];
  return out << "]";
}

#ifdef CAMBER_GUARDS
inline bool Node::branch() const {
  if (is_number()) return number() != 0;
  if (!tape_) detail::fail(tape_);
  if (tape_->given.empty())
    throw error(CAMBER_EINVAL, std::string("a branch (if, while, ?:) on the traced value \"") + op() +
                                   "\", which has no value until its program runs; use select(condition, a, b), maximum or minimum, cond, scan or while_loop, "
                                   "or Tape::at to take it as it goes at a point");
  if (rank() != 0) throw error(CAMBER_ESHAPE, std::string("a branch on an array, \"") + op() + "\": use any, all or select");
  camber_tape *t = tape();
  const Node condition = dtype() == boolean ? *this : *this != 0;
  const camber_node id = condition.id();
  detail::Handle<camber_program, camber_program_free> program(camber_program_new(t, tape_->given.data(), tape_->given.size(), &id, 1));
  if (!program) detail::fail(tape_);
  camber_program_set(program.get(), "check_guards", 0);
  detail::Handle<camber_workspace, camber_workspace_free> workspace(camber_workspace_new(program.get()));
  std::vector<std::vector<float>> narrow(tape_->given.size());
  std::vector<const void *> in;
  for (std::size_t i = 0; i < narrow.size(); i++) {
    const std::vector<double> &v = tape_->point[i];
    narrow[i].assign(v.begin(), v.end());
    in.push_back(camber_node_dtype(t, tape_->given[i]) == CAMBER_F32 ? static_cast<const void *>(narrow[i].data()) : v.data());
  }
  std::uint8_t value = 0;
  void *out[1] = {&value};
  detail::check(camber_run(program.get(), workspace.get(), in.data(), out), camber_workspace_message(workspace.get()));
  if (camber_guard(t, id, value, nullptr) < 0) detail::fail(tape_);
  return value != 0;
}
#endif

}  // namespace camber

/* Those of double, as numbers that become constants of the node they meet. */
template <>
class std::numeric_limits<camber::Node> : public std::numeric_limits<double> {
  using base = std::numeric_limits<double>;

 public:
  static camber::Node min() noexcept { return base::min(); }
  static camber::Node max() noexcept { return base::max(); }
  static camber::Node lowest() noexcept { return base::lowest(); }
  static camber::Node epsilon() noexcept { return base::epsilon(); }
  static camber::Node round_error() noexcept { return base::round_error(); }
  static camber::Node infinity() noexcept { return base::infinity(); }
  static camber::Node quiet_NaN() noexcept { return base::quiet_NaN(); }
  static camber::Node signaling_NaN() noexcept { return base::quiet_NaN(); }
  static camber::Node denorm_min() noexcept { return base::denorm_min(); }
};
#endif
