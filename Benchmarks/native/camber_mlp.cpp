/* Camber, C++: a training step of the MLP in f32: loss and gradient by one program, Adam by the library's optimizer on the
 * host's arrays; or with -DHVP the Hessian of the loss times v. The results: loss and parameters after a step; the products.
 */
#include "camber_training.hpp"

using namespace bench;

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  const std::vector<const char *> names = {"w0", "b0", "w1", "b1", "w2", "b2"};
  std::vector<std::vector<float>> params;
  camber::Tape tape;
  Nodes in;
  for (const char *name : names) {
    params.push_back(worker.read_floats(name));
    in.push_back(tape.input(f32, shape_of(worker, name)));
  }
  std::vector<float> x = worker.read_floats("x"), targets = worker.read_floats("targets");
  Node images = tape.input(f32, shape_of(worker, "x")), labels = tape.input(f32, shape_of(worker, "targets")), layer = images;
  for (int i = 0; i < 2; i++) layer = relu(matmul(layer, in[2 * i]) + in[2 * i + 1]);
  Node loss = -sum(labels * log_softmax(matmul(layer, in[4]) + in[5])) / double(worker.dim("x", 0));
#ifdef HVP
  std::vector<std::vector<float>> vectors;
  Nodes v, all = {images, labels};
  camber::Inputs at = {x.data(), targets.data()};
  for (int i = 0; i < 6; i++) all.push_back(in[i]), at.push_back(params[i].data());
  for (int i = 0; i < 6; i++) {
    vectors.push_back(worker.read_floats(std::string("v") + names[i]));
    v.push_back(tape.input(f32, shape_of(worker, names[i]))), all.push_back(v.back());
  }
  for (auto &u : vectors) at.push_back(u.data());
  Runner run(all, hvp(loss, in, v));
  if (std::getenv("EXPLAIN")) std::fputs(run.program().explain().c_str(), stderr);
  return worker.serve([&] { run(at); }, [&] { return run.results(); });
#else
  return train(worker, loss, {images, labels}, {x.data(), targets.data()}, in, params, names);
#endif
}
