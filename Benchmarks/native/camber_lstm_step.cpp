/* Camber, C++: a training step of an LSTM layer in f32. The product with the inputs is taken of all steps at once; the rest is a
 * scan. The gates stand in torch's order: in, forget, change, out.
 */
#include "camber_training.hpp"

using namespace bench;

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  const std::vector<const char *> names = {"wx", "wh", "b"};
  std::int64_t steps = dim(worker.dim("x", 0)), batch = dim(worker.dim("x", 1)), width = dim(worker.dim("x", 2)), hidden = dim(worker.dim("wh", 0));
  std::vector<float> points = worker.read_floats("x"), aims = worker.read_floats("targets"), none(std::size_t(batch * hidden));
  std::vector<std::vector<float>> params;
  camber::Tape tape;
  Nodes in;
  for (const char *name : names) params.push_back(worker.read_floats(name)), in.push_back(tape.input(f32, shape_of(worker, name)));
  Node x = tape.input(f32, {steps, batch, width}), targets = tape.input(f32, {steps, batch, hidden}), zero = tape.input(f32, {batch, hidden});
  Node driven = (matmul(x.reshape({steps * batch, width}), in[0]) + in[2]).reshape({steps, batch, 4 * hidden});
  auto loop = camber::scan({zero, zero}, {driven}, steps, [&](const Nodes &carry, const Nodes &now) -> camber::Loop {
    Node gates = now[0] + matmul(carry[0], in[1]);
    auto gate = [&](std::int64_t i) { return gates.slice(1, i * hidden, (i + 1) * hidden); };
    Node cell = sigmoid(gate(1)) * carry[1] + sigmoid(gate(0)) * tanh(gate(2));
    Node out = sigmoid(gate(3)) * tanh(cell);
    return {{out, cell}, {out}};
  });
  Node loss = mean(square(loop.ys[0] - targets));
  return train(worker, loss, {x, targets, zero}, {points.data(), aims.data(), none.data()}, in, params, names);
}
