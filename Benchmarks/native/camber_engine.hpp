/* What the Camber engines share: a program run on doubles or floats, its outputs as results. */
#ifndef BENCH_CAMBER_ENGINE_HPP
#define BENCH_CAMBER_ENGINE_HPP

#include <camber.hpp>

#include "worker.hpp"

namespace bench {

using camber::f32, camber::f64, camber::Node, camber::Nodes, camber::Shape;

inline std::int64_t dim(std::size_t n) { return static_cast<std::int64_t>(n); }

inline Shape shape_of(const Worker &w, const char *name) {
  Shape s;
  for (std::size_t d : w.shape(name)) s.push_back(dim(d));
  return s;
}

/* A program with its workspace and the arrays it runs on. */
class Runner {
 public:
  /* threads: of its runs; 0: as the program has it. */
  Runner(const Nodes &in, const Nodes &out, int threads = 0) : program_(in, out), workspace_(threads ? program_.set("threads", threads) : program_) {
    for (std::size_t i = 0; i < out.size(); i++) {
      results_.emplace_back((program_.output_type(i).bytes() + 7) / 8);
      to_.push_back(results_.back().data());
    }
  }
  void operator()(const camber::Inputs &at) {
    camber::detail::check(camber_run(program_.handle(), workspace_.handle(), at.data(), to_.data()), "run");
  }
  camber::Program &program() { return program_; }
  const Doubles &result(std::size_t i) const { return results_[i]; }
  Doubles results() const {
    Doubles all;
    for (std::size_t i = 0; i < results_.size(); i++) {
      std::size_t n = program_.output_type(i).size();
      if (program_.output_type(i).dtype == f64) all.insert(all.end(), results_[i].begin(), results_[i].begin() + dim(n));
      else for (std::size_t k = 0; k < n; k++) all.push_back(reinterpret_cast<const float *>(results_[i].data())[k]);
    }
    return all;
  }

 private:
  camber::Program program_;
  camber::Workspace workspace_;
  std::vector<Doubles> results_;
  std::vector<void *> to_;
};

/* Serves one program at one point; EXPLAIN=1 in the environment prints what runs. */
inline int serve(Worker &worker, Runner &run, const std::vector<Doubles> &point) {
  camber::Inputs at;
  for (const Doubles &p : point) at.push_back(p.data());
  if (std::getenv("EXPLAIN")) std::fputs(run.program().explain().c_str(), stderr);
  return worker.serve([&] { run(at); }, [&] { return run.results(); });
}

}  // namespace bench
#endif
