/* Elementwise operators: a function a row of camber_ops.h, over nodes and numbers, and the operators of C++.
 *
 * The functions are found by argument-dependent lookup: `sin(x)` is this one for a Node and <cmath>'s for a double, and
 * generic code writes `using std::sin; sin(x)`.
 */
#ifndef CAMBER_OPS_HPP
#define CAMBER_OPS_HPP

#include "node.hpp"

namespace camber {
namespace detail {

enum class Class { FLOAT, NUMBER, INTEGER, TEST, COMPARE, LOGIC, SELECT, GATE };

template <class T>
inline constexpr bool is_node = std::is_same<std::decay_t<T>, Node>::value;
template <class T>
inline constexpr bool is_operand = is_node<T> || std::is_arithmetic<std::decay_t<T>>::value;
template <class... T>
using if_operands = std::enable_if_t<(is_operand<T> && ...) && (is_node<T> || ...), int>;

/* A node, or a number that becomes a constant when its dtype is known. */
struct Operand {
  Node node;
  bool number = false;
  DType kind = f64; /* of a number: f64, i64 or boolean */
  double real = 0;
  std::int64_t whole = 0;

  Operand(const Node &n) : node(n) {
    if (n.is_number()) node = Node(), number = true, real = n.number();
  }
  template <class T, std::enable_if_t<std::is_arithmetic<T>::value, int> = 0>
  Operand(T v)
      : number(true),
        kind(std::is_same<T, bool>::value ? boolean : std::is_integral<T>::value ? i64 : f64),
        real(static_cast<double>(v)),
        whole(std::is_integral<T>::value ? static_cast<std::int64_t>(v) : 0) {}

  /* The dtype of this and `other` together; a number does not widen within its kind. */
  DType with(DType other) const {
    if (!number) return promote(node.dtype(), other);
    if (kind == boolean || is_float(other)) return other;
    if (kind == f64) return f64;
    return other == boolean ? i64 : other;
  }
  Node on(TapeRef *tape, DType dtype) const {
    camber_tape *t = tape->handle.get();
    if (!number) return node.dtype() == dtype ? node : made(tape, camber_cast(t, node.id(), raw(dtype)));
    if (kind == f64) return made(tape, camber_constant(t, raw(dtype), real));
    return made(tape, camber_integer(t, raw(dtype), whole));
  }
};

/* The dtype in which a class of rows computes on operands that promote to `d`. */
inline DType computes(Class c, DType d) noexcept {
  switch (c) {
    case Class::FLOAT: case Class::TEST: case Class::GATE: return is_float(d) ? d : f64;
    case Class::NUMBER: case Class::COMPARE: return d == boolean ? i64 : d;
    case Class::INTEGER: return i64;
    case Class::LOGIC: return boolean;
    case Class::SELECT: break;
  }
  return d;
}

/* NumPy's rule for two shapes; false where they do not fit. */
inline bool join(Shape &into, const Shape &other) {
  if (other.size() > into.size()) into.insert(into.begin(), other.size() - into.size(), 1);
  std::size_t skip = into.size() - other.size();
  for (std::size_t i = 0; i < other.size(); i++) {
    std::int64_t &d = into[skip + i];
    if (d == 1) d = other[i];
    else if (other[i] != 1 && other[i] != d) return false;
  }
  return true;
}

/* Stretches nodes to one shape. Where they do not fit they are left, and the operator says so. */
inline void stretch(TapeRef *tape, Node *nodes, std::size_t count) {
  bool scalars = true;
  for (std::size_t i = 0; i < count; i++) scalars = scalars && nodes[i].rank() == 0;
  if (scalars) return;
  Shape shapes[3], all;
  for (std::size_t i = 0; i < count; i++)
    if (!join(all, shapes[i] = nodes[i].shape())) return;
  for (std::size_t i = 0; i < count; i++)
    if (shapes[i] != all)
      nodes[i] = made(tape, camber_broadcast(tape->handle.get(), nodes[i].id(), all.data(), all.size()));
}

using Unary = camber_node (*)(camber_tape *, camber_node);
using Binary = camber_node (*)(camber_tape *, camber_node, camber_node);
using Ternary = camber_node (*)(camber_tape *, camber_node, camber_node, camber_node);

/* A row of numbers alone: computed at once, on a tape that is gone again. */
template <class F, std::size_t N>
Node computed(F f, const double (&v)[N]) {
  Handle<camber_tape, camber_tape_free> tape(camber_tape_new());
  camber_tape *t = tape.get();
  camber_node n[N];
  for (std::size_t i = 0; i < N; i++) n[i] = camber_constant(t, CAMBER_F64, v[i]);
  camber_node y = camber_cast(t, f(t, n), CAMBER_F64);
  Handle<camber_program, camber_program_free> program(camber_program_new(t, nullptr, 0, &y, 1));
  if (!program) throw error(camber_tape_status(t), camber_tape_message(t));
  Handle<camber_workspace, camber_workspace_free> workspace(camber_workspace_new(program.get()));
  double result = 0;
  void *out[1] = {&result};
  check(camber_run(program.get(), workspace.get(), nullptr, out), camber_workspace_message(workspace.get()));
  return Node(result);
}
/* A condition among numbers is a bool. */
inline camber_node truth(camber_tape *t, camber_node x) { return camber_cast(t, x, CAMBER_BOOL); }

inline Node apply(Class c, Unary f, const Node &x) {
  if (x.is_number())
    return computed([=](camber_tape *t, const camber_node *n) { return f(t, c == Class::LOGIC ? truth(t, n[0]) : n[0]); }, {x.number()});
  if (!x.tape_ref()) fail(nullptr);
  Node n = Operand(x).on(x.tape_ref(), computes(c, x.dtype()));
  return made(n.tape_ref(), f(n.tape(), n.id()));
}

inline Node apply(Class c, Binary f, const Operand &x, const Operand &y) {
  TapeRef *tape = inner(x.node, y.node);
  if (!tape && x.number && y.number)
    return computed([=](camber_tape *t, const camber_node *n) { return c == Class::LOGIC ? f(t, truth(t, n[0]), truth(t, n[1])) : f(t, n[0], n[1]); }, {x.real, y.real});
  if (!tape) fail(tape);
  DType d = computes(c, x.number ? x.with(y.node.dtype()) : y.with(x.node.dtype()));
  Node n[2] = {x.on(tape, d), y.on(tape, d)};
  stretch(tape, n, 2);
  return made(tape, f(tape->handle.get(), n[0].id(), n[1].id()));
}

inline Node apply(Class c, Ternary f, const Operand &x, const Operand &y, const Operand &z) {
  TapeRef *tape = inner(inner(x.node, y.node), z.node.tape_ref());
  bool masked = c == Class::SELECT || c == Class::GATE, known = false; /* a mask takes no part in the dtype */
  if (!tape && x.number && y.number && z.number)
    return computed([=](camber_tape *t, const camber_node *n) { return f(t, masked ? truth(t, n[0]) : n[0], n[1], n[2]); }, {x.real, y.real, z.real});
  if (!tape) fail(tape);
  DType d = promote(y.kind, z.kind);
  auto see = [&](const Operand &o) {
    if (!o.number) d = known ? promote(d, o.node.dtype()) : o.node.dtype(), known = true;
  };
  if (!masked) see(x);
  see(y), see(z);
  if (known) d = y.number ? y.with(d) : d, d = z.number ? z.with(d) : d, d = x.number && !masked ? x.with(d) : d;
  d = computes(c, d);
  Node n[3] = {x.on(tape, masked ? boolean : d), y.on(tape, d), z.on(tape, d)};
  stretch(tape, n, 3);
  return made(tape, f(tape->handle.get(), n[0].id(), n[1].id(), n[2].id()));
}

}  // namespace detail

#define CAMBER_X(name, takes, value) \
  inline Node name(const Node &x) { return detail::apply(detail::Class::takes, camber_##name, x); }
CAMBER_UNARY_OPS(CAMBER_X)
#undef CAMBER_X

#define CAMBER_X(name, takes, value)                               \
  template <class A, class B, detail::if_operands<A, B> = 0>       \
  Node name(const A &x, const B &y) {                              \
    return detail::apply(detail::Class::takes, camber_##name, x, y); \
  }
CAMBER_BINARY_OPS(CAMBER_X)
#undef CAMBER_X

#define CAMBER_X(name, takes, value)                                  \
  template <class A, class B, class C, detail::if_operands<A, B, C> = 0> \
  Node name(const A &x, const B &y, const C &z) {                     \
    return detail::apply(detail::Class::takes, camber_##name, x, y, z); \
  }
CAMBER_TERNARY_OPS(CAMBER_X)
#undef CAMBER_X

/* A row by its name, on operands whose types already fit. */
inline Node apply(const char *name, const Nodes &inputs) {
  detail::TapeRef *tape = detail::inner(inputs);
  if (!tape) detail::fail(tape);
  auto in = detail::ids(inputs);
  return detail::made(tape, camber_apply(tape->handle.get(), name, in.data(), in.size()));
}

/* ---- Operators of the language ------------------------------------------------------------------------------- */

inline Node operator-(const Node &x) { return neg(x); }
inline Node operator+(const Node &x) { return x; }
inline Node operator!(const Node &x) { return logical_not(x); }

#define CAMBER_X(symbol, name)                               \
  template <class A, class B, detail::if_operands<A, B> = 0> \
  Node operator symbol(const A &x, const B &y) {             \
    return name(x, y);                                       \
  }
CAMBER_X(+, add)
CAMBER_X(-, sub)
CAMBER_X(*, mul)
CAMBER_X(/, div)
CAMBER_X(==, eq)
CAMBER_X(!=, ne)
CAMBER_X(<, lt)
CAMBER_X(<=, le)
CAMBER_X(>, gt)
CAMBER_X(>=, ge)
CAMBER_X(&, logical_and)
CAMBER_X(|, logical_or)
CAMBER_X(^, logical_xor)
#undef CAMBER_X

#define CAMBER_X(symbol, name)                            \
  template <class B, detail::if_operands<Node, B> = 0>    \
  Node &operator symbol(Node &x, const B &y) {            \
    return x = name(x, y);                                \
  }
CAMBER_X(+=, add)
CAMBER_X(-=, sub)
CAMBER_X(*=, mul)
CAMBER_X(/=, div)
#undef CAMBER_X

}  // namespace camber
#endif
