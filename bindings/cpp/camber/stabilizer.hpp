/* Stabilizer: expressions that lose digits replaced by others that do not. */
#ifndef CAMBER_STABILIZER_HPP
#define CAMBER_STABILIZER_HPP

#include "program.hpp"

namespace camber {

/* One set of outputs; see camber_stabilizer_new. */
class Stabilizer {
 public:
  struct Entry {
    std::int32_t rule;
    camber_node node;
    double before, after; /* bits lost at the worst sample; NaN: not measured */
    bool made;
    std::string sentence;
  };
  Stabilizer(const Nodes &inputs, const Nodes &outputs) : tape_(detail::inner(detail::inner(inputs), detail::inner(outputs))), count_(outputs.size()) {
    if (!tape_) throw error(CAMBER_EINVAL, "stabilize: no nodes");
    auto x = detail::ids(inputs), y = detail::ids(outputs);
    handle_.reset(camber_stabilizer_new(tape_->handle.get(), x.data(), x.size(), y.data(), y.size()));
    if (!handle_) detail::fail(tape_);
  }
  Stabilizer &set(const char *name, double value) { return check(camber_stabilizer_set(handle(), name, value)); }
  /* A point at which the outputs will be wanted. */
  Stabilizer &sample(const Inputs &inputs) { return check(camber_stabilizer_sample(handle(), inputs.data())); }
  Stabilizer &range(std::size_t input, double low, double high) { return check(camber_stabilizer_range(handle(), input, low, high)); }
  /* The outputs with what was put in. */
  Nodes run() {
    std::vector<camber_node> out(count_);
    check(camber_stabilizer_run(handle(), out.data()));
    Nodes made;
    for (camber_node n : out) made.emplace_back(tape_, n);
    return made;
  }
  std::vector<Entry> journal() const {
    std::vector<Entry> list;
    for (std::size_t i = 0; i < camber_stabilizer_count(handle()); i++) {
      Entry e{};
      std::int32_t made = 0;
      detail::check(camber_stabilizer_entry(handle(), i, &e.rule, &e.node, &e.before, &e.after, &made), "stabilize");
      e.made = made != 0, e.sentence = camber_stabilizer_sentence(handle(), i);
      list.push_back(e);
    }
    return list;
  }
  std::string message() const { return camber_stabilizer_message(handle()); }
  camber_stabilizer *handle() const noexcept { return handle_.get(); }

 private:
  Stabilizer &check(camber_status s) {
    detail::check(s, camber_stabilizer_message(handle()));
    return *this;
  }
  detail::TapeRef *tape_;
  std::size_t count_;
  detail::Handle<camber_stabilizer, camber_stabilizer_free> handle_;
};

/* The outputs, stable at these samples (each one array an input, as Program::run takes them). */
inline Nodes stabilize(const Nodes &inputs, const Nodes &outputs, const std::vector<Inputs> &samples = {}) {
  Stabilizer s(inputs, outputs);
  for (const Inputs &x : samples) s.sample(x);
  return s.run();
}

}  // namespace camber
#endif
