// A pendulum by Taylor series: the solution's coefficients one after the other, steps of order 16; the map's mixed derivatives.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <cmath>
#include <cstdio>

constexpr int order = 16;
constexpr double h = 0.25;

static double energy(double angle, double speed) { return 0.5 * speed * speed - std::cos(angle); }

int main() {
  camber::Tape tape;
  auto angle = tape.input(camber::f64, {}), speed = tape.input(camber::f64, {});
  camber::Nodes x{angle, speed}, f{speed, -sin(angle)}, y;
  std::vector<camber::Nodes> c(2);  // the coefficients of t, t^2, ...
  for (int k = 0; k < order; k++) {
    auto rate = k > 0 ? camber::taylor(f, x, c, static_cast<std::size_t>(k)) : std::vector<camber::Nodes>{{f[0]}, {f[1]}};
    for (std::size_t i = 0; i < 2; i++) c[i].push_back(rate[i].back() * (1.0 / (k + 1)));
  }
  for (std::size_t i = 0; i < 2; i++) {
    camber::Node sum = c[i][order - 1];
    for (int k = order - 1; k-- > 0;) sum = sum * h + c[i][static_cast<std::size_t>(k)];
    y.push_back(sum * h + x[i]);
  }
  auto zero = tape.constant(0.0), one = tape.constant(1.0);
  auto third = camber::directional({y[0]}, x, {{one, zero}, {zero, one}}, {{2, 1}});
  camber::Program walk(x, y), derivative(x, third[0]);

  std::vector<std::vector<double>> at{{1.0}, {0.5}};
  for (int k = 1; k <= 40; k++) {
    at = walk(at);
    if (k % 10 == 0) std::printf("t = %4.1f  angle %.9f  speed %.9f\n", h * k, at[0][0], at[1][0]);
  }
  std::printf("energy kept to 1e-13: %s\n", std::abs(energy(at[0][0], at[1][0]) - energy(1.0, 0.5)) < 1e-13 ? "yes" : "no");
  std::printf("third derivative of one step, twice by angle, once by speed: %.9f\n", derivative({{1.0}, {0.5}})[0][0]);
}
