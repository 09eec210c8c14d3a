/* Camber, C++: a training step of the transformer block in f32. */
#include <cmath>

#include "camber_training.hpp"

using namespace bench;

Node normed(const Node &x, const Node &g, const Node &c) {
  Node centred = x - mean(x, -1, true);
  return centred / sqrt(mean(square(centred), -1, true) + 1e-5) * g + c;
}

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  const std::vector<const char *> names = {"g1", "c1", "wqkv", "wo", "g2", "c2", "w1", "b1", "w2", "b2"};
  std::int64_t batch = dim(worker.dim("x", 0)), tokens = dim(worker.dim("x", 1)), d = dim(worker.dim("x", 2)), heads = 4;
  std::vector<float> points = worker.read_floats("x"), aims = worker.read_floats("targets");
  std::vector<std::vector<float>> params;
  camber::Tape tape;
  Nodes in;
  for (const char *name : names) params.push_back(worker.read_floats(name)), in.push_back(tape.input(f32, shape_of(worker, name)));
  Node x = tape.input(f32, {batch, tokens, d}), targets = tape.input(f32, {batch, tokens, d});
  /* Products with weights are taken of all tokens at once: [batch * tokens, d]. */
  auto times = [&](const Node &a, const Node &w) { return matmul(a.reshape({batch * tokens, a.dim(2)}), w).reshape({batch, tokens, w.dim(1)}); };
  Node qkv = camber::transpose(times(normed(x, in[0], in[1]), in[2]).reshape({batch, tokens, 3, heads, d / heads}), {2, 0, 3, 1, 4});
  Node weights = softmax(matmul(qkv[0], camber::transpose(qkv[1], {0, 1, 3, 2})) * (1 / std::sqrt(double(d / heads))), -1);
  Node y = x + times(camber::transpose(matmul(weights, qkv[2]), {0, 2, 1, 3}).reshape({batch, tokens, d}), in[3]);
  Node z = y + times(gelu(times(normed(y, in[4], in[5]), in[6]) + in[7]), in[8]) + in[9];
  Node loss = mean(square(z - targets));
  return train(worker, loss, {x, targets}, {points.data(), aims.data()}, in, params, names);
}
