/* The objective alone, in double: what multiples of the primal refer to. Its results are not compared. */
#include "problems.hpp"

int main(int argc, char **argv) {
  bench::Worker worker(argc, argv);
  bench::PROBLEM problem(worker);
  bench::Doubles at = bench::PROBLEM::point(worker), value(problem.outputs());
  return worker.serve([&] { bench::keep(at[0]), problem(at.data(), value.data()), bench::keep(value[0]); }, [&] { return value; });
}
