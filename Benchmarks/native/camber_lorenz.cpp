/* Camber, C++: value and gradient of the Lorenz-96 rollout, or with -DHVP the Hessian times v. The steps are one scan, or with
 * -DTAPE they are all recorded, element by element, as a tape of scalars is.
 */
#include "camber_engine.hpp"
#include "objectives.hpp"

using namespace bench;

/* x's elements moved along the ring: out[i] = x[i + k]. */
Node rolled(const Node &x, std::int64_t k) {
  std::int64_t n = x.dim(0);
  k = (k + n) % n;
  return camber::concat({x.slice(0, k, n), x.slice(0, 0, k)});
}

Node slope(const Node &x, const Node &force) { return (rolled(x, 1) - rolled(x, -2)) * rolled(x, -1) - x + force; }

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  std::vector<Doubles> point = {worker.read("start"), worker.read("force")};
  std::int64_t n = dim(point[0].size()), steps = std::int64_t(worker.number("steps"));
  double h = worker.number("h");
  camber::Tape tape;
  Nodes in = {tape.input(f64, {n}), tape.input(f64, {n})};
#ifdef TAPE
  std::vector<Node> x, force;
  for (std::int64_t i = 0; i < n; i++) x.push_back(in[0][i]), force.push_back(in[1][i]);
  Nodes end;
  {
    auto f = [&](const std::vector<Node> &x) {
      std::vector<Node> out;
      for (std::int64_t i = 0; i < n; i++) out.push_back((x[(i + 1) % n] - x[(i + n - 2) % n]) * x[(i + n - 1) % n] - x[i] + force[i]);
      return out;
    };
    auto along = [&](const std::vector<Node> &x, double t, const std::vector<Node> &k) {
      std::vector<Node> out;
      for (std::int64_t i = 0; i < n; i++) out.push_back(x[i] + t * k[i]);
      return out;
    };
    for (std::int64_t s = 0; s < steps; s++) {
      auto a = f(x), b = f(along(x, 0.5 * h, a)), c = f(along(x, 0.5 * h, b)), d = f(along(x, h, c));
      for (std::int64_t i = 0; i < n; i++) x[i] = x[i] + h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]);
    }
  }
  Node value = 0.5 * x[0] * x[0];
  for (std::int64_t i = 1; i < n; i++) value = value + 0.5 * x[i] * x[i];
#else
  auto loop = camber::scan({in[0]}, {}, steps, [&](const Nodes &carry, const Nodes &) -> camber::Loop {
    Node x = carry[0], a = slope(x, in[1]), b = slope(x + 0.5 * h * a, in[1]), c = slope(x + 0.5 * h * b, in[1]), d = slope(x + h * c, in[1]);
    return {{x + h / 6 * (a + 2 * b + 2 * c + d)}, {}};
  });
  Node value = 0.5 * sum(square(loop.carry[0]));
#endif
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
