/* Loops and derivatives: nodes in, nodes on the same tape out. The forms for one node return one node. */
#ifndef CAMBER_TRANSFORMS_HPP
#define CAMBER_TRANSFORMS_HPP

#include <functional>

#include "shapes.hpp"

namespace camber {

/* How a dense Jacobian is made. */
enum class Mode : std::int32_t { automatic = CAMBER_AUTO, forward = CAMBER_FORWARD, reverse = CAMBER_REVERSE, elimination = CAMBER_ELIMINATION, stagewise = CAMBER_STAGEWISE };

/* Jacobian blocks: at(i, j) is d outputs[i] / d inputs[j]. */
struct Blocks {
  Nodes nodes;
  std::size_t columns = 1;
  const Node &at(std::size_t i, std::size_t j = 0) const { return nodes.at(i * columns + j); }
};

namespace detail {

inline void same(std::size_t a, std::size_t b, const char *what) {
  if (a != b) throw error(CAMBER_EINVAL, std::string(what) + ": " + std::to_string(a) + " and " + std::to_string(b) + " differ");
}

/* Calls f(tape, out) for `count` results on the innermost tape of all the nodes given. */
template <class F>
Nodes collect(TapeRef *tape, std::size_t count, F f) {
  if (!tape) fail(tape);
  std::vector<camber_node> out(count, CAMBER_NONE);
  if (f(tape->handle.get(), out.data()) < 0) fail(tape);
  return wrap(tape, out);
}

template <class N>
using if_node = std::enable_if_t<std::is_same<N, Node>::value, int>;

}  // namespace detail

/* ---- Loops -------------------------------------------------------------------------------------------------------- */

/* What a loop's body returns, and what the loop gives: the carries, and the y's (stacked along a new first axis). */
struct Loop {
  Nodes carry;
  Nodes ys;
};

/* for i in 0 ..< length: carry, y[i] = body(carry, x[i]); body is called once: Loop body(const Nodes &carry, const Nodes &x).
 * Nodes of the tapes around it may be used inside. slots > 0: derivatives keep that many carries and compute the others again (camber_scan_slots). */
template <class Body>
Loop scan(const Nodes &init, const Nodes &xs, std::int64_t length, Body body, bool reverse = false, std::int64_t slots = 0) {
  detail::TapeRef *outer = detail::inner(detail::inner(init), detail::inner(xs));
  Tape inside = Tape::sub(outer);
  Nodes carry, slices;
  for (const Node &n : init) carry.push_back(inside.input(n.dtype(), n.shape()));
  for (const Node &n : xs) {
    Shape shape = n.shape();
    if (shape.empty()) throw error(CAMBER_ESHAPE, "scan: an x of rank 0 has no leading axis");
    slices.push_back(inside.input(n.dtype(), Shape(shape.begin() + 1, shape.end())));
  }
  Loop step = body(carry, slices);
  detail::same(step.carry.size(), init.size(), "scan: the counts of carries in and out");
  auto in = detail::ids(carry), out = detail::ids(step.carry), start = detail::ids(init), over = detail::ids(xs);
  for (const Node &n : slices) in.push_back(n.id());
  for (const Node &n : step.ys) out.push_back(n.id());
  Nodes all = detail::collect(outer, out.size(), [&](camber_tape *t, camber_node *results) {
    return camber_scan_slots(t, inside.handle(), in.data(), out.data(), start.size(), start.data(), over.size(), over.data(),
                       step.ys.size(), length, reverse, slots, results);
  });
  auto middle = all.begin() + static_cast<std::ptrdiff_t>(init.size());
  return {Nodes(all.begin(), middle), Nodes(middle, all.end())};
}

namespace detail {
/* What a branch gives, called on the operands as nodes of its own tape. */
template <class Branch>
std::vector<camber_node> recorded(Tape &inside, const Nodes &operands, Branch &branch) {
  Nodes own;
  for (const Node &n : operands) own.push_back(made(inside.ref(), camber_capture(inside.handle(), n.id())));
  return ids(branch(own));
}
}  // namespace detail

/* One of two branches by a bool scalar; each is called once: Nodes branch(const Nodes &operands). Only the branch taken runs: what it makes of its
 * operands. What a branch makes of other nodes around it alone is recorded outside, and runs always. */
template <class Then, class Else>
Nodes cond(const Node &predicate, const Nodes &operands, Then then, Else otherwise) {
  detail::TapeRef *outer = detail::inner(predicate.tape_ref(), detail::inner(operands));
  Tape yes = Tape::sub(outer), no = Tape::sub(outer);
  auto x = detail::recorded(yes, operands, then), y = detail::recorded(no, operands, otherwise);
  detail::same(x.size(), y.size(), "cond: the counts of the branches' results");
  return detail::collect(outer, x.size(), [&](camber_tape *t, camber_node *out) {
    return camber_cond(t, predicate.id(), yes.handle(), x.data(), no.handle(), y.data(), x.size(), out);
  });
}

/* One of several branches by its number, i32 or i64: the nearest where there is none of that number. (`switch` is a word of C++.) */
inline Nodes switch_by(const Node &index, const Nodes &operands, const std::vector<std::function<Nodes(const Nodes &)>> &branches) {
  detail::TapeRef *outer = detail::inner(index.tape_ref(), detail::inner(operands));
  std::vector<Tape> tapes;
  std::vector<camber_tape *> handles;
  std::vector<camber_node> all;
  std::size_t count = 0;
  for (std::size_t k = 0; k < branches.size(); ++k) {
    tapes.push_back(Tape::sub(outer));
    auto y = detail::recorded(tapes.back(), operands, branches[k]);
    if (k == 0) count = y.size();
    detail::same(y.size(), count, "switch: the counts of the branches' results");
    handles.push_back(tapes.back().handle());
    all.insert(all.end(), y.begin(), y.end());
  }
  return detail::collect(outer, count, [&](camber_tape *t, camber_node *out) {
    return camber_switch(t, index.id(), handles.size(), handles.data(), all.data(), count, out);
  });
}

/* while go(carry): carry = body(carry); both are called once: Node go(const Nodes &), Nodes body(const Nodes &). `slots` states are kept at
 * once when it is run backwards, 0: as many as seem good. */
template <class Go, class Body>
Nodes while_loop(const Nodes &init, Go go, Body body, std::int64_t max_steps = -1, std::int64_t slots = 0) {
  detail::TapeRef *outer = detail::inner(init);
  Tape inside = Tape::sub(outer);
  Nodes carry;
  for (const Node &n : init) carry.push_back(inside.input(n.dtype(), n.shape()));
  Node on = go(carry);
  Nodes next = body(carry);
  detail::same(next.size(), init.size(), "while: the counts of carries in and out");
  auto in = detail::ids(carry), out = detail::ids(next), start = detail::ids(init);
  return detail::collect(outer, out.size(), [&](camber_tape *t, camber_node *results) {
    return camber_while(t, inside.handle(), in.data(), on.id(), out.data(), start.size(), start.data(), max_steps, slots, results);
  });
}

/* body of each slice of xs along their leading axis, results stacked: Nodes body(const Nodes &). `block` slices at once, 0 chooses. */
template <class Body>
Nodes map(const Nodes &xs, Body body, std::int64_t block = 0) {
  detail::TapeRef *outer = detail::inner(xs);
  Tape inside = Tape::sub(outer);
  Nodes slices;
  for (const Node &n : xs) {
    Shape shape = n.shape();
    if (shape.empty()) throw error(CAMBER_ESHAPE, "map: an array of rank 0 has no leading axis");
    slices.push_back(inside.input(n.dtype(), Shape(shape.begin() + 1, shape.end())));
  }
  Nodes y = body(slices);
  auto in = detail::ids(slices), out = detail::ids(y), over = detail::ids(xs);
  return detail::collect(outer, out.size(), [&](camber_tape *t, camber_node *results) {
    return camber_map(t, inside.handle(), in.data(), out.data(), over.size(), over.data(), out.size(), block, results);
  });
}

/* Says that `condition` had this value where the host branched on it while it recorded: see camber_guard. */
inline void guard(const Node &condition, bool expected, const std::string &label = "") {
  detail::TapeRef *tape = condition.tape_ref();
  if (!tape || camber_guard(tape->handle.get(), condition.id(), expected, label.c_str()) < 0) detail::fail(tape);
}

/* ---- Recomputing ---------------------------------------------------------------------------------------------------- */

/* Nodes of the same values as `outputs`, whose derivatives compute what lies between the inputs and them again (camber_checkpoint). */
inline Nodes checkpoint(const Nodes &outputs, const Nodes &inputs, std::int32_t keep = CAMBER_KEEP_NOTHING) {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  return detail::collect(detail::inner(detail::inner(outputs), detail::inner(inputs)), y.size(), [&](camber_tape *t, camber_node *out) {
    return camber_checkpoint(t, y.data(), y.size(), x.data(), x.size(), keep, out);
  });
}
inline Node checkpoint(const Node &output, const Nodes &inputs, std::int32_t keep = CAMBER_KEEP_NOTHING) {
  return checkpoint(Nodes{output}, inputs, keep).at(0);
}

/* Running results of an associative body along an axis of every element, each level of a tree at once: Nodes body(const Nodes &left,
 * const Nodes &right), called once, on single elements. */
template <class Body>
Nodes associative_scan(const Nodes &elements, Body body, std::int64_t axis = 0, bool reverse = false) {
  detail::TapeRef *outer = detail::inner(elements);
  Tape inside = Tape::sub(outer);
  Nodes left, right;
  for (Nodes *side : {&left, &right})
    for (const Node &n : elements) {
      Shape shape = n.shape();
      const std::int64_t rank = static_cast<std::int64_t>(shape.size()), k = axis < 0 ? axis + rank : axis;
      if (k < 0 || k >= rank) throw error(CAMBER_ESHAPE, "associative_scan: an element has no such axis");
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(k));
      side->push_back(inside.input(n.dtype(), shape));
    }
  Nodes made = body(left, right);
  detail::same(made.size(), elements.size(), "associative_scan: the counts of elements in and out");
  auto in = detail::ids(left), out = detail::ids(made), over = detail::ids(elements);
  for (const Node &n : right) in.push_back(n.id());
  return detail::collect(outer, out.size(), [&](camber_tape *t, camber_node *results) {
    return camber_associative_scan(t, inside.handle(), in.data(), out.data(), over.data(), over.size(), axis, reverse, results);
  });
}

/* ---- Products ------------------------------------------------------------------------------------------------------- */

inline Nodes jvp(const Nodes &outputs, const Nodes &inputs, const Nodes &tangents) {
  detail::same(inputs.size(), tangents.size(), "jvp: the counts of inputs and tangents");
  auto y = detail::ids(outputs), x = detail::ids(inputs), v = detail::ids(tangents);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(detail::inner(inputs), detail::inner(tangents)));
  return detail::collect(tape, y.size(), [&](camber_tape *t, camber_node *out) {
    return camber_jvp(t, y.data(), y.size(), x.data(), v.data(), x.size(), out);
  });
}
template <class N, detail::if_node<N> = 0>
Node jvp(const Node &y, const N &x, const N &v) { return jvp(Nodes{y}, Nodes{x}, Nodes{v})[0]; }

/* Taylor mode: result[i][k - 1] is the coefficient of t^k of outputs[i] along inputs[j] + sum of coefficients[j][k - 1] t^k, k <= order;
 * missing coefficients are zero. */
inline std::vector<Nodes> taylor(const Nodes &outputs, const Nodes &inputs, const std::vector<Nodes> &coefficients, std::size_t order) {
  detail::same(inputs.size(), coefficients.size(), "taylor: the counts of inputs and lists of coefficients");
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  std::vector<camber_node> c;
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
  for (const Nodes &list : coefficients) {
    if (list.size() > order) throw error(CAMBER_EINVAL, "taylor: " + std::to_string(list.size()) + " coefficients for order " + std::to_string(order));
    tape = detail::inner(tape, detail::inner(list));
    for (std::size_t k = 0; k < order; k++) c.push_back(k < list.size() ? list[k].id() : CAMBER_NONE);
  }
  Nodes all = detail::collect(tape, y.size() * order, [&](camber_tape *t, camber_node *out) {
    return camber_taylor(t, y.data(), y.size(), x.data(), c.data(), x.size(), order, out);
  });
  std::vector<Nodes> result;
  for (std::size_t i = 0; i < y.size(); i++)
    result.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(i * order), all.begin() + static_cast<std::ptrdiff_t>((i + 1) * order));
  return result;
}
/* The same of one node along x + coefficients[0] t + ... */
template <class N, detail::if_node<N> = 0>
Nodes taylor(const N &y, const Node &x, const Nodes &coefficients, std::size_t order) { return taylor(Nodes{y}, Nodes{x}, std::vector<Nodes>{coefficients}, order)[0]; }

/* result[w][i]: the derivative of outputs[i], orders[w][d] times along directions[d], which has one node an input. */
inline std::vector<Nodes> directional(const Nodes &outputs, const Nodes &inputs, const std::vector<Nodes> &directions,
                                      const std::vector<std::vector<std::int32_t>> &orders) {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  std::vector<camber_node> v;
  std::vector<std::int32_t> flat;
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
  for (const Nodes &d : directions) {
    detail::same(d.size(), x.size(), "directional: the counts of inputs and of a direction's nodes");
    tape = detail::inner(tape, detail::inner(d));
    for (const Node &n : d) v.push_back(n.id());
  }
  for (const auto &o : orders) {
    detail::same(o.size(), directions.size(), "directional: the counts of directions and of a derivative's orders");
    flat.insert(flat.end(), o.begin(), o.end());
  }
  Nodes all = detail::collect(tape, y.size() * orders.size(), [&](camber_tape *t, camber_node *out) {
    return camber_directional(t, y.data(), y.size(), x.data(), x.size(), v.data(), directions.size(), flat.data(), orders.size(), out);
  });
  std::vector<Nodes> result;
  for (std::size_t w = 0; w < orders.size(); w++)
    result.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(w * y.size()), all.begin() + static_cast<std::ptrdiff_t>((w + 1) * y.size()));
  return result;
}

namespace detail {
using Pullback = camber_status (*)(camber_tape *, const camber_node *, const camber_node *, std::size_t, const camber_node *,
                                   std::size_t, camber_node *);
inline Nodes pull(Pullback f, const Nodes &outputs, const Nodes &cotangents, const Nodes &inputs) {
  same(outputs.size(), cotangents.size(), "vjp: the counts of outputs and cotangents");
  auto y = ids(outputs), w = ids(cotangents), x = ids(inputs);
  return collect(inner(inner(outputs), inner(inner(inputs), inner(cotangents))), x.size(), [&](camber_tape *t, camber_node *out) {
    return f(t, y.data(), w.data(), y.size(), x.data(), x.size(), out);
  });
}
}  // namespace detail

inline Nodes vjp(const Nodes &outputs, const Nodes &cotangents, const Nodes &inputs) {
  return detail::pull(camber_vjp, outputs, cotangents, inputs);
}
template <class N, detail::if_node<N> = 0>
Node vjp(const Node &y, const N &w, const N &x) { return vjp(Nodes{y}, Nodes{w}, Nodes{x})[0]; }

/* The same of outputs that are linear in the inputs. */
inline Nodes linear_transpose(const Nodes &outputs, const Nodes &cotangents, const Nodes &inputs) {
  return detail::pull(camber_linear_transpose, outputs, cotangents, inputs);
}

/* The gradient of a scalar. */
inline Nodes grad(const Node &output, const Nodes &inputs) {
  auto x = detail::ids(inputs);
  return detail::collect(detail::inner(output.tape_ref(), detail::inner(inputs)), x.size(), [&](camber_tape *t, camber_node *out) {
    return camber_grad(t, output.id(), x.data(), x.size(), out);
  });
}
template <class N, detail::if_node<N> = 0>
Node grad(const Node &output, const N &x) { return grad(output, Nodes{x})[0]; }

/* The Hessian of a scalar times vectors, one an input. */
inline Nodes hvp(const Node &output, const Nodes &inputs, const Nodes &vectors) {
  detail::same(inputs.size(), vectors.size(), "hvp: the counts of inputs and vectors");
  auto x = detail::ids(inputs), v = detail::ids(vectors);
  detail::TapeRef *tape = detail::inner(output.tape_ref(), detail::inner(detail::inner(inputs), detail::inner(vectors)));
  return detail::collect(tape, x.size(), [&](camber_tape *t, camber_node *out) {
    return camber_hvp(t, output.id(), x.data(), v.data(), x.size(), out);
  });
}
template <class N, detail::if_node<N> = 0>
Node hvp(const Node &output, const N &x, const N &v) { return hvp(output, Nodes{x}, Nodes{v})[0]; }

/* ---- Matrices ------------------------------------------------------------------------------------------------------------ */

inline Blocks jacobian(const Nodes &outputs, const Nodes &inputs, Mode mode = Mode::automatic) {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
  return {detail::collect(tape, y.size() * x.size(), [&](camber_tape *t, camber_node *out) {
            return camber_jacobian(t, y.data(), y.size(), x.data(), x.size(), static_cast<std::int32_t>(mode), out);
          }), x.size()};
}
template <class N, detail::if_node<N> = 0>
Node jacobian(const Node &y, const N &x, Mode mode = Mode::automatic) { return jacobian(Nodes{y}, Nodes{x}, mode).nodes[0]; }

inline Blocks hessian(const Node &output, const Nodes &inputs) {
  auto x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(output.tape_ref(), detail::inner(inputs));
  return {detail::collect(tape, x.size() * x.size(), [&](camber_tape *t, camber_node *out) {
            return camber_hessian(t, output.id(), x.data(), x.size(), out);
          }), x.size()};
}
template <class N, detail::if_node<N> = 0>
Node hessian(const Node &output, const N &x) { return hessian(output, Nodes{x}).nodes[0]; }

/* What an order of vertex elimination costs (camber_elimination_cost). */
struct EliminationCost {
  std::int64_t vertices, edges, products, sums;
};

/* The Jacobian's blocks by vertex elimination in an order by name: straight-line nodes. */
inline Blocks elimination(const Nodes &outputs, const Nodes &inputs, const char *order = "best") {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
  return {detail::collect(tape, y.size() * x.size(), [&](camber_tape *t, camber_node *out) {
            return camber_elimination(t, y.data(), y.size(), x.data(), x.size(), order, out);
          }), x.size()};
}
inline EliminationCost elimination_cost(const Nodes &outputs, const Nodes &inputs, const char *order = "best", bool every = false) {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
  std::int64_t costs[4] = {0, 0, 0, 0};
  detail::collect(tape, 0, [&](camber_tape *t, camber_node *) {
    return camber_elimination_cost(t, y.data(), y.size(), x.data(), x.size(), order, every ? 1 : 0, costs);
  });
  return {costs[0], costs[1], costs[2], costs[3]};
}
/* What edge pushing costs for the Hessian of a scalar (camber_edge_pushing_cost). */
inline EliminationCost edge_pushing_cost(const Node &output, const Nodes &inputs) {
  auto x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(detail::inner(Nodes{output}), detail::inner(inputs));
  std::int64_t costs[4] = {0, 0, 0, 0};
  detail::collect(tape, 0, [&](camber_tape *t, camber_node *) { return camber_edge_pushing_cost(t, output.id(), x.data(), x.size(), costs); });
  return {costs[0], costs[1], costs[2], costs[3]};
}
/* The same values, whose derivatives multiply by the local Jacobian, accumulated once. */
inline Nodes preaccumulate(const Nodes &outputs, const Nodes &inputs) {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
  return detail::collect(tape, y.size(), [&](camber_tape *t, camber_node *out) {
    return camber_preaccumulate(t, y.data(), y.size(), x.data(), x.size(), out);
  });
}

/* ---- Other transforms ------------------------------------------------------------------------------------------------------ */

/* outputs for a whole batch: inputs[j] is replaced by batched[j], with one more, leading, axis. */
inline Nodes batch(const Nodes &outputs, const Nodes &inputs, const Nodes &batched, std::int64_t size) {
  detail::same(inputs.size(), batched.size(), "batch: the counts of inputs and batched inputs");
  auto y = detail::ids(outputs), x = detail::ids(inputs), b = detail::ids(batched);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(detail::inner(inputs), detail::inner(batched)));
  return detail::collect(tape, y.size(), [&](camber_tape *t, camber_node *out) {
    return camber_batch(t, y.data(), y.size(), x.data(), b.data(), x.size(), size, out);
  });
}
inline Nodes substitute(const Nodes &outputs, const Nodes &inputs, const Nodes &replacements) {
  detail::same(inputs.size(), replacements.size(), "substitute: the counts of inputs and replacements");
  auto y = detail::ids(outputs), x = detail::ids(inputs), r = detail::ids(replacements);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(detail::inner(inputs), detail::inner(replacements)));
  return detail::collect(tape, y.size(), [&](camber_tape *t, camber_node *out) {
    return camber_substitute(t, y.data(), y.size(), x.data(), r.data(), x.size(), out);
  });
}
inline Nodes simplify(const Nodes &outputs) {
  auto y = detail::ids(outputs);
  return detail::collect(detail::inner(outputs), y.size(), [&](camber_tape *t, camber_node *out) {
    return camber_simplify(t, y.data(), y.size(), out);
  });
}
/* Float inputs keep their dtype, what is behind them computes in `compute`, results are cast to `output`. */
inline Nodes precision(const Nodes &outputs, const Nodes &inputs, DType compute, DType output = f32) {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  return detail::collect(detail::inner(detail::inner(outputs), detail::inner(inputs)), y.size(), [&](camber_tape *t, camber_node *out) {
    return camber_precision(t, y.data(), y.size(), x.data(), x.size(), raw(compute), raw(output), out);
  });
}

/* ---- Penalties and clipping ---------------------------------------------------------------------------------------------------- */

inline Node l1_penalty(const Nodes &nodes) {
  auto n = detail::ids(nodes);
  detail::TapeRef *tape = detail::inner(nodes);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_l1_penalty(tape->handle.get(), n.data(), n.size()));
}
/* Half the squared norm of the gradient of `loss` by `nodes`. */
inline Node gradient_penalty(const Node &loss, const Nodes &nodes) {
  auto n = detail::ids(nodes);
  detail::TapeRef *tape = detail::inner(detail::inner({loss}), detail::inner(nodes));
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_gradient_penalty(tape->handle.get(), detail::ids({loss})[0], n.data(), n.size()));
}
inline Node l2_penalty(const Nodes &nodes) {
  auto n = detail::ids(nodes);
  detail::TapeRef *tape = detail::inner(nodes);
  if (!tape) detail::fail(tape);
  return detail::made(tape, camber_l2_penalty(tape->handle.get(), n.data(), n.size()));
}

#define CAMBER_X(name)                                                                                     \
  inline Nodes name(const Nodes &nodes, double limit) {                                                    \
    auto n = detail::ids(nodes);                                                                           \
    return detail::collect(detail::inner(nodes), n.size(), [&](camber_tape *t, camber_node *out) {         \
      return camber_##name(t, n.data(), n.size(), limit, out);                                             \
    });                                                                                                    \
  }
CAMBER_X(clip_by_global_norm)
CAMBER_X(clip_by_value)
CAMBER_X(clip_by_norm)
#undef CAMBER_X

}  // namespace camber
#endif
