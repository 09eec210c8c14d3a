// A ball that falls through air and bounces: a while loop whose steps adapt to their error, a cond for the ground, and derivatives of where it ends.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <cstdio>

using camber::Node;
using camber::Nodes;

static Node fall(const Node &v, const Node &drag) { return -9.81 - drag * (v * abs(v)); }

int main() {
  camber::Tape tape;
  Node height = tape.input(), bounce = tape.input(), drag = tape.input();

  auto step = [&](const Nodes &c) {
    const Node &time = c[1], &dt = c[2], &h = c[3], &v = c[4];
    Node v1 = v + dt * fall(v, drag);  // Euler's step, and Heun's
    Node v2 = v + dt * 0.5 * (fall(v, drag) + fall(v1, drag));
    Node h2 = h + dt * 0.5 * (v + v2);
    // Accepted, it may have passed the ground; refused, it is tried again at half its length.
    auto accepted = [](const Nodes &x) {
      Nodes end = camber::cond(x[4] < 0, {x[4], x[5], x[6]}, [](const Nodes &y) { return Nodes{-(y[2] * y[0]), -(y[2] * y[1])}; },
                               [](const Nodes &y) { return Nodes{y[0], y[1]}; });
      return Nodes{x[0] + x[1], x[1] * 1.1, end[0], end[1]};
    };
    auto refused = [](const Nodes &x) { return Nodes{x[0], x[1] * 0.5, x[2], x[3]}; };
    Nodes next = camber::cond(abs(v2 - v1) < 1e-3, {time, dt, h, v, h2, v2, bounce}, accepted, refused);
    next.insert(next.begin(), c[0] + 1);
    return next;
  };
  Nodes start{tape.integer(0), tape.constant(0), tape.constant(0.1), height, tape.constant(0)};
  Nodes end = camber::while_loop(start, [](const Nodes &c) { return c[1] < 2; }, step, -1, 16);
  Nodes out{end[3], end[0]}, in{height, bounce, drag};
  for (const Node &g : grad(end[3], in)) out.push_back(g);

  camber::Program f(in, out);
  auto r = f({{1}, {0.8}, {0.05}});
  std::printf("after 2 s: %.8f m, %d steps\nby height, bounce, drag: %.8f %.8f %.8f\n", r[0][0], static_cast<int>(r[1][0]), r[2][0], r[3][0], r[4][0]);
}
