// A Gaussian process: the log-likelihood of data in the logarithms of amplitude, length and noise, its gradient and Hessian, and Newton's
// way to the maximum.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <cmath>
#include <cstdio>

using namespace camber;

int main() {
  constexpr int n = 16;
  std::vector<double> x, y, eye;
  for (int i = 0; i < n; i++) {
    x.push_back(0.4 * i);
    y.push_back(std::sin(0.4 * i) + 0.1 * std::cos(17.0 * i));
    for (int j = 0; j < n; j++) eye.push_back(i == j);
  }
  Tape tape;
  Node theta = tape.input(f64, {3}), at = tape.array(x), data = tape.array(y, {n, 1});
  Node gaps = square(at.reshape({n, 1}) - at), scales = exp(2 * theta);
  Node k = scales[0] * exp(-0.5 * gaps / scales[1]) + scales[2] * tape.array(eye, {n, n});
  Node value = -0.5 * sum(data * cholesky_solve(cholesky(k), data)) - 0.5 * slogdet(k).logabs - 0.5 * n * std::log(2 * 3.14159265358979323846);
  Node g = grad(value, theta), h = hessian(value, theta);
  // Curvatures that are no maximum's are turned over, so that a step always climbs.
  auto [w, v] = eigh(h);
  Node ascent = matmul(v, matmul(v.T(), g) / abs(w));

  Program f({theta}, {value, g, h, eigvalsh(h), ascent});
  std::vector<double> point{0, 0, -2};
  std::vector<std::vector<double>> r;
  auto print = [](const char *name, const std::vector<double> &values) {
    std::printf("%s", name);
    for (double e : values) std::printf(" %.8f", e);
    std::printf("\n");
  };
  for (int step = 0; step < 12; step++) {
    r = f({point});
    const char *names[] = {"value", "gradient", "hessian", "curvatures"};
    for (int i = 0; step == 0 && i < 4; i++) print(names[i], r[i]);
    double length = std::hypot(r[4][0], r[4][1], r[4][2]);
    for (int i = 0; i < 3; i++) point[i] += r[4][i] / std::fmax(1, 2 * length);
  }
  print("maximum", {point[0], point[1], point[2], r[0][0]});
}
