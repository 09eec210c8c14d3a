/* Camber, C++: value and gradient of the Lorenz-96 rollout, or with -DHVP the Hessian times v. The steps are one
 * scan.
 */
#include "camber_engine.hpp"

using namespace bench;

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  std::vector<Doubles> point = {worker.read("start"), worker.read("force")};
  std::int64_t n = dim(point[0].size()), steps = std::int64_t(worker.number("steps"));
  double h = worker.number("h");
  camber::Tape tape;
  Nodes in = {tape.input(f64, {n}), tape.input(f64, {n})};
  auto slope = [&](const Node &x, const Node &f) { return (roll(x, -1) - roll(x, 2)) * roll(x, 1) - x + f; };
  auto loop = camber::scan({in[0]}, {}, steps, [&](const Nodes &carry, const Nodes &) -> camber::Loop {
    Node x = carry[0], a = slope(x, in[1]), b = slope(x + 0.5 * h * a, in[1]), c = slope(x + 0.5 * h * b, in[1]), d = slope(x + h * c, in[1]);
    return {{x + h / 6 * (a + 2 * b + 2 * c + d)}, {}};
  });
  Node value = 0.5 * sum(square(loop.carry[0]));
#ifdef HVP
  Doubles v = worker.read("v"), first(v.begin(), v.begin() + n), second(v.begin() + n, v.end());
  Nodes directions = {tape.input(f64, {n}), tape.input(f64, {n})};
  Nodes products = hvp(value, in, directions);
  Runner run({in[0], in[1], directions[0], directions[1]}, products);
  point.push_back(first), point.push_back(second);
#else
  Nodes slopes = grad(value, in);
  Runner run(in, {value, slopes[0], slopes[1]});
#endif
  return serve(worker, run, point);
}
