/* Camber, C++: residuals [p, 2] and Jacobian blocks [p, 2, 15] of bundle adjustment. One observation is recorded, by the
 * objective of Tests/cpp/adbench.cpp; its Jacobian is batched over all.
 */
#define main adbench_main
#include "adbench.cpp"
#undef main

#include "camber_engine.hpp"

int main(int argc, char **argv) {
  bench::Worker worker(argc, argv);
  std::vector<Doubles> point = {worker.read("many")};
  std::int64_t p = dim(worker.dim("many", 0));
  camber::Tape tape;
  Node v = tape.input(f64, {15}), many = tape.input(f64, {p, 15});
  Node error = reprojection(v.slice(0, 0, 11), v.slice(0, 11, 14), v[14], tape.array(worker.read("feature")));
  bench::Runner run({many}, camber::batch({error, camber::jacobian(error, v)}, {v}, {many}, p));
  return bench::serve(worker, run, point);
}
