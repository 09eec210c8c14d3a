#include <camber.hpp>
#include <cmath>
#include <cstdio>

int main() {
  camber::Tape tape;
  auto x = tape.input(), y = softsign(x), slope = grad(y, x), bend = grad(slope, x);
  camber::Program f({x}, {y, slope, bend});
  for (double at : {0.5, -2.0, 3.0}) {
    double s = 1 / (1 + std::fabs(at)), want[] = {at * s, s * s, (at > 0 ? -2 : 2) * s * s * s};
    auto got = f({{at}});
    for (int k = 0; k < 3; k++)
      if (!(std::fabs(got[k][0] - want[k]) <= 1e-15)) return std::fprintf(stderr, "%.17g is not %.17g\n", got[k][0], want[k]), 1;
  }
}
