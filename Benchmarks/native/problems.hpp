/* The rows as functions of one vector, for tapes: `Problem` names a row's active inputs and computes its outputs. */
#ifndef BENCH_PROBLEMS_HPP
#define BENCH_PROBLEMS_HPP

#include "objectives.hpp"
#include "worker.hpp"

namespace bench {

enum class Wanted { gradient, hvp, jacobian };

struct Gmm {
  int d, K, n;
  Doubles x;
  explicit Gmm(const Worker &w) : d(int(w.dim("x", 1))), K(int(w.dim("alphas", 0))), n(int(w.dim("x", 0))), x(w.read("x")) {}
  static Doubles point(const Worker &w) { return join({w.read("alphas"), w.read("means"), w.read("icf")}); }
  template <class T>
  void operator()(const T *v, T *out) const { out[0] = gmm(d, K, n, v, v + K, v + K + K * d, x.data(), 1.0, 0); }
  static constexpr Wanted wanted = Wanted::gradient;
  std::size_t outputs() const { return 1; }
};

struct Lstm {
  int layers, c, b;
  Doubles state, text;
  explicit Lstm(const Worker &w)
      : layers(int(w.dim("main", 0))), c(int(w.dim("text", 0))), b(int(w.dim("text", 1))), state(w.read("state")), text(w.read("text")) {}
  static Doubles point(const Worker &w) { return join({w.read("main"), w.read("extra")}); }
  template <class T>
  void operator()(const T *v, T *out) const { out[0] = lstm(layers, c, b, v, v + layers * 8 * b, state.data(), text.data()); }
  static constexpr Wanted wanted = Wanted::gradient;
  std::size_t outputs() const { return 1; }
};

struct Lorenz {
  int n, steps;
  double h;
  explicit Lorenz(const Worker &w) : n(int(w.dim("start", 0))), steps(int(w.number("steps"))), h(w.number("h")) {}
  static Doubles point(const Worker &w) { return join({w.read("start"), w.read("force")}); }
  template <class T>
  void operator()(const T *v, T *out) const { out[0] = lorenz(n, steps, h, v, v + n); }
  static constexpr Wanted wanted = Wanted::gradient;
  std::size_t outputs() const { return 1; }
};

struct LorenzHvp : Lorenz {
  using Lorenz::Lorenz;
  static constexpr Wanted wanted = Wanted::hvp;
};

struct Small {
  explicit Small(const Worker &) {}
  static Doubles point(const Worker &w) { return w.read("at"); }
  template <class T>
  void operator()(const T *v, T *out) const { out[0] = small(v[0], v[1], v[2]); }
  static constexpr Wanted wanted = Wanted::gradient;
  std::size_t outputs() const { return 1; }
};

inline HandModel hand_model(const Worker &w) {
  HandModel m{int(w.dim("relatives", 0)), int(w.dim("measured", 0)), {}, w.read("relatives"), w.read("inverses"),
              int(w.dim("rest", 0)), w.read("rest"), w.read("weights"), {}, w.read("measured")};
  for (double v : w.read("picks")) m.picks.push_back(int(v));
  for (double p : w.read("parents")) m.parents.push_back(int(p));
  return m;
}

struct Hand {
  HandModel model;
  explicit Hand(const Worker &w) : model(hand_model(w)) {}
  static Doubles point(const Worker &w) { return w.read("theta"); }
  template <class T>
  void operator()(const T *v, T *out) const { hand(model, v, out); }
  static constexpr Wanted wanted = Wanted::jacobian;
  std::size_t outputs() const { return 3 * std::size_t(model.points); }
};

struct Quadrotor {
  explicit Quadrotor(const Worker &) {}
  static Doubles point(const Worker &w) { return w.read("at"); }
  template <class T>
  void operator()(const T *v, T *out) const { quadrotor(v, out); }
  static constexpr Wanted wanted = Wanted::jacobian;
  std::size_t outputs() const { return 13; }
};

struct Rnea {
  Chain chain;
  explicit Rnea(const Worker &w)
      : chain{int(w.dim("masses", 0)), w.read("turns"), w.read("offsets"), w.read("masses"), w.read("centres"), w.read("inertias")} {}
  static Doubles point(const Worker &w) { return w.read("at"); }
  template <class T>
  void operator()(const T *v, T *out) const { rnea(chain, v, v + chain.joints, v + 2 * chain.joints, out); }
  static constexpr Wanted wanted = Wanted::jacobian;
  std::size_t outputs() const { return std::size_t(chain.joints); }
};

/* One observation: what is recorded once and run for each. */
struct Bundle {
  Doubles feature;
  explicit Bundle(const Worker &w) : feature(w.read("feature")) {}
  static Doubles point(const Worker &w) { return w.read("at"); }
  template <class T>
  void operator()(const T *v, T *out) const { reprojection(v, v + 11, v[14], feature.data(), out); }
  static constexpr Wanted wanted = Wanted::jacobian;
  std::size_t outputs() const { return 2; }
};

}  // namespace bench
#endif
