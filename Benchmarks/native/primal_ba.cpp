/* The residuals alone, in double. */
#include "problems.hpp"

int main(int argc, char **argv) {
  bench::Worker worker(argc, argv);
  bench::Bundle problem(worker);
  bench::Doubles all = worker.read("many"), errors(all.size() / 15 * 2);
  return worker.serve([&] { for (std::size_t i = 0; i < errors.size() / 2; i++) problem(&all[15 * i], &errors[2 * i]); bench::keep(errors[0]); },
                      [&] { return errors; });
}
