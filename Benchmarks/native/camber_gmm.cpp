/* Camber, C++: value and gradient of the GMM. The quadratic forms as one matrix product of the data with all factors (GEMM),
 * or, with -DNAIVE, through the centred points as the objective is usually written (Tests/cpp/adbench.cpp's formulation).
 */
#include <cmath>

#include "camber_engine.hpp"

using namespace bench;

int main(int argc, char **argv) {
  Worker worker(argc, argv);
  std::size_t n = worker.dim("x", 0), d = worker.dim("x", 1), K = worker.dim("alphas", 0), factors = d * (d + 1) / 2;
  Doubles x = worker.read("x");
  std::vector<Doubles> point = {worker.read("alphas"), worker.read("means"), worker.read("icf")};

  camber::Tape tape;
  Nodes in = {tape.input(f64, {dim(K)}), tape.input(f64, {dim(K), dim(d)}), tape.input(f64, {dim(K), dim(factors)})};
  Node logs = in[2].slice(1, 0, dim(d)), lower = in[2].slice(1, dim(d), dim(factors)), diagonal = exp(logs);
  /* All of the factor, diagonal included: its place in [diagonal, lower, 0]; the lower triangle is stored column after column. */
  std::vector<std::int64_t> place(d * d, dim(factors));
  for (std::size_t column = 0, next = d; column < d; column++) {
    place[column * d + column] = dim(column);
    for (std::size_t row = column + 1; row < d; row++) place[row * d + column] = dim(next++);
  }
  Node Q = gather(camber::concat({diagonal, lower, tape.constant(0).broadcast({dim(K), 1})}, 1), tape.array(place, {dim(d), dim(d)}), 1);
  Node data = tape.array(x, {dim(n), dim(d)});
#ifdef NAIVE
  Node scaled = camber::einsum("kij,nkj->nki", {Q, data.reshape({dim(n), 1, dim(d)}) - in[1]});
#else
  Node rows = Q.reshape({dim(K * d), dim(d)});
  Node shift = camber::einsum("kij,kj->ki", {Q, in[1]});
  Node scaled = matmul(data, rows.T()).reshape({dim(n), dim(K), dim(d)}) - shift;
#endif
  Node sums = sum(logs, -1), each = logsumexp(in[0] + sums - 0.5 * sum(square(scaled), -1), -1);
  double gamma = 1, m = 0, N = double(n), D = double(d), v = D + m + 1, multigamma = 0.25 * D * (D - 1) * std::log(M_PI);
  for (std::size_t j = 0; j < d; j++) multigamma += std::lgamma(0.5 * v - 0.5 * double(j));
  double constant = v * D * (std::log(gamma) - 0.5 * std::log(2.0)) - multigamma;
  Node prior = 0.5 * gamma * gamma * (sum(square(diagonal)) + sum(square(lower))) - m * sum(sums);
  Node value = sum(each) - N * logsumexp(in[0]) + prior - (double(K) * constant + 0.5 * N * D * std::log(2 * M_PI));
  Nodes slopes = grad(value, in);
  Runner run(in, {value, slopes[0], slopes[1], slopes[2]});
  return serve(worker, run, point);
}
