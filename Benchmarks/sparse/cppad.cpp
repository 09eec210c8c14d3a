// CppAD's sparse Jacobian of the Brusselator, or Hessian of the chained Rosenbrock function: cppad jacobian|hessian n seconds.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cppad/cppad.hpp>
#include <cstdio>
#include <cstring>
#include <vector>

using CppAD::AD;
using D = std::vector<double>;
using A = std::vector<AD<double>>;
using S = std::vector<size_t>;
using Pattern = CppAD::sparse_rc<S>;
using Clock = std::chrono::steady_clock;

static double since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }
static long peak() {
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_maxrss;
}

static A brusselator(const A &w, int n) {
  double alpha = 10.0 * (n - 1) * (n - 1) / 100;
  A y(w.size());
  auto at = [n](int i, int j) { return (i + n) % n * n + (j + n) % n; };
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      int k = at(i, j), m = n * n;
      double a = double(i) / (n - 1) - 0.3, b = double(j) / (n - 1) - 0.6;
      AD<double> u = w[k], v = w[m + k], uuv = u * u * v;
      auto lap = [&](int o) { return w[o + at(i - 1, j)] + w[o + at(i + 1, j)] + w[o + at(i, j - 1)] + w[o + at(i, j + 1)] - 4.0 * w[o + k]; };
      y[k] = 1.0 + uuv - 4.4 * u + alpha * lap(0) + (a * a + b * b <= 0.01 ? 5.0 : 0.0);
      y[m + k] = 3.4 * u - uuv + alpha * lap(m);
    }
  return y;
}

int main(int, char **argv) {
  bool jacobian = !strcmp(argv[1], "jacobian");
  int n = atoi(argv[2]);
  double seconds = atof(argv[3]);
  size_t size = jacobian ? size_t(2) * n * n : n;
  D point(size);
  unsigned long long s = 1;
  for (auto &p : point) s = s * 6364136223846793005ull + 1442695040888963407ull, p = double(s >> 11) / 9007199254740992.0;
  long base = peak();
  auto t = Clock::now();
  A x(point.begin(), point.end());
  CppAD::Independent(x);
  A y;
  if (jacobian) y = brusselator(x, n);
  else {
    y.assign(1, 0.0);
    for (size_t i = 0; i + 1 < size; i++) {
      AD<double> a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
      y[0] += 100.0 * a * a + b * b;
    }
  }
  CppAD::ADFun<double> f(x, y);
  f.optimize();
  Pattern eye(size, size, size), pattern;
  for (size_t k = 0; k < size; k++) eye.set(k, k, k);
  D times;
  size_t entries;
  double setup;
  if (jacobian) {
    f.for_jac_sparsity(eye, false, false, false, pattern);
    CppAD::sparse_rcv<S, D> out(pattern);
    CppAD::sparse_jac_work work;
    f.sparse_jac_for(1, point, out, pattern, "cppad", work);
    setup = since(t), entries = pattern.nnz();
    for (auto end = Clock::now(); since(end) < seconds || times.size() < 3;) {
      auto b = Clock::now();
      f.sparse_jac_for(1, point, out, pattern, "cppad", work);
      times.push_back(since(b));
    }
  } else {
    std::vector<bool> all(size, true), one(1, true);
    f.for_hes_sparsity(all, one, false, pattern);
    CppAD::sparse_rcv<S, D> out(pattern);
    CppAD::sparse_hes_work work;
    D weight(1, 1.0);
    f.sparse_hes(point, weight, out, pattern, "cppad.symmetric", work);
    setup = since(t), entries = pattern.nnz();
    for (auto end = Clock::now(); since(end) < seconds || times.size() < 3;) {
      auto b = Clock::now();
      f.sparse_hes(point, weight, out, pattern, "cppad.symmetric", work);
      times.push_back(since(b));
    }
  }
  std::sort(times.begin(), times.end());
  printf("{\"setup_s\": %g, \"values_ms\": %g, \"MB\": %g, \"entries\": %zu}\n", setup, 1e3 * times[times.size() / 2], (peak() - base) / 1024.0, entries);
}
