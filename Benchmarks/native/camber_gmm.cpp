/* Camber, C++: value and gradient of the GMM. The quadratic forms as one matrix product of the data with all factors (GEMM);
 * with -DNAIVE, through the centred points as the objective is usually written (Tests/cpp/adbench.cpp's formulation); with -DTILED,
 * that product for so many points at a time that what it makes stays in the cache: a scan that adds up values and gradients. With -DLAST,
 * too, the points are the last axis, so that sums over dimensions and weights run along whole vectors.
 */
#include <cmath>

#include "camber_engine.hpp"

using namespace bench;

/* The most points, a divisor of all and of whole lines of the cache where one is, up to `most`. */
[[maybe_unused]] static std::size_t tile_of(std::size_t points, std::size_t most) {
  std::size_t tile = 1;
  for (std::size_t c = 8; c <= most; c += 8)
    if (points % c == 0) tile = c;
  if (tile > 1) return tile;
  for (std::size_t c = 1; c <= most; c++)
    if (points % c == 0) tile = c;
  return tile;
}

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
#if defined TILED
#elif defined NAIVE
  Node scaled = camber::einsum("kij,nkj->nki", {Q, data.reshape({dim(n), 1, dim(d)}) - in[1]});
#else
  Node rows = Q.reshape({dim(K * d), dim(d)});
  Node shift = camber::einsum("kij,kj->ki", {Q, in[1]});
  Node scaled = matmul(data, rows.T()).reshape({dim(n), dim(K), dim(d)}) - shift;
#endif
#ifdef TILED
  /* The points' part of the value depends on K weights and K x d affine forms, [factor, -factor mean] of [point, 1]. */
#ifdef LAST
  std::size_t tile = tile_of(n, 256);
#else
  std::size_t tile = tile_of(n, (1 << 15) / (K * d));   // a quarter of a megabyte
#endif
  Node sums = sum(logs, -1), weights = in[0] + sums;
  Node forms = camber::concat({Q, -camber::einsum("kij,kj->ki", {Q, in[1]}).reshape({dim(K), dim(d), 1})}, 2).reshape({dim(K * d), dim(d + 1)});
  Node tiles = camber::concat({data, tape.constant(1).broadcast({dim(n), 1})}, 1).reshape({dim(n / tile), dim(tile), dim(d + 1)});
#ifdef LAST
  tiles = transpose(tiles, {0, 2, 1});
#else
  forms = forms.T();
#endif
  Node zero = tape.constant(0);
  auto loop = camber::scan({zero, zero.broadcast({dim(K)}), zero.broadcast(forms.shape()), weights, forms}, {tiles}, dim(n / tile),
                           [&](const Nodes &carry, const Nodes &x) -> camber::Loop {
    Node w = carry[3], f = carry[4];
#ifdef LAST
    Node scaled = matmul(f, x[0]).reshape({dim(K), dim(d), dim(tile)});
    /* The logarithm of the sum as it is written by hand: its derivative takes the exponentials that are there, and has no rows of -inf to mask. */
    Node parts = w.reshape({dim(K), 1}) - 0.5 * sum(square(scaled), 1), top = stop_gradient(max(parts, 0));
    Node part = sum(log(sum(exp(parts - top), 0)) + top);
#else
    Node scaled = matmul(x[0], f).reshape({dim(tile), dim(K), dim(d)});
    Node part = sum(logsumexp(w - 0.5 * sum(square(scaled), -1), -1));
#endif
    Nodes slopes = grad(part, {w, f});
    return {{carry[0] + part, carry[1] + slopes[0], carry[2] + slopes[1], w, f}, {}};
  });
  Node total = loop.carry[0];
#else
  Node sums = sum(logs, -1), total = sum(logsumexp(in[0] + sums - 0.5 * sum(square(scaled), -1), -1));
#endif
  double gamma = 1, m = 0, N = double(n), D = double(d), v = D + m + 1, multigamma = 0.25 * D * (D - 1) * std::log(M_PI);
  for (std::size_t j = 0; j < d; j++) multigamma += std::lgamma(0.5 * v - 0.5 * double(j));
  double constant = v * D * (std::log(gamma) - 0.5 * std::log(2.0)) - multigamma;
  Node prior = 0.5 * gamma * gamma * (sum(square(diagonal)) + sum(square(lower))) - m * sum(sums);
  Node rest = prior - N * logsumexp(in[0]) - (double(K) * constant + 0.5 * N * D * std::log(2 * M_PI)), value = total + rest;
#ifdef TILED
  Nodes slopes = vjp({rest, weights, forms}, {tape.constant(1), loop.carry[1], loop.carry[2]}, in);
#else
  Nodes slopes = grad(value, in);
#endif
  Runner run(in, {value, slopes[0], slopes[1], slopes[2]});
  return serve(worker, run, point);
}
