/* The host's own: operators whose value C++ computes, and derivatives for recorded functions. What a callback throws is thrown again
 * by the call that it came from: by Program::run, or by grad, jvp and the others. */
#ifndef CAMBER_HOST_HPP
#define CAMBER_HOST_HPP

#include <atomic>
#include <functional>

#include "transforms.hpp"

namespace camber {

/* One call of a callback: the types of its arrays, numbered as camber_call_dtype says. */
class Call {
 public:
  explicit Call(camber_call *call) : call_(call) {}
  DType dtype(std::size_t i) const { return static_cast<DType>(camber_call_dtype(call_, i)); }
  std::size_t size(std::size_t i) const noexcept { return camber_call_size(call_, i); }
  Shape shape(std::size_t i) const {
    Shape s;
    for (std::int64_t a = 0; a < camber_call_rank(call_, i); a++) s.push_back(camber_call_dim(call_, i, a));
    return s;
  }
  /* In batch callbacks: instances, and whether array i has one each along a leading axis. */
  std::int64_t batch() const noexcept { return camber_call_batch(call_); }
  bool is_batched(std::size_t i) const noexcept { return camber_call_is_batched(call_, i) != 0; }

 private:
  camber_call *call_;
};

/* Derivatives as nodes: results from inputs, outputs and directions (no node for what is no float); an empty Node is a structural zero. */
using DerivativeRule = std::function<Nodes(const Nodes &inputs, const Nodes &outputs, const Nodes &directions)>;

namespace detail {

/* A tape lent to a callback, as nodes want it. */
struct Lent {
  TapeRef ref;
  explicit Lent(camber_tape *tape) {
    ref.handle.reset(tape);
    ref.depth = 1 << 20;
  }
  ~Lent() { (void)ref.handle.release(); }
  Nodes nodes(const camber_node *ids, std::size_t n) {
    Nodes out;
    for (std::size_t i = 0; i < n; i++) out.push_back(ids[i] == CAMBER_NONE ? Node() : Node(&ref, ids[i]));
    return out;
  }
};

template <class F>
camber_status guarded(F f) noexcept {
  try {
    f();
    return CAMBER_OK;
  } catch (...) {
    thrown() = std::current_exception();
    return CAMBER_ECALLBACK;
  }
}

inline void give(const Nodes &from, camber_node *to, std::size_t n, const std::string &name) {
  if (from.size() != n) throw error(CAMBER_EINVAL, name + ": its rule gives " + std::to_string(from.size()) + " results, not " + std::to_string(n));
  for (std::size_t i = 0; i < n; i++) to[i] = from[i].id();
}

/* What a table's callbacks reach, kept by those who hold the table. */
struct HostState {
  std::atomic<long> count{1};
  std::string name;
  std::size_t inputs = 0, outputs = 0;
  std::function<Nodes(const Nodes &)> types;
  std::function<void(const Call &, const void *const *, void *const *)> value, batch;
  std::function<void(const Call &, const void *const *, const void *const *, const void *const *, void *const *)> jvp, vjp;
  DerivativeRule jvp_nodes, vjp_nodes;
  std::function<std::vector<std::pair<std::int64_t, std::int64_t>>(std::size_t, std::size_t)> sparsity;

  static HostState &of(void *payload) { return *static_cast<HostState *>(payload); }
  static void retain(void *payload) { of(payload).count++; }
  static void release(void *payload) {
    if (--of(payload).count == 0) delete static_cast<HostState *>(payload);
  }
  static camber_status call_types(void *payload, camber_tape *tape, const camber_node *x, std::size_t n, camber_node *y) {
    return guarded([&] {
      Lent t(tape);
      give(of(payload).types(t.nodes(x, n)), y, of(payload).outputs, of(payload).name);
    });
  }
  static camber_status call_value(void *payload, camber_call *call, const void *const *x, void *const *y) {
    return guarded([&] { of(payload).value(Call(call), x, y); });
  }
  static camber_status call_batch(void *payload, camber_call *call, const void *const *x, void *const *y) {
    return guarded([&] { of(payload).batch(Call(call), x, y); });
  }
  static camber_status call_jvp(void *payload, camber_call *call, const void *const *x, const void *const *y, const void *const *d, void *const *r) {
    return guarded([&] { of(payload).jvp(Call(call), x, y, d, r); });
  }
  static camber_status call_vjp(void *payload, camber_call *call, const void *const *x, const void *const *y, const void *const *d, void *const *r) {
    return guarded([&] { of(payload).vjp(Call(call), x, y, d, r); });
  }
  static camber_status call_sparsity(void *payload, std::size_t output, std::size_t input, std::int64_t *rows, std::int64_t *columns, std::size_t capacity,
                                     std::size_t *count) {
    return guarded([&] {
      auto places = of(payload).sparsity(output, input);
      *count = places.size();
      for (std::size_t i = 0; i < places.size() && i < capacity; i++) rows[i] = places[i].first, columns[i] = places[i].second;
    });
  }
  static camber_status call_jvp_nodes(void *payload, camber_tape *tape, const camber_node *x, const camber_node *y, const camber_node *d, camber_node *r) {
    HostState &s = of(payload);
    return guarded([&] {
      Lent t(tape);
      give(s.jvp_nodes(t.nodes(x, s.inputs), t.nodes(y, s.outputs), t.nodes(d, s.inputs)), r, s.outputs, s.name);
    });
  }
  static camber_status call_vjp_nodes(void *payload, camber_tape *tape, const camber_node *x, const camber_node *y, const camber_node *d, camber_node *r) {
    HostState &s = of(payload);
    return guarded([&] {
      Lent t(tape);
      give(s.vjp_nodes(t.nodes(x, s.inputs), t.nodes(y, s.outputs), t.nodes(d, s.outputs)), r, s.inputs, s.name);
    });
  }
};

}  // namespace detail

/* An operator whose value C++ computes when a program runs. Copies share one table; set it up before it is applied.
 *
 *     camber::Operator lookup("lookup", 1, 1, [&](const camber::Call &, const void *const *x, void *const *y) {
 *       *static_cast<double *>(y[0]) = table.at(*static_cast<const double *>(x[0]));     // what it throws, run throws
 *     });
 *     lookup.jvp_nodes([](auto &x, auto &, auto &d) { return camber::Nodes{cos(x[0]) * d[0]}; });
 *     camber::Node y = lookup(x);
 */
class Operator {
 public:
  using Value = std::function<void(const Call &, const void *const *inputs, void *const *outputs)>;
  using Direction = std::function<void(const Call &, const void *const *inputs, const void *const *outputs, const void *const *directions, void *const *results)>;

  Operator(std::string name, std::size_t inputs, std::size_t outputs, Value value) : state_(new detail::HostState) {
    state_->name = std::move(name);
    state_->inputs = inputs;
    state_->outputs = outputs;
    state_->value = std::move(value);
  }
  Operator(const Operator &o) : state_(o.state_), pure_(o.pure_) { detail::HostState::retain(state_); }
  Operator &operator=(Operator o) {
    std::swap(state_, o.state_);
    std::swap(pure_, o.pure_);
    return *this;
  }
  ~Operator() { detail::HostState::release(state_); }

  /* Results of any nodes of the right types; else all results are of the first operand's type. */
  Operator &types(std::function<Nodes(const Nodes &)> f) { return state_->types = std::move(f), *this; }
  Operator &batch(Value f) { return state_->batch = std::move(f), *this; }
  Operator &jvp(Direction f) { return state_->jvp = std::move(f), *this; }
  Operator &vjp(Direction f) { return state_->vjp = std::move(f), *this; }
  Operator &jvp_nodes(DerivativeRule f) { return state_->jvp_nodes = std::move(f), *this; }
  Operator &vjp_nodes(DerivativeRule f) { return state_->vjp_nodes = std::move(f), *this; }
  /* The places (element of the output, element of the input, row-major) of a derivative that may be nonzero; else it is dense. */
  Operator &sparsity(std::function<std::vector<std::pair<std::int64_t, std::int64_t>>(std::size_t output, std::size_t input)> f) {
    return state_->sparsity = std::move(f), *this;
  }
  Operator &pure(bool yes = true) { return pure_ = yes, *this; }

  Nodes call(const Nodes &x) const {
    using S = detail::HostState;
    camber_operator table = {};
    table.size = sizeof table;
    table.name = state_->name.c_str();
    table.input_count = state_->inputs;
    table.output_count = state_->outputs;
    table.pure = pure_;
    table.payload = state_;
    table.retain = S::retain;
    table.release = S::release;
    if (state_->types) table.types = S::call_types;
    if (state_->value) table.value = S::call_value;
    if (state_->batch) table.batch = S::call_batch;
    if (state_->sparsity) table.sparsity = S::call_sparsity;
    if (state_->jvp) table.jvp = S::call_jvp;
    if (state_->vjp) table.vjp = S::call_vjp;
    if (state_->jvp_nodes) table.jvp_nodes = S::call_jvp_nodes;
    if (state_->vjp_nodes) table.vjp_nodes = S::call_vjp_nodes;
    auto in = detail::ids(x);
    return detail::collect(detail::inner(x), state_->outputs, [&](camber_tape *t, camber_node *out) {
      return camber_host_call(t, &table, in.data(), in.size(), out, state_->outputs);
    });
  }
  /* The one result of an operator of one. */
  template <class... N>
  Node operator()(const N &...x) const {
    Nodes y = call(Nodes{x...});
    if (y.size() != 1) throw error(CAMBER_EINVAL, state_->name + ": has " + std::to_string(y.size()) + " results; use call");
    return y[0];
  }

 private:
  detail::HostState *state_;
  bool pure_ = false;
};

/* Those places, of such a result in operand `input`. */
inline std::vector<std::pair<std::int64_t, std::int64_t>> sparsity(const Node &output, std::size_t input) {
  std::size_t n = 0;
  std::vector<std::int64_t> rows, columns;
  for (int round = 0; round < 2; round++) {
    rows.resize(n), columns.resize(n);
    detail::check(camber_node_sparsity(output.tape(), output.id(), input, rows.data(), columns.data(), rows.size(), &n), nullptr);
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (std::size_t i = 0; i < rows.size(); i++) places.emplace_back(rows[i], columns[i]);
  return places;
}

/* Derivatives for a recorded function; one is enough. `recorded`: the rules are called at once and kept as tapes, which files can hold. */
struct Rule {
  std::string name;
  DerivativeRule jvp, vjp;
  bool recorded = false;
};

namespace detail {

/* A rule on a tape of its own. */
struct RecordedRule {
  Tape tape;
  std::vector<camber_node> in, out;
  RecordedRule(const DerivativeRule &rule, const std::string &name, const Nodes &x, const Nodes &y, const Nodes &directions, const Nodes &results) {
    auto input = [&](const Node &n) {
      Node p = tape.input(n.dtype(), n.shape());
      in.push_back(p.id());
      return p;
    };
    Nodes a, b, d;
    for (const Node &n : x) a.push_back(input(n));
    for (const Node &n : y) b.push_back(input(n));
    for (const Node &n : directions) d.push_back(is_float(n.dtype()) ? input(n) : Node());
    Nodes r = rule(a, b, d);
    if (r.size() != results.size()) throw error(CAMBER_EINVAL, name + ": its rule gives " + std::to_string(r.size()) + " results, not " + std::to_string(results.size()));
    for (std::size_t i = 0; i < r.size(); i++) {
      if (!is_float(results[i].dtype())) continue;
      out.push_back(r[i].id() == CAMBER_NONE ? tape.constant(0, results[i].dtype()).broadcast(results[i].shape()).id() : r[i].id());
    }
  }
};

}  // namespace detail

/* f(inputs) with the rule's derivatives in place of its own. What f reads beside its inputs has no derivative through it. */
template <class F>
Nodes custom(const Nodes &inputs, F f, const Rule &rule) {
  using S = detail::HostState;
  detail::TapeRef *outer = detail::inner(inputs);
  Tape inside = Tape::sub(outer);
  Nodes parameters;
  for (const Node &n : inputs) parameters.push_back(inside.input(n.dtype(), n.shape()));
  Nodes outputs = f(parameters);
  camber_rule table = {};
  table.size = sizeof table;
  table.name = rule.name.c_str();
  std::unique_ptr<detail::RecordedRule> jvp, vjp;
  std::unique_ptr<S, void (*)(S *)> state(new S, [](S *s) { S::release(s); });
  if (rule.recorded) {
    if (rule.jvp) {
      jvp = std::make_unique<detail::RecordedRule>(rule.jvp, rule.name, parameters, outputs, parameters, outputs);
      table.jvp_tape = jvp->tape.handle(), table.jvp_inputs = jvp->in.data(), table.jvp_outputs = jvp->out.data();
    }
    if (rule.vjp) {
      vjp = std::make_unique<detail::RecordedRule>(rule.vjp, rule.name, parameters, outputs, outputs, parameters);
      table.vjp_tape = vjp->tape.handle(), table.vjp_inputs = vjp->in.data(), table.vjp_outputs = vjp->out.data();
    }
  } else {
    state->name = rule.name;
    state->inputs = inputs.size();
    state->outputs = outputs.size();
    state->jvp_nodes = rule.jvp;
    state->vjp_nodes = rule.vjp;
    table.payload = state.get();
    table.retain = S::retain;
    table.release = S::release;
    if (rule.jvp) table.jvp = S::call_jvp_nodes;
    if (rule.vjp) table.vjp = S::call_vjp_nodes;
  }
  auto in = detail::ids(parameters), out = detail::ids(outputs), x = detail::ids(inputs);
  return detail::collect(outer, out.size(), [&](camber_tape *t, camber_node *results) {
    return camber_custom(t, inside.handle(), in.data(), out.data(), x.data(), x.size(), &table, results, out.size());
  });
}
template <class F>
Node custom(const Node &x, F f, const Rule &rule) {
  return custom(Nodes{x}, [&](const Nodes &p) { return Nodes{f(p[0])}; }, rule)[0];
}

}  // namespace camber
#endif
