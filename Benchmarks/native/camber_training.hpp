/* A training step in f32: loss and gradient by one program, Adam by the library's optimizer on the host's arrays. */
#ifndef BENCH_CAMBER_TRAINING_HPP
#define BENCH_CAMBER_TRAINING_HPP

#include "camber_engine.hpp"

namespace bench {

/* Serves steps. Results: the loss, and the parameters after the step. */
inline int train(Worker &worker, const Node &loss, const Nodes &data, const camber::Inputs &data_at, const Nodes &in,
                 std::vector<std::vector<float>> &params, const std::vector<const char *> &names) {
  Nodes all = data, out = {loss};
  for (const Node &p : in) all.push_back(p);
  for (const Node &g : grad(loss, in)) out.push_back(g);
  camber::Program program(all, out);
  camber::Workspace workspace(program);
  camber::Optimizer adam("adam", {{"learning_rate", 1e-4}, {"epsilon", 1e-6}});
  float value = 0;
  std::vector<std::vector<float>> slopes;
  for (const auto &p : params) slopes.emplace_back(p.size());
  camber::Inputs at = data_at, gradients;
  camber::Outputs to = {&value}, updated;
  for (std::size_t i = 0; i < in.size(); i++) {
    adam.add(names[i], f32, in[i].shape());
    at.push_back(params[i].data()), to.push_back(slopes[i].data());
    gradients.push_back(slopes[i].data()), updated.push_back(params[i].data());
  }
  if (std::getenv("EXPLAIN")) std::fputs(program.explain().c_str(), stderr);
  return worker.serve(
      [&] { program.run(workspace, at, to), adam.step(updated, gradients); },
      [&] {
        Doubles results = {value};
        for (auto &p : params) results.insert(results.end(), p.begin(), p.end());
        return results;
      });
}

}  // namespace bench
#endif
