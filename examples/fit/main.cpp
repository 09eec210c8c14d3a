// A decay fitted by Levenberg-Marquardt, with the data as arguments; and a narrow valley by Newton's method. Derivatives are exact.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <cmath>
#include <cstdio>

static void solve(const char *name, camber::Solver s, std::vector<double> x, const camber::Inputs &data = {}) {
  s.run({x.data()}, data);
  std::printf("%s", name);
  for (double v : x) std::printf(" %.8f", v);
  std::printf("\n%s\n", s.message().c_str());
}

int main() {
  constexpr int points = 40;
  camber::Tape tape;
  auto p = tape.input(camber::f64, {3}), time = tape.input(camber::f64, {points}), seen = tape.input(camber::f64, {points});
  auto r = p[0] * exp(-(p[1] * time)) + p[2] - seen;
  std::vector<double> at(points), value(points);
  for (int i = 0; i < points; i++) at[i] = 0.1 * i, value[i] = 2.5 * std::exp(-1.3 * at[i]) + 0.5 + (i % 2 ? 0.01 : -0.01);
  solve("decay", camber::Solver::least_squares({r}, {p}, {time, seen}), {1, 1, 0}, {at.data(), value.data()});

  auto x = tape.input(camber::f64, {2});
  solve("valley", camber::Solver::minimize(100 * square(x[1] - square(x[0])) + square(x[0] - 1), {x}, {}, "newton-cg"), {-1.2, 1});
}
