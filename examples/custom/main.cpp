// Kepler's equation E - e sin E = M, solved by the host, as an operator with its own derivative.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <cmath>
#include <cstdio>

static void print(const char *name, const std::vector<double> &values) {
  std::printf("%s", name);
  for (double v : values) std::printf(" %.10f", v);
  std::printf("\n");
}

int main() {
  camber::Operator kepler("kepler", 2, 1, [](const camber::Call &, const void *const *x, void *const *y) {
    double m = *static_cast<const double *>(x[0]), e = *static_cast<const double *>(x[1]), E = m;
    if (!(e >= 0 && e < 1)) throw std::domain_error("the orbit is not closed");
    for (int i = 0; i < 50; i++) {
      double step = (E - e * std::sin(E) - m) / (1 - e * std::cos(E));
      E -= step;
      if (std::fabs(step) < 1e-15) break;
    }
    *static_cast<double *>(y[0]) = E;
  });
  kepler.jvp_nodes([](const camber::Nodes &x, const camber::Nodes &y, const camber::Nodes &d) {
    return camber::Nodes{(d[0] + sin(y[0]) * d[1]) / (1 - x[1] * cos(y[0]))};
  });

  camber::Tape tape;
  auto m = tape.input(), e = tape.input(), many = tape.input(camber::f64, {3});
  auto E = kepler(m, e);
  auto g = grad(E, camber::Nodes{m, e}), h = hessian(E, camber::Nodes{m, e}).nodes;
  camber::Program f({m, e, many}, {E, stack(g), stack(h), camber::batch(camber::Nodes{E}, camber::Nodes{m}, camber::Nodes{many}, 3)[0]});
  auto r = f({{1}, {0.3}, {0.5, 1, 2}});
  print("E", r[0]);
  print("gradient", r[1]);
  print("hessian", r[2]);
  print("batch", r[3]);
  try {
    f({{1}, {1.2}, {0.5, 1, 2}});
  } catch (const std::domain_error &problem) {
    std::printf("failed: %s\n", problem.what());
  }
}
