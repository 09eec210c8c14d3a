/* Camber, C++: loss and gradient of ADBench's LSTM, a scan over the characters. */
#include "camber_engine.hpp"

using namespace bench;

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  std::int64_t layers = dim(worker.dim("main", 0)), c = dim(worker.dim("text", 0)), b = dim(worker.dim("text", 1));
  std::vector<Doubles> point = {worker.read("main"), worker.read("extra")};
  camber::Tape tape;
  Node m = tape.input(f64, {layers, 2, 4, b}), e = tape.input(f64, {3, b});
  Node state = tape.array(worker.read("state"), {layers, 2, b}), text = tape.array(worker.read("text"), {c, b});
  /* The carry is hidden and cell of each layer; the last layer's signals are stacked, and the loss is taken of all at once. */
  Nodes start;
  for (std::int64_t i = 0; i < layers; i++) start.push_back(state[i][0]), start.push_back(state[i][1]);
  Node first = text.slice(0, 0, c - 1) * e[0];
  auto loop = camber::scan(start, {first}, c - 1, [&](const Nodes &carry, const Nodes &x) -> camber::Loop {
    Nodes next;
    Node signal = x[0];
    for (std::int64_t i = 0; i < layers; i++) {
      Node hidden = carry[std::size_t(2 * i)], cell = carry[std::size_t(2 * i + 1)], w = m[i][0], bias = m[i][1];
      Node forget = sigmoid(signal * w[0] + bias[0]), ingate = sigmoid(hidden * w[1] + bias[1]);
      Node outgate = sigmoid(signal * w[2] + bias[2]), change = tanh(hidden * w[3] + bias[3]);
      cell = cell * forget + ingate * change;
      signal = outgate * tanh(cell);
      next.push_back(signal), next.push_back(cell);
    }
    return {next, {signal}};
  });
  Node y = loop.ys[0] * e[1] + e[2], normed = y - log(sum(exp(y), -1, true) + 2);
  Node loss = -sum(text.slice(0, 1, c) * normed) / double((c - 1) * b);
  Nodes slopes = grad(loss, {m, e});
  Runner run({m, e}, {loss, slopes[0], slopes[1]});
  return serve(worker, run, point);
}
