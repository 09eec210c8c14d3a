/* Camber, C++: PROBLEM recorded as a tape of scalars, as operator overloading does, with the templates that CppAD and ADOL-C
 * record. With -DBATCH the program runs at all points of `many` at once. Results: outputs, then gradient, product or Jacobian; with
 * -DSPARSE of the Jacobian the entries of its pattern, row by row.
 */
#include "camber_engine.hpp"
#include "problems.hpp"

namespace bench {

/* A node or a number: what lets code for any T set its variables to 0 and 1. Numbers among themselves stay numbers. */
class Real {
 public:
  Real(double value = 0) : value_(value) {}
  Real(const Node &node) : node_(node), is_node_(true) {}
  Node on(camber::Tape &tape) const { return is_node_ ? node_ : tape.constant(value_); }

#define OPERATOR(op)                                                                                                    \
  friend Real operator op(const Real &x, const Real &y) {                                                               \
    if (x.is_node_) return y.is_node_ ? Real(x.node_ op y.node_) : Real(x.node_ op y.value_);                           \
    return y.is_node_ ? Real(x.value_ op y.node_) : Real(x.value_ op y.value_);                                         \
  }                                                                                                                     \
  Real &operator op##=(const Real &y) { return *this = *this op y; }
  OPERATOR(+)
  OPERATOR(-)
  OPERATOR(*)
  OPERATOR(/)
#undef OPERATOR
#define FUNCTION(f) \
  friend Real f(const Real &x) { return x.is_node_ ? Real(camber::f(x.node_)) : Real(std::f(x.value_)); }
  FUNCTION(exp)
  FUNCTION(log)
  FUNCTION(sin)
  FUNCTION(cos)
  FUNCTION(tanh)
  FUNCTION(sqrt)
#undef FUNCTION
  friend Real operator-(const Real &x) { return x.is_node_ ? Real(-x.node_) : Real(-x.value_); }

 private:
  Node node_;
  double value_;
  bool is_node_ = false;
};

}  // namespace bench

using namespace bench;

#ifdef TOGETHER
constexpr bool together = true;
#else
constexpr bool together = false;
#endif

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  PROBLEM problem(worker);
  Doubles at = PROBLEM::point(worker);
  std::vector<Doubles> point = {at};
  std::size_t n = at.size(), m = problem.outputs();
  camber::Tape tape;
  Node x = tape.input(f64, {dim(n)});
  Nodes in = {x}, scalars, values;
  std::vector<Real> variables, results(m);
  for (std::size_t i = 0; i < n; i++) scalars.push_back(x[dim(i)]), variables.emplace_back(scalars.back());
  problem(variables.data(), results.data());
  for (const Real &r : results) values.push_back(r.on(tape));
  Nodes out;
  if constexpr (problem.wanted == Wanted::gradient) {
    out = {values[0], camber::stack(grad(values[0], scalars))};
  } else if constexpr (problem.wanted == Wanted::hvp) {
    point.push_back(worker.read("v")), in.push_back(tape.input(f64, {dim(n)}));
    Nodes directions;
    for (std::size_t i = 0; i < n; i++) directions.push_back(in[1][dim(i)]);
    out = {camber::stack(hvp(values[0], scalars, directions))};
  } else if constexpr (together) {
    /* All rows in one sweep: the primal stays numbers, each adjoint holds one number for each row. */
    Node y = camber::stack(values);
    out = camber::simplify({y, camber::jacobian(y, x, m <= n ? camber::Mode::reverse : camber::Mode::forward)});
  } else {
    /* Row by row, backwards, or column by column, forwards, whichever are fewer: a row's or column's zeros are then known when recorded. */
    Nodes entries(m * n);
    if (m <= n)
      for (std::size_t i = 0; i < m; i++) {
        Nodes row = grad(values[i], scalars);
        for (std::size_t j = 0; j < n; j++) entries[i * n + j] = row[j];
      }
    else
      for (std::size_t j = 0; j < n; j++) {
        Nodes column = camber::jvp(values, {scalars[j]}, {tape.constant(1)});
        for (std::size_t i = 0; i < m; i++) entries[i * n + j] = column[i];
      }
#ifdef SPARSE
    Node y = camber::stack(values);
    auto [rows, columns] = camber::SparseMatrix::jacobian({y}, {x}).prepare().pattern(camber::SparseFormat::coo);
    Nodes known;
    for (std::size_t k = 0; k < rows.size(); k++) known.push_back(entries[std::size_t(rows[k]) * n + std::size_t(columns[k])]);
    out = camber::simplify({y, camber::stack(known)});
#else
    out = camber::simplify({camber::stack(values), camber::stack(entries).reshape({dim(m), dim(n)})});
#endif
  }
#ifdef BATCH
  std::int64_t points = dim(worker.dim("many", 0));
  Node many = tape.input(f64, {points, dim(n)});
  out = camber::batch(out, in, {many}, points);
  in = {many}, point = {worker.read("many")};
#endif
  Runner run(in, out);
  return serve(worker, run, point);
}
