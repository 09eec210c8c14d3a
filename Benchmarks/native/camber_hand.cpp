/* Camber, C++: residuals and Jacobian of the hand, by the model of Tests/cpp/adbench.cpp. Forward mode unless -DREVERSE. */
#define main adbench_main
#include "adbench.cpp"
#undef main

#include "camber_engine.hpp"

int main(int argc, char **argv) {
  bench::Worker worker(argc, argv);
  folder = std::getenv("CAMBER_ADBENCH");
  Hand model;
  std::vector<Doubles> point = {worker.read("theta")};
  std::vector<std::size_t> vertices;
  for (double v : worker.read("vertices")) vertices.push_back(std::size_t(v));
  std::int64_t n = dim(vertices.size());
  camber::Tape tape;
  Node theta = tape.input(f64, {dim(point[0].size())});
  Node error = (tape.array(worker.read("measured"), {n, 3}) - model.posed(tape, theta, vertices).T()).reshape({3 * n});
  bench::Runner run({theta}, {error, camber::jacobian(error, theta)});
  return bench::serve(worker, run, point);
}
