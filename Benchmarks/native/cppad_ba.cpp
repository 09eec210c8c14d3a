/* CppAD: one observation recorded, its two rows by reverse sweeps at each of the points. */
#include <cppad/cppad.hpp>

#include "problems.hpp"

int main(int argc, char **argv) {
  using bench::Doubles;
  using Real = CppAD::AD<double>;
  bench::Worker worker(argc, argv);
  bench::Bundle problem(worker);
  Doubles all = worker.read("many"), at(all.begin(), all.begin() + 15);
  std::vector<Real> x(at.begin(), at.end()), y(2);
  CppAD::Independent(x);
  problem(x.data(), y.data());
  CppAD::ADFun<double> f(x, y);
  f.optimize();
  f.check_for_nan(false);
  std::size_t p = all.size() / 15;
  Doubles errors(2 * p), blocks(30 * p), value, slope, seeds[2] = {{1, 0}, {0, 1}};
  return worker.serve(
      [&] {
        for (std::size_t i = 0; i < p; i++) {
          at.assign(all.begin() + 15 * i, all.begin() + 15 * i + 15);
          value = f.Forward(0, at);
          std::copy(value.begin(), value.end(), &errors[2 * i]);
          for (int r = 0; r < 2; r++) slope = f.Reverse(1, seeds[r]), std::copy(slope.begin(), slope.end(), &blocks[30 * i + 15 * r]);
        }
      },
      [&] { return bench::join({errors, blocks}); });
}
