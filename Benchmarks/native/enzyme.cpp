/* Enzyme: PROBLEM's plain C++ differentiated by the compiler; compiled and called by enzyme.py. Results: outputs, then gradient,
 * product or Jacobian; with -DBATCH those of all points of `many`.
 */
#include "problems.hpp"

extern int enzyme_dup, enzyme_dupnoneed, enzyme_const, enzyme_width;
template <class... A>
void __enzyme_autodiff(void *, A...);
template <class... A>
void __enzyme_fwddiff(void *, A...);

namespace {

using Problem = bench::PROBLEM;
using bench::Doubles, bench::Wanted;

void values(const Problem *problem, const double *v, double *out) { (*problem)(v, out); }

/* out is the value, slope the gradient. */
void gradient(const Problem *problem, const double *v, std::size_t n, double *out, double *slope) {
  double one = 1;
  for (std::size_t i = 0; i < n; i++) slope[i] = 0;
  __enzyme_autodiff((void *)values, enzyme_const, problem, enzyme_dup, v, slope, enzyme_dup, out, &one);
}
void product(const Problem *problem, const double *v, const double *along, std::size_t n, double *slope, double *out) {
  double value = 0, change = 0;
  for (std::size_t i = 0; i < n; i++) out[i] = 0;
  __enzyme_fwddiff((void *)gradient, enzyme_const, problem, enzyme_dup, v, along, enzyme_const, n, enzyme_dup, &value, &change, enzyme_dup, slope, out);
}

/* Tangents go side by side, WIDTH at a time. */
#ifndef WIDTH
#define WIDTH 4
#endif
#if WIDTH == 4
#define EACH(x, step) x, x + step, x + 2 * (step), x + 3 * (step)
#else
#define EACH(x, step) x
#endif
/* seeds [n + WIDTH, n]: the identity and zeros; columns [n + WIDTH, m]. */
void jacobian(const Problem *problem, const double *v, const double *seeds, std::size_t n, std::size_t m, double *out, double *columns, double *slope) {
  for (std::size_t j = 0; j < n; j += WIDTH) {
    const double *s = seeds + j * n;
    double *c = columns + j * m;
    __enzyme_fwddiff((void *)values, enzyme_width, WIDTH, enzyme_const, problem, enzyme_dup, v, EACH(s, n), enzyme_dup, out, EACH(c, m));
  }
  for (std::size_t i = 0; i < m; i++)
    for (std::size_t j = 0; j < n; j++) slope[i * n + j] = columns[j * m + i];
}

}  // namespace

int engine_main(const char *folder, const char *to) {
  std::ios_base::Init streams;
  const char *argv[] = {"enzyme", folder, to};
  bench::Worker worker(3, const_cast<char **>(argv));
  Problem problem(worker);
  Doubles at = Problem::point(worker);
  std::size_t n = at.size(), m = problem.outputs(), points = 1;
#ifdef BATCH
  at = worker.read("many"), points = at.size() / n;
#endif
  Doubles value(m * points), slope(n * m * points), v;
  if constexpr (Problem::wanted == Wanted::gradient)
    return worker.serve([&] { bench::keep(at[0]), gradient(&problem, at.data(), n, value.data(), slope.data()), bench::keep(slope[0]); }, [&] { return bench::join({value, slope}); });
  else if constexpr (Problem::wanted == Wanted::hvp) {
    Doubles along = worker.read("v"), out(n);
    return worker.serve([&] { bench::keep(at[0]), product(&problem, at.data(), along.data(), n, slope.data(), out.data()), bench::keep(out[0]); }, [&] { return out; });
  } else {
    Doubles seeds(n * (n + WIDTH)), columns(m * (n + WIDTH));
    for (std::size_t i = 0; i < n; i++) seeds[i * n + i] = 1;
    return worker.serve(
        [&] {
          bench::keep(at[0]);
          for (std::size_t p = 0; p < points; p++) jacobian(&problem, &at[p * n], seeds.data(), n, m, &value[p * m], columns.data(), &slope[p * n * m]);
          bench::keep(slope[0]);
        },
        [&] { return bench::join({value, slope}); });
  }
}
