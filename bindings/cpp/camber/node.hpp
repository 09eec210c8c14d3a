/* Tape and Node: where programs are recorded. */
#ifndef CAMBER_NODE_HPP
#define CAMBER_NODE_HPP

#include <cstring>
#include <limits>

#include "base.hpp"

namespace camber {

class Tape;
class Node;
using Nodes = std::vector<Node>;

namespace detail {
/* What nodes point at: it stays in place when its Tape is moved. */
struct TapeRef {
  Handle<camber_tape, camber_tape_free> handle;
  /* The point that branches are taken at: Tape::at. */
  std::vector<camber_node> given;
  std::vector<std::vector<double>> point;
  int depth = 0; /* 0 for a tape of its own, 1 for the body of a loop in it, ... */
};
}  // namespace detail

/* A value on a tape: an index, cheap to copy. Default-constructed it is no node, and using it is CAMBER_ENODE. Made from a number it is that
 * number and on no tape: it becomes a constant of the node that it meets, in its dtype. So `T sum = 0;` is the same text for double and var. */
class Node {
 public:
  Node() = default;
  Node(detail::TapeRef *tape, camber_node id) : tape_(tape), id_(id) {}
  template <class T, std::enable_if_t<std::is_arithmetic<T>::value, int> = 0>
  Node(T number) {
    double v = static_cast<double>(number);
    if (v != v) v = std::numeric_limits<double>::quiet_NaN(); /* -1's bits are a NaN: it is kept for "none" */
    std::memcpy(&id_, &v, sizeof v);
  }
  bool is_number() const noexcept { return !tape_ && id_ != CAMBER_NONE; }
  double number() const noexcept {
    double v;
    std::memcpy(&v, &id_, sizeof v);
    return v;
  }

  camber_node id() const noexcept { return id_; }
  detail::TapeRef *tape_ref() const noexcept { return tape_; }
  camber_tape *tape() const noexcept { return tape_ ? tape_->handle.get() : nullptr; }

  /* A branch (if, while, ?:) on a traced value. It has no value until its program runs, so this does not compile, and the compiler names the
   * line. Where CAMBER_GUARDS is defined before camber.hpp is included, branches on numbers that have met no tape are taken as they are, and
   * those on traced values as they go at the point given to `Tape::at`, with a guard: runs that would go the other way return CAMBER_FLIPPED.
   * Without a point they throw. */
  template <class T, std::enable_if_t<std::is_same<T, bool>::value, int> = 0>
  explicit operator T() const {
#ifdef CAMBER_GUARDS
    return branch();
#else
    static_assert(!std::is_same<T, bool>::value,
                  "camber: a branch (if, while, ?:) on a traced value, which has no value until its program runs; use select(condition, a, b), "
                  "maximum or minimum, cond for branches of which one runs, scan or while_loop for loops; or define CAMBER_GUARDS, see Tape::at");
    return false;
#endif
  }

  DType dtype() const { return is_number() ? f64 : static_cast<DType>(check(camber_node_dtype(tape(), id_))); }
  std::int64_t rank() const { return is_number() ? 0 : check(camber_node_rank(tape(), id_)); }
  std::int64_t dim(std::int64_t axis) const {
    std::int64_t d = camber_node_dim(tape(), id_, axis);
    if (d < 0) throw error(CAMBER_EINVAL, "dim: axis " + std::to_string(axis) + " of a node of rank " + std::to_string(rank()));
    return d;
  }
  Shape shape() const {
    Shape s(static_cast<std::size_t>(rank()));
    if (tape_) camber_node_shape(tape(), id_, s.data());
    return s;
  }
  std::size_t size() const { return elements(shape()); }
  const char *op() const noexcept { return camber_node_op(tape(), id_); }

  /* The same as the free functions of shapes.hpp. */
  Node operator[](std::int64_t i) const; /* the i-th slice along the first axis */
  Node slice(std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1) const;
  Node cast(DType dtype) const;
  Node reshape(const Shape &shape) const;
  Node broadcast(const Shape &shape) const;
  Node T() const; /* all axes reversed */
  Node sum(const Axes &axes = {}, bool keep = false) const;
  Node mean(const Axes &axes = {}, bool keep = false) const;

 private:
  bool branch() const;
  template <class I>
  static I check(I value) {
    if (value < 0) throw error(CAMBER_ENODE, "a node of no tape");
    return value;
  }
  detail::TapeRef *tape_ = nullptr;
  camber_node id_ = CAMBER_NONE;
};
using var = Node;

namespace detail {

[[noreturn]] inline void fail(TapeRef *tape) {
  if (!tape) throw error(CAMBER_ENODE, "a node of no tape");
  camber_tape *t = tape->handle.get();
  camber_status status = camber_tape_status(t);
  std::string sentence = camber_tape_message(t);
  camber_tape_clear(t);
  rethrow(status);
  if (status >= 0) status = CAMBER_ENOMEM;
  throw error(status, sentence.empty() ? camber_status_message(status) : sentence);
}

inline Node made(TapeRef *tape, camber_node id) {
  if (id == CAMBER_NONE) fail(tape);
  return Node(tape, id);
}

/* The innermost of two tapes: nodes of an outer tape may be used on an inner one. */
inline TapeRef *inner(TapeRef *a, TapeRef *b) noexcept { return !a || (b && b->depth > a->depth) ? b : a; }
inline TapeRef *inner(const Node &a, const Node &b) noexcept { return inner(a.tape_ref(), b.tape_ref()); }
inline TapeRef *inner(const Nodes &nodes) noexcept {
  TapeRef *tape = nullptr;
  for (const Node &n : nodes) tape = inner(tape, n.tape_ref());
  return tape;
}

/* Numbers among them become constants of f64. */
inline std::vector<camber_node> ids(const Nodes &nodes) {
  std::vector<camber_node> out(nodes.size());
  TapeRef *tape = nullptr;
  for (std::size_t i = 0; i < nodes.size(); i++) {
    out[i] = nodes[i].id();
    if (!nodes[i].is_number()) continue;
    if (!tape) tape = inner(nodes);
    if (!tape) throw error(CAMBER_ENODE, "a number that has met no node of a tape");
    out[i] = camber_constant(tape->handle.get(), CAMBER_F64, nodes[i].number());
  }
  return out;
}

inline Nodes wrap(TapeRef *tape, const std::vector<camber_node> &ids) {
  Nodes out;
  out.reserve(ids.size());
  for (camber_node id : ids) out.push_back(made(tape, id));
  return out;
}

}  // namespace detail

/* Owns a camber_tape. */
class Tape {
 public:
  Tape() : Tape(camber_tape_new(), 0) {}

  Node input(DType dtype = f64, const Shape &shape = {}) {
    return made(camber_input(handle(), raw(dtype), shape.data(), shape.size()));
  }
  Node constant(double value, DType dtype = f64) { return made(camber_constant(handle(), raw(dtype), value)); }
  Node integer(std::int64_t value, DType dtype = i64) { return made(camber_integer(handle(), raw(dtype), value)); }
  Node array(DType dtype, const Shape &shape, const void *data) {
    return made(camber_array(handle(), raw(dtype), shape.data(), shape.size(), data));
  }
  /* One axis, or `shape`, which must have as many elements as `values`. */
  template <class E>
  Node array(const std::vector<E> &values, Shape shape = {}) {
    if (shape.empty()) shape = {static_cast<std::int64_t>(values.size())};
    if (elements(shape) != values.size()) throw error(CAMBER_ESHAPE, "array: the values do not fill the shape");
    return array(dtype_of<E>::value, shape, values.data());
  }
  Node iota(DType dtype, const Shape &shape, std::int64_t axis = -1) {
    return made(camber_iota(handle(), raw(dtype), shape.data(), shape.size(), axis));
  }

  /* With CAMBER_GUARDS: the point (values of f64 and f32 inputs, as for Program) at which branches on traced values are taken from now on, each with a
   * guard. No inputs: they throw again. */
  void at(const Nodes &inputs, const std::vector<std::vector<double>> &values) {
    if (inputs.size() != values.size()) throw error(CAMBER_EINVAL, "at: as many values as inputs");
    for (std::size_t i = 0; i < inputs.size(); i++) {
      if (inputs[i].dtype() != f64 && inputs[i].dtype() != f32) throw error(CAMBER_EDTYPE, std::string("at: inputs of f64 and f32, not ") + name_of(inputs[i].dtype()));
      if (inputs[i].size() != values[i].size()) throw error(CAMBER_ESHAPE, "at: input " + std::to_string(i) + " has another number of elements");
    }
    ref_->given = detail::ids(inputs), ref_->point = values;
  }

  /* The key of random numbers: an i64 scalar. */
  Node key(std::int64_t seed) { return integer(seed, i64); }

  std::size_t node_count() const noexcept { return camber_tape_node_count(handle()); }
  std::size_t bytes() const noexcept { return camber_tape_bytes(handle()); }

  /* Equal programs hash equally, in whatever order and language they were recorded. */
  std::uint64_t hash(const Nodes &inputs, const Nodes &outputs) {
    auto in = detail::ids(inputs), out = detail::ids(outputs);
    std::uint64_t h = camber_tape_hash(handle(), in.data(), in.size(), out.data(), out.size());
    if (h == 0 && camber_tape_status(handle()) != CAMBER_OK) detail::fail(ref_.get());
    return h;
  }

  camber_tape *handle() const noexcept { return ref_->handle.get(); }
  detail::TapeRef *ref() const noexcept { return ref_.get(); }

  /* A tape for the body of a loop in `outer`: scan makes it. */
  static Tape sub(detail::TapeRef *outer) {
    if (!outer) detail::fail(outer);
    camber_tape *t = camber_tape_sub(outer->handle.get());
    if (!t) detail::fail(outer);
    return Tape(t, outer->depth + 1);
  }

 private:
  Tape(camber_tape *tape, int depth) : ref_(new detail::TapeRef) {
    if (!tape) throw error(CAMBER_ENOMEM, "tape: memory was refused");
    ref_->handle.reset(tape);
    ref_->depth = depth;
  }
  Node made(camber_node id) const { return detail::made(ref_.get(), id); }
  std::unique_ptr<detail::TapeRef> ref_;
};

}  // namespace camber
#endif
