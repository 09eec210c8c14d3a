// Newton's method with a sparse Jacobian: the steady flame of Bratu, u'' + exp(u) = 0 between two cold walls.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <algorithm>
#include <cstdio>

using namespace camber;

int main() {
  constexpr int n = 31;
  const double h2 = 1.0 / ((n + 1) * (n + 1));
  Tape tape;
  Node u = tape.input(f64, {n});
  Node left = pad(slice(u, {0}, {n - 1}), {1}, {0}), right = pad(slice(u, {1}, {n}), {0}, {1});
  Node f = left - 2 * u + right + h2 * exp(u);

  auto jacobian = SparseMatrix::jacobian({f}, {u});
  jacobian.prepare();
  Program residual({u}, {f});
  auto [starts, columns] = jacobian.pattern(SparseFormat::csr);
  auto colors = jacobian.colors().second;
  SparseMatrix::Workspace space(jacobian);

  std::vector<double> x(n), j(jacobian.count());
  for (int step = 0; step < 5; step++) {
    space.values({x.data()}, j.data());
    std::vector<double> r = residual({x})[0], d(n), high(n);
    if (step == 0) {
      std::printf("entries %zu\ncolors %d\nrow 1", jacobian.count(), *std::max_element(colors.begin(), colors.end()));
      for (int e = starts[1]; e < starts[2]; e++) std::printf(" %.6f", j[e]);
      std::printf(" at");
      for (int e = starts[1]; e < starts[2]; e++) std::printf(" %d", columns[e]);
      std::printf("\n");
    }
    // Three diagonals: elimination without pivots. Row i begins one left of the diagonal, but the first.
    for (int i = 0; i < n; i++) {
      const double *row = j.data() + starts[i] + (i > 0);
      d[i] = row[0], high[i] = i < n - 1 ? row[1] : 0, r[i] = -r[i];
      if (i > 0) {
        double w = row[-1] / d[i - 1];
        d[i] -= w * high[i - 1], r[i] -= w * r[i - 1];
      }
    }
    for (int i = n - 1; i >= 0; i--) {
      r[i] = (r[i] - (i < n - 1 ? high[i] * r[i + 1] : 0)) / d[i];
      x[i] += r[i];
    }
  }
  std::printf("middle %.8f\n", x[n / 2]);
}
