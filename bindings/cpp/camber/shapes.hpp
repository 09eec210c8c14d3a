/* Types and shapes, reductions, linear algebra and random numbers: the free functions of camber.h on nodes. */
#ifndef CAMBER_SHAPES_HPP
#define CAMBER_SHAPES_HPP

#include "ops.hpp"

namespace camber {
namespace detail {

inline camber_tape *need(const Node &x) {
  if (!x.tape_ref()) fail(nullptr);
  return x.tape();
}

using Reduction = camber_node (*)(camber_tape *, camber_node, const std::int64_t *, std::size_t, std::int32_t);

inline Node reduce(Reduction f, const Node &x, const Axes &axes, bool keep) {
  return made(x.tape_ref(), f(need(x), x.id(), axes.empty() ? nullptr : axes.data(), axes.size(), keep));
}

/* Nodes cast to their common dtype, on the innermost tape. */
inline Nodes common(const Nodes &nodes) {
  if (nodes.empty()) return nodes;
  TapeRef *tape = inner(nodes);
  DType d = f64;
  bool known = false;
  for (const Node &n : nodes)
    if (!n.is_number()) d = known ? promote(d, n.dtype()) : n.dtype(), known = true;
  if (!tape) fail(tape);
  Nodes out;
  for (const Node &n : nodes) out.push_back(Operand(n).on(tape, d));
  return out;
}

inline Node join_parts(camber_node (*f)(camber_tape *, const camber_node *, std::size_t, std::int64_t), const Nodes &parts,
                       std::int64_t axis) {
  TapeRef *tape = inner(parts);
  if (!tape) throw error(CAMBER_EINVAL, "concat or stack of no nodes");
  auto in = ids(common(parts));
  return made(tape, f(tape->handle.get(), in.data(), in.size(), axis));
}

}  // namespace detail

/* ---- Types and shapes ------------------------------------------------------------------------------------------ */

inline Node cast(const Node &x, DType dtype) {
  camber_tape *t = detail::need(x);
  return x.dtype() == dtype ? x : detail::made(x.tape_ref(), camber_cast(t, x.id(), raw(dtype)));
}
inline Node reshape(const Node &x, const Shape &shape) {
  return detail::made(x.tape_ref(), camber_reshape(detail::need(x), x.id(), shape.data(), shape.size()));
}
inline Node broadcast(const Node &x, const Shape &shape) {
  return detail::made(x.tape_ref(), camber_broadcast(detail::need(x), x.id(), shape.data(), shape.size()));
}
/* Axis i of the result is x's axis order[i]; none given reverses all. */
inline Node transpose(const Node &x, const Shape &order = {}) {
  std::size_t rank = order.empty() ? static_cast<std::size_t>(x.rank()) : order.size();
  return detail::made(x.tape_ref(), camber_transpose(detail::need(x), x.id(), order.empty() ? nullptr : order.data(), rank));
}
/* As camber_slice: ends already clipped, an entry an axis. */
inline Node slice(const Node &x, const Shape &start, const Shape &stop, Shape step = {}) {
  if (step.empty()) step.assign(start.size(), 1);
  if (stop.size() != start.size() || step.size() != start.size())
    throw error(CAMBER_ESHAPE, "slice: start, stop and step differ in length");
  return detail::made(x.tape_ref(), camber_slice(detail::need(x), x.id(), start.data(), stop.data(), step.data(), start.size()));
}
/* start, start + step, ... before stop along one axis; negative ends count from the axis' end. */
inline Node slice_axis(const Node &x, std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1) {
  Shape high = x.shape(), low(high.size(), 0), by(high.size(), 1);
  std::int64_t n = x.dim(axis);
  std::size_t a = static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(high.size()) : axis);
  low[a] = start < 0 ? start + n : start;
  high[a] = stop < 0 ? stop + n : stop;
  by[a] = step;
  return slice(x, low, high, by);
}
/* x's i-th slice along an axis, which goes away. */
inline Node at(const Node &x, std::int64_t i, std::int64_t axis = 0) {
  std::int64_t n = x.dim(axis), k = i < 0 ? i + n : i;
  if (k < 0 || k >= n)
    throw error(CAMBER_EINVAL, "at: index " + std::to_string(i) + " is outside an axis of length " + std::to_string(n));
  Shape shape = x.shape();
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.size()) : axis));
  return reshape(slice_axis(x, axis, k, k + 1), shape);
}
inline Node pad(const Node &x, const Shape &low, const Shape &high, Shape interior = {}) {
  if (interior.empty()) interior.assign(low.size(), 0);
  if (high.size() != low.size() || interior.size() != low.size())
    throw error(CAMBER_ESHAPE, "pad: low, high and interior differ in length");
  return detail::made(x.tape_ref(), camber_pad(detail::need(x), x.id(), low.data(), high.data(), interior.data(), low.size()));
}
/* Elements moved on by `shift` along an axis, round its end. */
inline Node roll(const Node &x, std::int64_t shift, std::int64_t axis = 0) {
  return detail::made(x.tape_ref(), camber_roll(detail::need(x), x.id(), shift, axis));
}
inline Node reverse(const Node &x, const Axes &axes = {}) {
  return detail::made(x.tape_ref(), camber_reverse(detail::need(x), x.id(), axes.empty() ? nullptr : axes.data(), axes.size()));
}
/* Parts of these sizes along an axis. */
inline Nodes split(const Node &x, const Shape &sizes, std::int64_t axis = 0) {
  std::vector<camber_node> out(sizes.size());
  if (camber_split(detail::need(x), x.id(), sizes.data(), sizes.size(), axis, out.data())) detail::fail(x.tape_ref());
  Nodes parts;
  for (camber_node n : out) parts.push_back(detail::made(x.tape_ref(), n));
  return parts;
}
inline Node tile(const Node &x, const Shape &counts) {
  return detail::made(x.tape_ref(), camber_tile(detail::need(x), x.id(), counts.data(), counts.size()));
}
inline Node repeat(const Node &x, const Shape &counts, std::int64_t axis = 0) {
  return detail::made(x.tape_ref(), camber_repeat(detail::need(x), x.id(), counts.data(), counts.size(), axis));
}
/* Triangles and diagonals of the last two axes; diag puts the last axis on a diagonal. */
#define CAMBER_X(name)                                                          \
  inline Node name(const Node &x, std::int64_t k = 0) {                         \
    return detail::made(x.tape_ref(), camber_##name(detail::need(x), x.id(), k)); \
  }
CAMBER_X(tril)
CAMBER_X(triu)
CAMBER_X(diagonal)
CAMBER_X(diag)
#undef CAMBER_X
inline Node concat(const Nodes &parts, std::int64_t axis = 0) { return detail::join_parts(camber_concat, parts, axis); }
inline Node stack(const Nodes &parts, std::int64_t axis = 0) { return detail::join_parts(camber_stack, parts, axis); }

inline Node gather(const Node &x, const Node &indices, std::int64_t axis = 0) {
  detail::TapeRef *tape = detail::inner(x, indices);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_gather(tape->handle.get(), x.id(), indices.id(), axis));
}
inline Node scatter_add(const Node &x, const Node &indices, const Node &updates, std::int64_t axis = 0) {
  detail::TapeRef *tape = detail::inner({x, indices, updates});
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_scatter_add(tape->handle.get(), x.id(), indices.id(), updates.id(), axis));
}
#define CAMBER_X(name)                                                                                          \
  inline Node name(const Node &x, const Node &indices, const Node &updates, std::int64_t axis = 0) {            \
    detail::TapeRef *tape = detail::inner({x, indices, updates});                                               \
    if (!tape) detail::fail(tape);                                                                              \
    return detail::made(tape, camber_##name(tape->handle.get(), x.id(), indices.id(), updates.id(), axis));     \
  }
CAMBER_X(scatter_set)
CAMBER_X(scatter_mul)
CAMBER_X(scatter_max)
CAMBER_X(scatter_min)
#undef CAMBER_X
inline Node take_along(const Node &x, const Node &indices, std::int64_t axis = -1) {
  detail::TapeRef *tape = detail::inner(x, indices);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_take_along(tape->handle.get(), x.id(), indices.id(), axis));
}
/* A block of these sizes at `start`, an integer node of one number an axis, moved inside where it would stick out. */
inline Node dynamic_slice(const Node &x, const Node &start, const Shape &sizes) {
  detail::TapeRef *tape = detail::inner(x, start);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_dynamic_slice(tape->handle.get(), x.id(), start.id(), sizes.data(), sizes.size()));
}
inline Node dynamic_update(const Node &x, const Node &update, const Node &start) {
  detail::TapeRef *tape = detail::inner({x, update, start});
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_dynamic_update(tape->handle.get(), x.id(), update.id(), start.id()));
}
#define CAMBER_X(name)                                                                                \
  inline Node name(const Node &data, const Node &segments, std::int64_t count) {                      \
    detail::TapeRef *tape = detail::inner(data, segments);                                            \
    if (!tape) detail::fail(tape);                                                                    \
    return detail::made(tape, camber_##name(tape->handle.get(), data.id(), segments.id(), count));    \
  }
CAMBER_X(segment_sum)
CAMBER_X(segment_prod)
CAMBER_X(segment_max)
CAMBER_X(segment_min)
#undef CAMBER_X
inline Node bincount(const Node &x, std::int64_t length) {
  return detail::made(x.tape_ref(), camber_bincount(detail::need(x), x.id(), CAMBER_NONE, length));
}
inline Node bincount(const Node &x, const Node &weights, std::int64_t length) {
  detail::TapeRef *tape = detail::inner(x, weights);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_bincount(tape->handle.get(), x.id(), weights.id(), length));
}
inline Node one_hot(const Node &indices, std::int64_t depth, DType dtype = f64) {
  return detail::made(indices.tape_ref(), camber_one_hot(detail::need(indices), indices.id(), depth, raw(dtype)));
}

/* ---- Reductions and scans along axes ----------------------------------------------------------------------------- */

#define CAMBER_X(name)                                                           \
  inline Node name(const Node &x, const Axes &axes = {}, bool keep = false) {    \
    return detail::reduce(camber_##name, x, axes, keep);                         \
  }
CAMBER_X(sum)
CAMBER_X(mean)
CAMBER_X(prod)
CAMBER_X(max)
CAMBER_X(min)
CAMBER_X(any)
CAMBER_X(all)
CAMBER_X(logsumexp)
CAMBER_X(norm)
#undef CAMBER_X

#define CAMBER_X(name)                                                           \
  inline Node name(const Node &x, std::int64_t axis = -1) {                      \
    return detail::made(x.tape_ref(), camber_##name(detail::need(x), x.id(), axis)); \
  }
CAMBER_X(argmax)
CAMBER_X(argmin)
CAMBER_X(softmax)
CAMBER_X(log_softmax)
#undef CAMBER_X

/* `var` is the type, `std` the library: these are spelt out. */
inline Node variance(const Node &x, const Axes &axes = {}, double ddof = 0, bool keep = false) {
  return detail::made(x.tape_ref(), camber_var(detail::need(x), x.id(), axes.empty() ? nullptr : axes.data(), axes.size(), ddof, keep));
}
inline Node stddev(const Node &x, const Axes &axes = {}, double ddof = 0, bool keep = false) {
  return detail::made(x.tape_ref(), camber_std(detail::need(x), x.id(), axes.empty() ? nullptr : axes.data(), axes.size(), ddof, keep));
}

#define CAMBER_X(name)                                                                        \
  inline Node name(const Node &x, std::int64_t axis = -1, bool reverse = false) {             \
    return detail::made(x.tape_ref(), camber_##name(detail::need(x), x.id(), axis, reverse)); \
  }
CAMBER_X(cumprod)
CAMBER_X(cummax)
CAMBER_X(cummin)
CAMBER_X(cumargmax)
CAMBER_X(cumargmin)
CAMBER_X(cumlogsumexp)
/* The last argument of these two: descending. */
CAMBER_X(sort)
CAMBER_X(argsort)
#undef CAMBER_X
inline Node linear_recurrence(const Node &a, const Node &b, std::int64_t axis = -1, bool reverse = false) {
  detail::TapeRef *tape = detail::inner(a, b);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_linear_recurrence(tape->handle.get(), a.id(), b.id(), axis, reverse));
}
/* The k largest (smallest), best first, and where they stand. */
inline std::pair<Node, Node> top_k(const Node &x, std::int64_t k, std::int64_t axis = -1, bool largest = true) {
  camber_node values, indices;
  if (camber_top_k(detail::need(x), x.id(), k, axis, largest, &values, &indices)) detail::fail(x.tape_ref());
  return {detail::made(x.tape_ref(), values), detail::made(x.tape_ref(), indices)};
}
inline Node isin(const Node &x, const Node &set) {
  detail::TapeRef *tape = detail::inner(x, set);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_isin(tape->handle.get(), x.id(), set.id()));
}
inline Node duplicated(const Node &x, std::int64_t axis = -1) {
  return detail::made(x.tape_ref(), camber_duplicated(detail::need(x), x.id(), axis));
}
inline Node cumsum(const Node &x, std::int64_t axis = -1, bool reverse = false) {
  return detail::made(x.tape_ref(), camber_cumsum(detail::need(x), x.id(), axis, reverse));
}

/* ---- Linear algebra ------------------------------------------------------------------------------------------------ */

inline Node matmul(const Node &a, const Node &b) {
  detail::TapeRef *tape = detail::inner(a, b);
  if (!tape) detail::fail(tape);
  Nodes n = detail::common({a, b});
  return detail::made(tape, camber_matmul(tape->handle.get(), n[0].id(), n[1].id()));
}
inline Node einsum(const char *subscripts, const Nodes &operands) {
  detail::TapeRef *tape = detail::inner(operands);
  if (!tape) detail::fail(tape);
  auto in = detail::ids(detail::common(operands));
  return detail::made(tape, camber_einsum(tape->handle.get(), subscripts, in.data(), in.size()));
}
inline Node cholesky(const Node &a) { return detail::made(a.tape_ref(), camber_cholesky(detail::need(a), a.id())); }
inline Node triangular_solve(const Node &a, const Node &b, bool lower = true, bool transposed = false, bool unit = false) {
  detail::TapeRef *tape = detail::inner(a, b);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_triangular_solve(tape->handle.get(), a.id(), b.id(), lower, transposed, unit));
}
inline Node solve(const Node &a, const Node &b) {
  detail::TapeRef *tape = detail::inner(a, b);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_solve(tape->handle.get(), a.id(), b.id()));
}

/* ---- Random numbers -------------------------------------------------------------------------------------------------- */

inline Node random_uniform(const Node &key, const Shape &shape, DType dtype = f64) {
  return detail::made(key.tape_ref(), camber_random_uniform(detail::need(key), key.id(), raw(dtype), shape.data(), shape.size()));
}
inline Node random_normal(const Node &key, const Shape &shape, DType dtype = f64) {
  return detail::made(key.tape_ref(), camber_random_normal(detail::need(key), key.id(), raw(dtype), shape.data(), shape.size()));
}
inline Node dropout(const Node &x, const Node &key, double rate) {
  detail::TapeRef *tape = detail::inner(x, key);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_dropout(tape->handle.get(), x.id(), key.id(), rate));
}

/* ---- Members of Node ----------------------------------------------------------------------------------------------------- */

inline Node Node::operator[](std::int64_t i) const { return camber::at(*this, i); }
inline Node Node::slice(std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step) const {
  return camber::slice_axis(*this, axis, start, stop, step);
}
inline Node Node::cast(DType dtype) const { return camber::cast(*this, dtype); }
inline Node Node::reshape(const Shape &shape) const { return camber::reshape(*this, shape); }
inline Node Node::broadcast(const Shape &shape) const { return camber::broadcast(*this, shape); }
inline Node Node::T() const { return camber::transpose(*this); }
inline Node Node::sum(const Axes &axes, bool keep) const { return camber::sum(*this, axes, keep); }
inline Node Node::mean(const Axes &axes, bool keep) const { return camber::mean(*this, axes, keep); }

}  // namespace camber
#endif
