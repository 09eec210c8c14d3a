/* Sacado: the Jacobian of PROBLEM by forward mode, all DIRECTIONS at once, at its point or with -DBATCH at all points of `many`.
 * Results: outputs, then the Jacobian.
 */
#define TRILINOS_NO_CONFIG_H   /* the headers alone, without Kokkos and Teuchos */
#include <Sacado_No_Kokkos.hpp>

#include "problems.hpp"

int main(int argc, char **argv) {
  using bench::Doubles;
  using Real = Sacado::Fad::SFad<double, DIRECTIONS>;
  bench::Worker worker(argc, argv);
  bench::PROBLEM problem(worker);
  Doubles at = bench::PROBLEM::point(worker);
  std::size_t n = at.size(), m = problem.outputs(), points = 1;
#ifdef BATCH
  at = worker.read("many"), points = at.size() / n;
#endif
  Doubles values(m * points), slopes(m * n * points);
  std::vector<Real> x(n), y(m);
  return worker.serve(
      [&] {
        bench::keep(at[0]);
        for (std::size_t p = 0; p < points; p++) {
          for (std::size_t i = 0; i < n; i++) x[i] = Real(DIRECTIONS, int(i), at[p * n + i]);
          problem(x.data(), y.data());
          for (std::size_t i = 0; i < m; i++) {
            values[p * m + i] = y[i].val();
            for (std::size_t j = 0; j < n; j++) slopes[(p * m + i) * n + j] = y[i].fastAccessDx(int(j));
          }
        }
        bench::keep(slopes[0]);
      },
      [&] { return bench::join({values, slopes}); });
}
