/* A function of doubles and the same text over var: equal values; a gradient and a Hessian product that are those of differences. */
#include <vector>

#include <camber.hpp>

#include "../c/check.h"

using Doubles = std::vector<double>;

using Plain = double (*)(const std::vector<double> &);
using Traced = camber::Node (*)(const std::vector<camber::Node> &);

inline void agree(Plain f, Traced g, const Doubles &at, const char *name) {
  camber::Tape t;
  camber::Nodes x, v;
  for (std::size_t i = 0; i < at.size(); i++) x.push_back(t.input()), v.push_back(t.input());
  camber::Node y = g(x);
  camber::Nodes out = {y}, in = x, d = camber::grad(y, x), h = camber::hvp(y, x, v);
  out.insert(out.end(), d.begin(), d.end()), out.insert(out.end(), h.begin(), h.end()), in.insert(in.end(), v.begin(), v.end());
  camber::Program p(in, out);
  auto run = [&](const Doubles &where) {
    std::vector<Doubles> args;
    for (double e : where) args.push_back({e});
    for (std::size_t i = 0; i < at.size(); i++) args.push_back({0.3 + 0.1 * static_cast<double>(i)});
    Doubles r;
    for (const auto &a : p(args)) r.push_back(a[0]);
    return r;
  };
  const Doubles r = run(at);
  check_near(r[0], f(at), 1e-13, name, __FILE__, __LINE__);
  const double s = 1e-6;
  Doubles up = at, down = at;
  for (std::size_t i = 0; i < at.size(); i++) {
    Doubles a = at, b = at;
    a[i] += s, b[i] -= s;
    check_near(r[1 + i], (f(a) - f(b)) / (2 * s), 1e-6, name, __FILE__, __LINE__);
    up[i] += s * (0.3 + 0.1 * static_cast<double>(i)), down[i] -= s * (0.3 + 0.1 * static_cast<double>(i));
  }
  const Doubles a = run(up), b = run(down);
  for (std::size_t i = 0; i < at.size(); i++) check_near(r[1 + at.size() + i], (a[1 + i] - b[1 + i]) / (2 * s), 1e-5, name, __FILE__, __LINE__);
}

