/* Camber, C++: residuals and Jacobian of the hand, by the model of Tests/cpp/adbench.cpp. */
#define main adbench_main
#include "adbench.cpp"
#undef main

#include "camber_engine.hpp"

int main(int argc, char **argv) {
  bench::Worker worker(argc, argv);
  folder = std::getenv("CAMBER_ADBENCH");
  Hand model;                                 /* its vertices are the row's */
  model.positions.clear(), model.weights.clear();
  std::size_t bones = worker.dim("weights", 1);
  Doubles rest = worker.read("rest"), weights = worker.read("weights");
  for (std::size_t v = 0; v < worker.dim("rest", 0); v++) {
    model.positions.emplace_back(rest.begin() + dim(4 * v), rest.begin() + dim(4 * v + 4));
    model.weights.emplace_back(weights.begin() + dim(bones * v), weights.begin() + dim(bones * v + bones));
  }
  std::vector<Doubles> point = {worker.read("theta")};
  std::vector<std::size_t> vertices;
  for (double v : worker.read("picks")) vertices.push_back(std::size_t(v));
  std::int64_t n = dim(vertices.size());
  camber::Tape tape;
  Node theta = tape.input(f64, {dim(point[0].size())});
  Node error = (tape.array(worker.read("measured"), {n, 3}) - model.posed(tape, theta, vertices).T()).reshape({3 * n});
  bench::Runner run({theta}, {error, camber::jacobian(error, theta)});
  return bench::serve(worker, run, point);
}
