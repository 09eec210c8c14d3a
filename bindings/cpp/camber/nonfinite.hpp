/* Nonfinite: where a NaN or an infinity was born; labels. */
#ifndef CAMBER_NONFINITE_HPP
#define CAMBER_NONFINITE_HPP

#include "program.hpp"
#include "training.hpp"

namespace camber {

/* `node` is called `text`, or stands at file:line, or both; it is given back. */
inline Node label(const Node &node, const std::string &text, const char *file = nullptr, std::int32_t line = 0) {
  if (detail::TapeRef *tape = node.tape_ref())
    if (camber_label(tape->handle.get(), detail::ids({node})[0], text.c_str(), file, line)) detail::fail(tape);
  return node;
}

/* What is recorded on the tape from now on stands there. */
inline void label_from(Tape &tape, const std::string &text, const char *file = nullptr, std::int32_t line = 0) {
  detail::check(camber_label_from(tape.handle(), text.c_str(), file, line), "label_from");
}
struct Label {
  std::string text, file;
  std::int32_t line;
};
/* Its own, then those of the node that it was derived from. */
inline std::vector<Label> labels(const Node &node) {
  std::vector<Label> list;
  detail::TapeRef *tape = node.tape_ref();
  if (!tape) return list;
  camber_node id = detail::ids({node})[0];
  for (std::size_t i = 0; i < camber_label_count(tape->handle.get(), id); i++) {
    const char *text = "", *file = "";
    std::int32_t line = 0;
    detail::check(camber_label_get(tape->handle.get(), id, i, &text, &file, &line), "labels");
    list.push_back({text, file, line});
  }
  return list;
}
/* The node that this one was derived from, and by what: CAMBER_SWEEP_*. */
inline std::pair<Node, std::int32_t> origin(const Node &node) {
  camber_node from = CAMBER_NONE;
  std::int32_t sweep = 0;
  detail::TapeRef *tape = node.tape_ref();
  detail::check(tape ? camber_node_origin(tape->handle.get(), detail::ids({node})[0], &from, &sweep) : CAMBER_ENODE, "origin: no node");
  return {Node(tape, from), sweep};
}

/* One operator that made a NaN or an infinity which reaches an output: see camber_nonfinite_finding. */
struct Birth {
  camber_node node;
  std::string op, kind, of, label, file, sentence, remedy;
  std::int64_t element, behind, input;
  std::int32_t sweep, line;
  double value;
  std::vector<double> operands;
  std::vector<std::int64_t> steps;
};

class Nonfinite {
 public:
  Nonfinite(const Nodes &inputs, const Nodes &outputs) {
    detail::TapeRef *tape = detail::inner(detail::inner(inputs), detail::inner(outputs));
    if (!tape) throw error(CAMBER_EINVAL, "nonfinite: no nodes");
    auto x = detail::ids(inputs), y = detail::ids(outputs);
    handle_.reset(camber_nonfinite_new(tape->handle.get(), x.data(), x.size(), y.data(), y.size()));
    if (!handle_) detail::fail(tape);
  }
  /* Takes over what camber_optimizer_nonfinite gave. */
  explicit Nonfinite(camber_nonfinite *made) : handle_(made) {}

  Nonfinite &set(const char *name, double value) {
    detail::check(camber_nonfinite_set(handle(), name, value), message().c_str());
    return *this;
  }
  /* True where an output has a number that is not finite. */
  bool run(const Inputs &inputs) { return detail::check(camber_nonfinite_run(handle(), inputs.data()), camber_nonfinite_message(handle())) == CAMBER_NONFINITE; }
  std::size_t count() const noexcept { return camber_nonfinite_count(handle()); }
  std::string message() const { return camber_nonfinite_message(handle()); }
  /* The findings, then the infinities behind them. */
  std::vector<Birth> births() const {
    std::vector<Birth> list;
    for (std::size_t i = 0; i < camber_nonfinite_total(handle()); i++) {
      Birth b{};
      const char *op = "", *kind = "", *of = "", *text = "", *file = "";
      detail::check(camber_nonfinite_finding(handle(), i, &b.node, &op, &kind, &b.element, &b.behind, &b.input), "nonfinite");
      detail::check(camber_nonfinite_origin(handle(), i, &b.sweep, &of, &text, &file, &b.line), "nonfinite");
      b.op = op, b.kind = kind, b.of = of, b.label = text, b.file = file;
      b.value = camber_nonfinite_value(handle(), i);
      b.operands.resize(camber_nonfinite_operand_count(handle(), i));
      for (std::size_t k = 0; k < b.operands.size(); k++) detail::check(camber_nonfinite_operand(handle(), i, k, &b.operands[k], nullptr, nullptr), "nonfinite");
      b.steps.resize(camber_nonfinite_steps(handle(), i, nullptr, 0));
      camber_nonfinite_steps(handle(), i, b.steps.data(), b.steps.size());
      b.sentence = camber_nonfinite_sentence(handle(), i), b.remedy = camber_nonfinite_remedy(handle(), i);
      list.push_back(b);
    }
    return list;
  }
  camber_nonfinite *handle() const noexcept { return handle_.get(); }

 private:
  detail::Handle<camber_nonfinite, camber_nonfinite_free> handle_;
};

}  // namespace camber
#endif
