/* ADOL-C: PROBLEM recorded once, run by its drivers. Results: outputs, then gradient, product or Jacobian. */
#include <adolc/adolc.h>

#include "problems.hpp"

int main(int argc, char **argv) {
  using bench::Doubles, bench::Wanted;
  bench::Worker worker(argc, argv);
  bench::PROBLEM problem(worker);
  Doubles at = bench::PROBLEM::point(worker), value(problem.outputs());
  std::size_t n = at.size(), m = value.size();
  trace_on(1, 1);
  {
    std::vector<adouble> x(n), y(m);
    for (std::size_t i = 0; i < n; i++) x[i] <<= at[i];
    problem(x.data(), y.data());
    for (std::size_t i = 0; i < m; i++) y[i] >>= value[i];
  }
  trace_off();
  Doubles slope(m * n), v(n), weight(m, 1), identity(n * n);
  if constexpr (problem.wanted == Wanted::hvp) v = worker.read("v");
  std::vector<double *> rows, columns;
  for (std::size_t i = 0; i < m; i++) rows.push_back(&slope[i * n]);
  for (std::size_t i = 0; i < n; i++) identity[i * n + i] = 1, columns.push_back(&identity[i * n]);
  return worker.serve(
      [&] {
        if constexpr (problem.wanted == Wanted::gradient) {
          zos_forward(1, int(m), int(n), 1, at.data(), value.data());
          fos_reverse(1, int(m), int(n), weight.data(), slope.data());
        } else if constexpr (problem.wanted == Wanted::hvp) hess_vec(1, int(n), at.data(), v.data(), slope.data());
        else fov_forward(1, int(m), int(n), int(n), at.data(), columns.data(), value.data(), rows.data());
        bench::keep(slope[0]);
      },
      [&] { return problem.wanted == Wanted::hvp ? slope : bench::join({value, slope}); });
}
