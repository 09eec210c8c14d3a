/* CppAD: PROBLEM recorded once, optimised, run at its point. Results: outputs, then gradient, product or Jacobian. */
#include <cppad/cppad.hpp>

#include "problems.hpp"

int main(int argc, char **argv) {
  using bench::Doubles, bench::Wanted;
  using Real = CppAD::AD<double>;
  bench::Worker worker(argc, argv);
  bench::PROBLEM problem(worker);
  Doubles at = bench::PROBLEM::point(worker), value, slope, v;
  std::vector<Real> x(at.begin(), at.end()), y(problem.outputs());
  CppAD::Independent(x);
  problem(x.data(), y.data());
  CppAD::ADFun<double> f(x, y);
  f.optimize();
  f.check_for_nan(false);
  std::size_t n = at.size(), m = y.size();
  Doubles one(m, 1), zeros(n * n);
  if constexpr (problem.wanted == Wanted::hvp) v = worker.read("v");
  for (std::size_t i = 0; i < n; i++) zeros[i * n + i] = 1;
  return worker.serve(
      [&] {
        value = f.Forward(0, at);
        if constexpr (problem.wanted == Wanted::gradient) slope = f.Reverse(1, one);
        else if constexpr (problem.wanted == Wanted::hvp) f.Forward(1, v), slope = f.Reverse(2, one);
        else slope = f.Forward(1, n, zeros);   /* all directions at once: [m, n] */
        bench::keep(slope[0]);
      },
      [&] {
        if (problem.wanted != Wanted::hvp) return bench::join({value, slope});
        Doubles product;   /* [n, 2]: the gradient, then the Hessian's product */
        for (std::size_t i = 0; i < n; i++) product.push_back(slope[2 * i + 1]);
        return product;
      });
}
