/* Camber, C++: value and gradient of the function of three numbers: a recorded program, run through camber_run; with -DKERNELS
 * without machine code. */
#include "camber_engine.hpp"

using namespace bench;

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  Doubles at = worker.read("at");
  camber::Tape tape;
  Nodes in = {tape.input(), tape.input(), tape.input()};
  Node value = sin(in[0]) * in[1] + exp(in[2]) * in[0];
  Nodes slopes = grad(value, in);
  camber::Program program(in, {value, slopes[0], slopes[1], slopes[2]});
#ifdef KERNELS
  program.set("backend", 1);
#endif
  camber::Workspace workspace(program);
  Doubles out(4);
  const void *inputs[3] = {&at[0], &at[1], &at[2]};
  void *outputs[4] = {&out[0], &out[1], &out[2], &out[3]};
  if (std::getenv("EXPLAIN")) std::fputs(program.explain().c_str(), stderr);
  return worker.serve([&] { program.run(workspace, inputs, outputs), keep(out[0]); }, [&] { return out; });
}
