/* Ten small programs whose instructions callgrind.sh counts: `counted KERNEL` runs one a fixed number of times, counting from
 * after its first run. `record` counts recording, differentiating and compiling instead.
 */
#include <valgrind/callgrind.h>

#include <cstring>
#include <functional>

#include "camber_engine.hpp"

using namespace bench;

namespace {

/* Values in (0, 1) from a fixed sequence. */
Doubles numbers(std::size_t n) {
  Doubles v(n);
  std::uint64_t state = 88172645463325252u;
  for (double &x : v) state ^= state << 13, state ^= state >> 7, state ^= state << 17, x = double(state >> 11) * 0x1p-53;
  return v;
}

/* Runs what `build` makes of inputs of these shapes. */
void count(int times, const std::vector<Shape> &shapes, const std::function<Nodes(camber::Tape &, const Nodes &)> &build) {
  camber::Tape tape;
  Nodes in;
  std::vector<Doubles> values;
  camber::Inputs at;
  for (const Shape &s : shapes) in.push_back(tape.input(f64, s)), values.push_back(numbers(camber::elements(s)));
  for (const Doubles &v : values) at.push_back(v.data());
  Runner run(in, build(tape, in), 1);   /* what another thread does is not counted */
  run(at);
  CALLGRIND_TOGGLE_COLLECT;
  for (int i = 0; i < times; i++) run(at);
  CALLGRIND_TOGGLE_COLLECT;
}

Nodes value_and_grad(const Node &value, const Nodes &in) {
  Nodes out = {value};
  for (const Node &g : grad(value, in)) out.push_back(g);
  return out;
}

void scalars() {
  count(1000, {{}, {}, {}}, [](camber::Tape &, const Nodes &v) { return value_and_grad(sin(v[0]) * v[1] + exp(v[2]) * v[0], v); });
}
void chain() {   /* fused arithmetic */
  count(50, {{4096}, {4096}}, [](camber::Tape &, const Nodes &v) { return Nodes{(v[0] * v[1] + 2) * (v[0] - v[1]) / (1 + v[1] * v[1])}; });
}
void functions() {
  count(20, {{4096}}, [](camber::Tape &, const Nodes &v) { return Nodes{exp(v[0]) + log(1 + v[0]) + tanh(v[0]) + sin(v[0])}; });
}
void reduce() {
  count(50, {{64, 64}}, [](camber::Tape &, const Nodes &v) { return Nodes{sum(v[0], 0), sum(v[0], 1), sum(square(v[0])), max(v[0], 1)}; });
}
void softmax_gradient() {
  count(20, {{64, 64}, {64, 64}}, [](camber::Tape &, const Nodes &v) { return value_and_grad(-sum(v[1] * log_softmax(v[0])), {v[0]}); });
}
void small_products() {
  count(50, {{32, 6, 6}, {32, 6, 6}}, [](camber::Tape &, const Nodes &v) { return Nodes{matmul(v[0], v[1])}; });
}
void layer_gradient() {
  count(10, {{32, 64}, {64, 48}, {48}}, [](camber::Tape &, const Nodes &v) { return value_and_grad(sum(square(relu(matmul(v[0], v[1]) + v[2]))), v); });
}
void indexing() {
  count(50, {{256, 8}}, [](camber::Tape &tape, const Nodes &v) {
    std::vector<std::int64_t> order(512);
    for (std::size_t i = 0; i < order.size(); i++) order[i] = dim(i * 37 % 256);
    return value_and_grad(sum(square(gather(v[0], tape.array(order)))), v);
  });
}
void loop_gradient() {
  count(5, {{40}}, [](camber::Tape &, const Nodes &v) {
    auto loop = camber::scan({v[0]}, {}, 20, [](const Nodes &c, const Nodes &) -> camber::Loop {
      Node next = camber::concat({c[0].slice(0, 1, 40), c[0].slice(0, 0, 1)});
      return {{c[0] + 0.1 * (next * c[0] - c[0])}, {}};
    });
    return value_and_grad(sum(square(loop.carry[0])), v);
  });
}
void record() {
  CALLGRIND_TOGGLE_COLLECT;
  camber::Tape tape;
  Node x = tape.input(), y = tape.input(), a = x, b = y;
  for (int i = 0; i < 1000; i++) {
    Node c = sin(a) * b + 0.5 * a;
    b = a - b * x, a = c;
  }
  Nodes in = {x, y};
  camber::Program program(in, value_and_grad(a + b, in));
  CALLGRIND_TOGGLE_COLLECT;
}

const std::pair<const char *, void (*)()> kernels[] = {
    {"scalars", scalars}, {"chain", chain}, {"functions", functions}, {"reduce", reduce}, {"softmax_gradient", softmax_gradient},
    {"small_products", small_products}, {"layer_gradient", layer_gradient}, {"indexing", indexing},
    {"loop_gradient", loop_gradient}, {"record", record}};

}  // namespace

int main(int argc, char **argv) {
  for (const auto &k : kernels) {
    if (argc < 2) std::puts(k.first);
    else if (!std::strcmp(argv[1], k.first)) return k.second(), 0;
  }
  return argc < 2 ? 0 : 1;
}
