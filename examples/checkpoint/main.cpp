// The gradient through a long loop, and through a deep network, in little memory.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <cmath>
#include <cstdio>

using camber::Node;
using camber::Nodes;
constexpr int n = 40, steps = 5000, layers = 16, width = 32;

// Lorenz 96: dx[i]/dt = (x[i+1] - x[i-2]) x[i-1] - x[i] + 8.
Node rate(const Node &x) { return (roll(x, -1) - roll(x, 2)) * roll(x, 1) - x + 8; }

// One step of Runge and Kutta.
Node step(const Node &x) {
  const double h = 0.001;
  Node a = rate(x), b = rate(x + a * (h / 2)), c = rate(x + b * (h / 2)), d = rate(x + c * h);
  return x + ((a + b * 2) + (c * 2 + d)) * (h / 6);
}

// The squared norm of the last state and its gradient, keeping so many states; 0: all.
camber::Program loop(std::int64_t slots) {
  camber::Tape tape;
  Node x = tape.input(camber::f64, {n});
  auto all = camber::scan({x}, {}, steps, [](const Nodes &c, const Nodes &) { return camber::Loop{{step(c[0])}, {}}; }, false, slots);
  Node value = sum(square(all.carry[0]));
  return camber::Program({x}, {value, grad(value, x)});
}

// A network's gradient, its layers computed again in parts of so many; 0: kept.
std::size_t network(int part) {
  camber::Tape tape;
  Nodes in;
  for (int i = 0; i <= layers; i++) in.push_back(tape.input(camber::f64, {width, width}));
  Node h = in[layers], start = h;
  for (int i = 0; i < layers; i++) {
    h = tanh(matmul(h, in[i]));
    if (part && (i + 1) % part == 0) start = h = checkpoint(h, {start});
  }
  return camber::Program(in, grad(sum(h), in)).memory();
}

int main() {
  std::vector<double> x;
  for (int i = 0; i < n; i++) x.push_back(8 + 0.01 * i);
  auto stored = loop(0), slots = loop(20);
  auto all = stored({x}), few = slots({x});
  double norm = 0;
  for (double g : all[1]) norm += g * g;
  std::printf("value %.6f, gradient %.6f\n", all[0][0], std::sqrt(norm));
  std::printf("20 states kept: %s\n", all == few ? "the same bits" : "others");
  std::printf("memory: %s\n", slots.memory() * 50 < stored.memory() ? "less than a fiftieth" : "more");

  // The library chooses how many fit, or says what would be needed.
  auto limited = loop(0);
  limited.set("memory_limit", 100000);
  std::printf("in 100000 bytes: %s\n", limited.memory() <= 100000 && limited({x}) == all ? "the same bits" : "others");
  try {
    loop(0).set("memory_limit", 1000);
    std::printf("in 1000 bytes: taken\n");
  } catch (const camber::error &e) {
    std::printf("in 1000 bytes: %s\n", e.status() == CAMBER_ENOMEM ? "refused" : e.what());
  }

  std::printf("a network in parts of 4: %s\n", network(4) * 2 < network(0) ? "less than half the memory" : "more");
}
