/* camber.hpp: every class and function of it. */
#include <cmath>
#include <complex>
#include <cstdio>
#include <memory>
#include <thread>
#include <unistd.h>

#include <camber.hpp>

#include "../c/check.h"

using camber::Arrays, camber::DType, camber::Node, camber::Nodes, camber::Shape, camber::f32, camber::f64, camber::i32, camber::i64;
using Doubles = std::vector<double>;

namespace {

/* The value of a node without inputs. */
Doubles value(const Node &y) { return camber::Program({}, {cast(y, f64)})({})[0]; }

void is(const Node &y, const Doubles &want, int line, double tolerance = 1e-14) {
  Doubles got = value(y);
  if (!check_that(got.size() == want.size(), "the size of a value", __FILE__, line)) return;
  for (std::size_t i = 0; i < got.size(); i++) check_near(got[i], want[i], tolerance, "a value", __FILE__, line);
}
#define IS(node, ...) is((node), Doubles{__VA_ARGS__}, __LINE__)

/* The call throws camber::error with this status and a sentence that has `word` in it. */
template <class F>
void throws(F f, camber_status status, const char *word, int line) {
  try {
    f();
    check_that(0, "an exception", __FILE__, line);
  } catch (const camber::error &e) {
    if (status && e.status() != status) std::fprintf(stderr, "status %d: %s\n", e.status(), e.what());
    check_that(status == 0 || e.status() == status, "the status of an exception", __FILE__, line);
    if (!strstr(e.what(), word)) std::fprintf(stderr, "'%s' is not in '%s'\n", word, e.what());
    check_that(strstr(e.what(), word) != nullptr, "the sentence of an exception", __FILE__, line);
  }
}
#define THROWS(status, word, ...) throws([&] { (void)(__VA_ARGS__); }, (status), (word), __LINE__)

/* One text for doubles and nodes: argument-dependent lookup. */
template <class T>
T generic(const T &x) {
  using std::exp, std::pow, std::sin, std::sqrt, std::abs, std::isfinite;
  return sin(x) * exp(-x) + pow(x, 2) + sqrt(abs(x)) / (1 + x * x);
}

void operators() {
  camber::Tape t;
  Node x = t.array(Doubles{1, 2, 3}), one = t.constant(2.0), k = t.integer(3), h = t.constant(0.5, f32), m = t.constant(1, camber::boolean);
  IS(generic(t.constant(0.7)), generic(0.7));
  IS(x + 1, 2, 3, 4); IS(1 - x, 0, -1, -2); IS(x * x, 1, 4, 9); IS(6.0 / x, 6, 3, 2); IS(-x, -1, -2, -3); IS(+x, 1, 2, 3);
  IS(x == 2, 0, 1, 0); IS(x != 2, 1, 0, 1); IS(x < 2.5, 1, 1, 0); IS(2 <= x, 0, 1, 1); IS(x > one, 0, 0, 1); IS(x >= one, 0, 1, 1);
  IS((x > 1) & (x < 3), 0, 1, 0); IS((x < 2) | (x > 2), 1, 0, 1); IS((x > 0) ^ (x > 1), 1, 0, 0); IS(!(x > 1), 1, 0, 0);
  Node y = x;
  y += 1, y *= 2, y -= x, y /= 2;
  IS(y, 1.5, 2, 2.5);
  IS(maximum(x, 2), 2, 2, 3); IS(select(x > 2, x, 0.0), 0, 0, 3); IS(clamp(x, 1.5, 2.5), 1.5, 2, 2.5); IS(atan2(x, 1), std::atan(1), std::atan(2), std::atan(3));
  IS(camber::gate(x > 1, 2.0, x), 0, 4, 6); IS(camber::apply("hypot", {one, one}), std::sqrt(8)); IS(relu(x - 2), 0, 0, 1); IS(hypot(x, 0), 1, 2, 3);

  /* dtypes: NumPy's promotion, numbers are weak */
  CHECK((h + 1.5).dtype() == f32); CHECK((h + x).dtype() == f64); CHECK((k + 1).dtype() == i64); CHECK((k + 0.5).dtype() == f64); CHECK((k + h).dtype() == f64);
  CHECK((m + 1).dtype() == i64); CHECK((k / 2).dtype() == f64); CHECK(sqrt(k).dtype() == f64); CHECK((k * m).dtype() == i64); CHECK((t.integer(1, i32) + m).dtype() == i32);
  CHECK(select(m, 1.0, 0).dtype() == f64); CHECK(select(m, h, 0).dtype() == f32); CHECK((h < k).dtype() == camber::boolean); CHECK(clamp(k, 0, 1).dtype() == i64);
  CHECK(camber::promote(camber::f16, camber::bf16) == f32); CHECK(camber::promote(i32, f32) == f64); CHECK(camber::promote(camber::boolean, camber::f16) == camber::f16);
  IS(k / 2, 1.5); IS(k & m, 1); IS(fold_key(k, 1) == fold_key(k, 1), 1); IS(fold_key(k, 1) == fold_key(k, 2), 0);
  /* shapes: NumPy's broadcasting */
  Node column = t.array(Doubles{10, 20}, {2, 1});
  CHECK((x + column).shape() == (Shape{2, 3})); IS(x + column, 11, 12, 13, 21, 22, 23);
  THROWS(CAMBER_ESHAPE, "[3]", x + t.array(Doubles{1, 2}));
  THROWS(CAMBER_ENODE, "node", Node() + 1);
  THROWS(CAMBER_ENODE, "node", x + Node());
  THROWS(CAMBER_ENODE, "node", sin(Node()));
  camber::Tape other;
  THROWS(CAMBER_ENODE, "node", x + other.constant(1));
  IS(x + 1, 2, 3, 4);   /* the tape goes on after an error */
#define CAMBER_X(name, takes, text) { auto p = static_cast<Node (*)(const Node &)>(&camber::name); CHECK(p != nullptr); }
  CAMBER_UNARY_OPS(CAMBER_X)
#undef CAMBER_X
#define CAMBER_X(name, takes, text) { auto p = &camber::name<Node, double>; CHECK(p != nullptr); }
  CAMBER_BINARY_OPS(CAMBER_X)
#undef CAMBER_X
}

void shapes() {
  camber::Tape t;
  Node x = t.array(Doubles{1, 2, 3, 4, 5, 6}, {2, 3}), v = t.array(Doubles{3, 1, 2});
  CHECK(x.rank() == 2 && x.dim(-1) == 3 && x.size() == 6 && x.dtype() == f64 && std::string(sin(x).op()) == "sin");
  IS(x[1], 4, 5, 6); IS(x[-1][0], 4); IS(at(x, 1, 1), 2, 5); IS(x.T(), 1, 4, 2, 5, 3, 6); IS(transpose(x, {0, 1}), 1, 2, 3, 4, 5, 6);
  IS(x.slice(1, 0, 3, 2), 1, 3, 4, 6); IS(x.slice(1, -2, 3), 2, 3, 5, 6); IS(slice(x, {0, 2}, {1, -1}, {1, -1}), 3, 2, 1);
  IS(x.reshape({-1}).slice(0, 1, 3), 2, 3); IS(v.broadcast({2, 3}), 3, 1, 2, 3, 1, 2); IS(x.cast(i64), 1, 2, 3, 4, 5, 6);
  IS(pad(v, {1}, {2}), 0, 3, 1, 2, 0, 0); IS(pad(v, {0}, {0}, {1}), 3, 0, 1, 0, 2);
  IS(camber::concat({v, t.integer(4).reshape({1})}), 3, 1, 2, 4); IS(camber::stack({v, v}, 1), 3, 3, 1, 1, 2, 2);
  Node index = t.array(std::vector<std::int64_t>{2, 0});
  IS(gather(v, index), 2, 3); IS(gather(x, index, 1), 3, 1, 6, 4); IS(scatter_add(v, index, t.array(Doubles{10, 20})), 23, 1, 12);
  IS(one_hot(index, 3), 0, 0, 1, 1, 0, 0); IS(t.iota(f64, {2, 2}), 0, 1, 0, 1);
  IS(sum(x), 21); IS(x.sum(0), 5, 7, 9); IS(sum(x, {0, 1}), 21); IS(mean(x, -1), 2, 5); IS(x.mean(), 3.5); IS(prod(v), 6); IS(max(x, 1), 3, 6); IS(min(x), 1);
  CHECK(sum(x, -1, true).shape() == (Shape{2, 1}));
  IS(any(x > 5, 1), 0, 1); IS(all(x > 0), 1); IS(logsumexp(v * 0), std::log(3)); IS(norm(t.array(Doubles{3, 4})), 5); IS(argmax(x), 2, 2); IS(argmin(v, 0), 1);
  IS(sum(softmax(v)), 1); IS(sum(exp(log_softmax(v))), 1); IS(cumsum(v), 3, 4, 6); IS(cumsum(v, 0, true), 6, 3, 2);
  IS(variance(v), 2.0 / 3); IS(stddev(v, {}, 1), 1); IS(cumprod(v), 3, 3, 6); IS(cummax(v), 3, 3, 3); IS(cummin(v, 0, true), 1, 1, 2); IS(cumargmax(v), 0, 0, 0); IS(cumargmin(v), 0, 1, 1);
  IS(cumlogsumexp(v * 0), 0, std::log(2), std::log(3)); IS(linear_recurrence(v, v), 3, 4, 10); IS(camber::sort(v), 1, 2, 3); IS(argsort(v, -1, true), 0, 2, 1);
  IS(top_k(v, 2).first, 3, 2); IS(top_k(v, 1, 0, false).second, 1); IS(searchsorted(camber::sort(v), x), 0, 1, 2, 3, 3, 3); IS(isin(x, v), 1, 1, 1, 0, 0, 0); IS(duplicated(x / x), 0, 1, 1, 0, 1, 1);
  IS(take_along(x, argsort(-x)), 3, 2, 1, 6, 5, 4); IS(scatter_set(v, index, t.array(Doubles{10, 20})), 20, 1, 10); IS(scatter_mul(v, index, t.array(Doubles{10, 20})), 60, 1, 20);
  IS(scatter_max(v, index, v.slice(0, 0, 2)), 3, 1, 3); IS(scatter_min(v, index, v.slice(0, 0, 2)), 1, 1, 2); IS(dynamic_slice(v, t.array(std::vector<std::int64_t>{2}), {2}), 1, 2);
  IS(dynamic_update(v, v.slice(0, 0, 1), t.array(std::vector<std::int64_t>{-1})), 3, 1, 3); Node ids = t.array(std::vector<std::int64_t>{1, 0, 1});
  IS(segment_sum(v, ids, 2), 1, 5); IS(segment_prod(v, ids, 2), 1, 6); IS(segment_max(v, ids, 2), 1, 3); IS(segment_min(v, ids, 2), 1, 2); IS(bincount(ids, 2), 1, 2); IS(bincount(ids, v, 2), 1, 5);
  IS(camber::reverse(x, 1), 3, 2, 1, 6, 5, 4); IS(split(v, {1, 2})[1], 1, 2); IS(tile(v, {2}), 3, 1, 2, 3, 1, 2); IS(repeat(v, {2}), 3, 3, 1, 1, 2, 2); IS(tril(x), 1, 0, 0, 4, 5, 0); IS(triu(x), 1, 2, 3, 0, 5, 6);
  IS(diagonal(x), 1, 5); IS(diag(v.slice(0, 0, 2)), 3, 0, 0, 1);
  IS(camber::associative_scan({v}, [](const Nodes &l, const Nodes &r) { return Nodes{l[0] + r[0]}; })[0], 3, 4, 6);
  IS(matmul(x, v), 11, 29); IS(camber::einsum("ij,j->i", {x, v}), 11, 29); IS(matmul(x, index.reshape({1, 2}).T().broadcast({2, 2})[0].reshape({2, 1}).broadcast({2, 3}).T()), 12, 12, 30, 30);
  Node a = t.array(Doubles{4, 2, 2, 3}, {2, 2}), b = t.array(Doubles{8, 8}, {2, 1});
  IS(cholesky(a), 2, 0, 1, std::sqrt(2)); IS(solve(a, b), 1, 2); IS(triangular_solve(t.array(Doubles{2, 0, 1, 1}, {2, 2}), t.array(Doubles{2, 3}, {2, 1})), 1, 2);
  {
    using namespace camber;
    Node d = t.array(Doubles{3, 0, 0, 2}, {2, 2}), q2 = t.array(Doubles{6, 5, 5, 4}, {2, 2}), one = t.array(Doubles{1, 1});
    IS(inv(d), 1.0 / 3, 0, 0, 0.5); IS(det(d), 6); IS(slogdet(d).logabs, std::log(6)); IS(slogdet(d).sign, 1);
    auto [L, U, p] = lu(t.array(Doubles{2, 1, 4, 0}, {2, 2})); IS(L, 1, 0, 0.5, 1); IS(U, 4, 0, 0, 1); IS(p, 1, 0);
    auto [Q, R] = qr(d); IS(matmul(Q, R), 3, 0, 0, 2); CHECK(qr(t.array(Doubles{1, 2}, {2, 1}), true).q.shape() == (Shape{2, 2}));
    auto [w, V] = eigh(d); IS(w, 2, 3); IS(square(V), 0, 1, 1, 0); IS(eigvalsh(d), 2, 3); IS(eigh(d, d).w, 1, 1);
    auto [A, s, B] = svd(d); IS(s, 3, 2); IS(matmul(A, B), 1, 0, 0, 1); IS(svdvals(d), 3, 2);
    IS(lstsq(d, b), 8.0 / 3, 4); IS(pinv(d), 1.0 / 3, 0, 0, 0.5); IS(cholesky_solve(cholesky(a), b), 1, 2); IS(expm(d * 0), 1, 0, 0, 1); IS(sqrtm(square(d)), 3, 0, 0, 2);
    IS(matrix_power(d, 2), 9, 0, 0, 4); IS(kron(one, d), 3, 0, 3, 0, 0, 2, 0, 2); IS(sylvester(d, d, q2), 1, 1, 1, 1); IS(lyapunov(d, q2), 1, 1, 1, 1);
    IS(solve_banded(t.array(Doubles{9, 1, 2, 4}, {2, 2}), t.array(Doubles{3, 4}, {2, 1}), 0, 1), 1, 1);
    IS(solve_tridiagonal(one, one * 3, one, t.array(Doubles{4, 4}, {2, 1})), 1, 1); IS(matrix_norm(d, "nuc"), 5); IS(matrix_cond(d), 1.5); IS(matrix_rank(d), 2);
    THROWS(CAMBER_ESHAPE, "inv", inv(one)); THROWS(CAMBER_ESHAPE, "qr", qr(one)); THROWS(CAMBER_EINVAL, "matrix_norm", matrix_norm(d, "x"));
  }
  Node key = t.key(5), u = random_uniform(key, {100}), n = random_normal(key, {100}, f32);
  IS(all((u >= 0) & (u < 1)), 1); CHECK(n.dtype() == f32); IS(all(u == random_uniform(t.key(5), {100})), 1); IS(max(dropout(u * 0 + 1, key, 0.5)), 2);
  THROWS(CAMBER_EINVAL, "at", x[2]); THROWS(CAMBER_ESHAPE, "reshape", x.reshape({4})); THROWS(0, "slice", slice(x, {0}, {1, 2})); THROWS(0, "matmul", matmul(x, x));
  THROWS(CAMBER_ESHAPE, "array", t.array(Doubles{1, 2}, {3})); THROWS(CAMBER_EINVAL, "axis", x.dim(7)); THROWS(0, "sum", sum(x, 4)); THROWS(0, "concat", camber::concat({}));
}

void transforms() {
  camber::Tape t;
  Node x = t.input(f64, {2}), v = t.input(f64, {2}), s = t.input();
  Node y = x[0] * x[0] * x[1] * x[1] * x[1];   /* a^2 b^3 */
  auto at = [&](const Node &n) { return camber::Program({x, v, s}, {n})({{1, 2}, {1, -1}, {0.5}})[0]; };
  auto eq = [&](const Node &n, const Doubles &want, int line) {
    Doubles got = at(n);
    check_that(got.size() == want.size(), "the size", __FILE__, line);
    for (std::size_t i = 0; i < std::min(got.size(), want.size()); i++) check_near(got[i], want[i], 1e-14, "a derivative", __FILE__, line);
  };
#define EQ(node, ...) eq((node), Doubles{__VA_ARGS__}, __LINE__)
  EQ(grad(y, x), 16, 12); EQ(grad(y, {x})[0], 16, 12); EQ(jvp(y, x, v), 4); EQ(camber::jvp({y}, {x}, {v})[0], 4); EQ(vjp(y, t.constant(2), x), 32, 24); EQ(camber::vjp({y}, {t.constant(2)}, {x})[0], 32, 24);
  EQ(taylor(y, x, {v}, 3)[0], 4); EQ(taylor(y, x, {v}, 3)[1], -10); EQ(camber::taylor({y}, {x}, {{v}}, 3)[0][2], -1);
  EQ(camber::directional({y}, {x}, {{v}}, {{1}, {2}})[1][0], -20);
  EQ(hvp(y, x, v), -8, 12); EQ(hvp(y, {x}, {v})[0], -8, 12); EQ(hessian(y, x), 16, 24, 24, 12); EQ(hessian(y, {x}).at(0, 0), 16, 24, 24, 12);
  for (auto mode : {camber::Mode::automatic, camber::Mode::forward, camber::Mode::reverse}) EQ(jacobian(square(x), x, mode), 2, 0, 0, 4);
  camber::Blocks J = camber::jacobian({y, x * v}, {x, v});
  CHECK(J.columns == 2 && J.nodes.size() == 4);
  EQ(J.at(0, 0), 16, 12); EQ(J.at(0, 1), 0, 0); EQ(J.at(1, 1), 1, 0, 0, 2);
  EQ(camber::linear_transpose({x * 3}, {v}, {x})[0], 3, -3);
  Node third = sin(s);
  for (int i = 0; i < 3; i++) third = grad(third, s);
  EQ(third, -std::cos(0.5));
  EQ(camber::batch({s * exp(s)}, {s}, {x}, 2)[0], std::exp(1), 2 * std::exp(2)); EQ(camber::substitute({s * s}, {s}, {t.constant(3)})[0], 9); EQ(camber::simplify({s * 1 + 0 * s})[0], 0.5);
  CHECK(camber::precision({s * s}, {s}, camber::bf16, f32)[0].dtype() == f32);
  EQ(camber::l1_penalty({x, v}), 5); EQ(camber::l2_penalty({x, v}), 3.5); EQ(camber::clip_by_value({x}, 1.5)[0], 1, 1.5);
  EQ(camber::clip_by_norm({x}, 1)[0], 1 / std::sqrt(5), 2 / std::sqrt(5)); EQ(camber::clip_by_global_norm({x, v}, 100)[1], 1, -1);

  /* carry = carry * x[i] + s, y = carry; s from outside; a loop inside a loop */
  auto loop = camber::scan({t.constant(1)}, {x}, 2, [&](const Nodes &c, const Nodes &xi) -> camber::Loop { Node n = c[0] * xi[0] + s; return {{n}, {n}}; });
  EQ(loop.carry[0], 3.5); EQ(loop.ys[0], 1.5, 3.5); EQ(grad(loop.carry[0], s), 3); EQ(grad(loop.carry[0], x), 2, 1.5);
  auto nested = camber::scan({t.constant(0)}, {x}, 2, [&](const Nodes &c, const Nodes &xi) -> camber::Loop {
    auto inner = camber::scan({c[0]}, {v}, 2, [&](const Nodes &d, const Nodes &vj) -> camber::Loop { return {{d[0] + vj[0] * vj[0] * xi[0] * s}, {}}; });
    return {inner.carry, {}};
  });
  EQ(nested.carry[0], 3); EQ(grad(nested.carry[0], s), 6);
  THROWS(0, "scan", camber::scan({s}, {x}, 3, [&](const Nodes &c, const Nodes &) -> camber::Loop { return {c, {}}; }));
  THROWS(0, "scan", camber::scan({s}, {x}, 2, [&](const Nodes &c, const Nodes &) -> camber::Loop { return {{c[0], c[0]}, {}}; }));
  THROWS(CAMBER_ESHAPE, "grad", grad(x, x)); THROWS(CAMBER_EINVAL, "jvp", camber::jvp({y}, {x}, {})); THROWS(CAMBER_ESHAPE, "f64[2]", hvp(y, x, s));
}

void programs() {
  auto tape = std::make_unique<camber::Tape>();
  Node x = tape->input(f64, {3}), k = tape->input(i64), y = sin(x) * k.cast(f64);
  camber::Tape moved = std::move(*tape);   /* nodes stay good when their tape moves */
  tape.reset();
  camber::Program p({x, k}, {y, sum(y), x > 1, argmax(y)});
  CHECK(p.input_count() == 2 && p.output_count() == 4 && p.input_type(0).shape == (Shape{3}) && p.output_type(3).dtype == i64 && p.output_type(2).dtype == camber::boolean && p.memory() < 1 << 20 && !p.explain().empty());
  Arrays r = p({{0.5, 1, 1.5}, {2}});
  NEAR(r[0][1], 2 * std::sin(1), 1e-15); NEAR(r[2][2], 1, 0); NEAR(r[2][0], 0, 0); NEAR(r[3][0], 2, 0);
  THROWS(CAMBER_EINVAL, "program", p({{1, 2, 3}})); THROWS(CAMBER_EINVAL, "program", p({{1, 2}, {2}})); THROWS(0, "", camber::Program({x}, {y})); THROWS(0, "check_finite", p.set("checkfinite", 1));
  THROWS(0, "program", camber::Program({}, {}));

  camber::Program q({x}, {log(x)});
  q.set("check_finite", 1).alias(0, 0);
  camber::Workspace w(q);
  double in[3] = {1, 2, -1};
  CHECK(q.run(w, {in}, {in}) == CAMBER_NONFINITE && std::isnan(in[2]));
  NEAR(in[1], std::log(2), 1e-15);
  THROWS(CAMBER_EINVAL, "", q.run(w, {nullptr}, {in}));

  const camber::Program shared({x}, {sum(exp(x))});
  double got[4];
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&shared, &got, i] {
      camber::Workspace own(shared);
      double at[3] = {0.1, 0.2, 0.3};
      for (int n = 0; n < 100; n++) shared.run(own, {at}, {&got[i]});
    });
  for (std::thread &t : threads) t.join();
  for (double g : got) CHECK(g == got[0]);

  camber::Linear l({x}, {sin(x)});
  double at[3] = {0, 1, 2}, v[3] = {1, 1, 1}, out[3];
  THROWS(CAMBER_EINVAL, "", l.jvp({v}, {out}));
  l.at({at}, {out}); NEAR(out[1], std::sin(1), 1e-15);
  l.jvp({v}, {out}); NEAR(out[2], std::cos(2), 1e-15);
  l.vjp({v}, {out}); NEAR(out[0], 1, 1e-15);
  CHECK(moved.node_count() > 0 && moved.bytes() > 0 && moved.hash({x}, {sin(x)}) == moved.hash({x}, {sin(x)}) && moved.hash({x}, {sin(x)}) != moved.hash({x}, {cos(x)}));
  CHECK(camber::version() == camber_version() && strlen(camber::header_digest()) == 16);
}

void training() {
  double p[2] = {1, -2}, g[2] = {0.5, 0.25};
  camber::Schedule s("cosine", {{"steps", 10}});
  NEAR(s(5), 0.5, 1e-15);
  camber::Optimizer o("sgd", {{"learning_rate", 0.1}});
  o.schedule(s).add("p", f64, {2});
  CHECK(o.step({p}, {g}) == CAMBER_OK && o.steps() == 1);
  NEAR(p[0], 0.95, 1e-15); NEAR(o.gradient_norm(), std::hypot(0.5, 0.25), 1e-15);
  for (const auto &state : o.state()) CHECK(state.name && state.data);
  g[0] = NAN;
  CHECK(o.step({p}, {g}) == CAMBER_NONFINITE);
  THROWS(0, "adagrad", camber::Optimizer("adagrad")); THROWS(0, "rate", o.set("rate", 1)); THROWS(0, "tides", camber::Schedule("tides"));
  camber::Tape tape;
  auto x = tape.input(f64, {2});
  auto solver = camber::Solver::minimize(100 * square(x[1] - square(x[0])) + square(1 - x[0]), {x}, {}, "newton-cg", {{"steps", 100}});
  double at[2] = {-1.2, 1};
  CHECK(solver.run({at}) == camber::Outcome::converged && solver.value() < 1e-12 && solver.iterations() > 3 && !solver.message().empty());
  NEAR(at[1], 1, 1e-6); NEAR(solver.journal(0).value, 24.2, 1e-12);
  THROWS(CAMBER_EINVAL, "journal", solver.journal(1000)); THROWS(CAMBER_EINVAL, "steps", solver.set("hurry", 1));
  THROWS(CAMBER_EINVAL, "lbfgs", camber::Solver::minimize(sum(x), {x}, {}, "simplex")); THROWS(CAMBER_ESHAPE, "scalar", camber::Solver::minimize(x, {x}));
  auto fit = camber::Solver::least_squares({x - 3}, {x});
  CHECK(fit.run({at}) == camber::Outcome::converged && at[0] == 3);
  camber::Scaler k({{"initial", 4}});
  g[0] = 8, g[1] = 4;
  CHECK(k.scale() == 4 && k.unscale({g}, {f64}, {2}) == CAMBER_OK && g[0] == 2 && k.skipped() == 0);
  THROWS(0, "", k.set("nothing", 1));
  THROWS(CAMBER_EINVAL, "classified", k.classify({g}, {f64}, {2}));
  g[1] = 0.0 / 0.0 * g[0];
  CHECK(k.unscale({g}, {f64}, {2}) == CAMBER_NONFINITE && k.scale() == 2 && k.tensor() == 0 && !k.classify({g}, {f64}, {2}) && k.fault() == 1 && k.scale() == 4);

  std::string path = "/tmp/camber-cpp-" + std::to_string(getpid()) + ".safetensors";
  std::int32_t ids[3] = {1, 2, 3};
  camber::save_tensors(path, {{"p", {f64, {2}}, p}, {"ids", {i32, {3, 1}}, ids}});
  camber::Tensors file(path);
  CHECK(file.size() == 2 && file.at("ids").type.shape == (Shape{3, 1}) && static_cast<const std::int32_t *>(file.at("ids").data)[2] == 3);
  CHECK(static_cast<const double *>(file.at("p").data)[0] == p[0] && file[0].type.bytes() > 0);
  THROWS(CAMBER_EINVAL, "q", file.at("q")); THROWS(CAMBER_EINVAL, "", file[9]);
  unlink(path.c_str());
  THROWS(CAMBER_EIO, "/nowhere", camber::Tensors("/nowhere")); THROWS(CAMBER_EIO, "/nowhere", camber::save_tensors("/nowhere/x", {}));
}

void windows() {
  camber::Tape t;
  Node x = t.array(Doubles{1, 2, 3, 4, 5, 6}, {1, 2, 3}), w = t.array(Doubles{1, 0, -1, 2}, {1, 2, 2});
  camber::Windows o;
  IS(conv(x, w), 1 * 1 + 2 * 0 - 4 + 2 * 5, 2 - 5 + 2 * 6);
  o.low = o.high = 1;
  IS(conv(x, w, o), 8, 7, 9, -3);
  o = {}, o.groups = 2;
  IS(conv(x, t.array(Doubles{1, 1, 2, 0}, {2, 1, 2}), o), 3, 5, 8, 10);
  o = {}, o.stride = 2;
  IS(conv_transpose(t.array(Doubles{1, 2}, {1, 1, 2}), t.array(Doubles{1, 10}, {1, 1, 2}), o), 1, 10, 2, 20);
  IS(max_pool(x, {2}), 2, 5);
  IS(max_pool_index(x, {2}), 1, 1);
  o = {}, o.stride = 1, o.high = 1;
  IS(avg_pool(x, {2}, o), 1.5, 2.5, 1.5, 4.5, 5.5, 3);
  IS(avg_pool(x, {2}, o, false), 1.5, 2.5, 3, 4.5, 5.5, 6);
  Node k = t.array(Doubles{0, 1, 3, 4}), v = t.array(Doubles{0, 1, 27, 64});
  IS(searchsorted(k, t.array(Doubles{-1, 1, 3.5, 9})), 0, 1, 3, 4);
  IS(searchsorted(k, t.array(Doubles{1}), true), 2);
  IS(interp(t.array(Doubles{-1, 0.5, 2, 9}), k, v), 0, 0.5, 14, 64);
  is(interp(t.constant(2.0), k, v, camber::Method::cubic), {8}, __LINE__, 1e-13);
  is(interp(t.constant(5.0), k, v, camber::Method::cubic, camber::Outside::extrapolate), {125}, __LINE__, 1e-12);
  IS(interpn(t.array(Doubles{0.5, 0.25}), {t.array(Doubles{0, 1}), t.array(Doubles{0, 1})}, t.array(Doubles{0, 4, 2, 6}, {2, 2})), 2);
  THROWS(CAMBER_ESHAPE, "channels", conv(x, t.array(Doubles{1, 2}, {1, 1, 2})));
  THROWS(CAMBER_EINVAL, "2 entries", conv(x, w, [] { camber::Windows p; p.stride = {1, 1}; return p; }()));
  THROWS(CAMBER_ESHAPE, "window of 4", max_pool(x, {4}));
  THROWS(CAMBER_EINVAL, "knot 1", interp(t.constant(1), t.array(Doubles{0, 0}), t.array(Doubles{0, 0})));
}

/* Operators of the host's own and custom derivatives. */
void host() {
  struct Own { int code; };
  static int alive = 0, batches = 0;
  struct Count { Count() { alive++; } Count(const Count &) { alive++; } ~Count() { alive--; } };
  auto at = [](const void *const *x, std::size_t i) { return static_cast<const double *>(x[i])[0]; };
  {
    camber::Tape t;
    Node x = t.input(), v = t.input(), many = t.input(f64, {3});
    Count count;
    camber::Operator cube("cube", 1, 1, [=](const camber::Call &c, const void *const *in, void *const *out) {
      (void)count;
      CHECK(c.dtype(0) == f64 && c.shape(1) == Shape{} && c.size(0) == 1 && c.batch() == -1 && !c.is_batched(0));
      if (at(in, 0) > 100) throw Own{7};
      *static_cast<double *>(out[0]) = at(in, 0) * at(in, 0) * at(in, 0);
    });
    cube.jvp_nodes([](const Nodes &p, const Nodes &, const Nodes &d) { return Nodes{3 * p[0] * p[0] * d[0]}; });
    camber::Operator copy = cube;
    Node y = copy(x);
    camber::Program f({x, v, many}, {y, grad(y, x), hessian(y, x), jvp(y, x, v), camber::batch(Nodes{y}, Nodes{x}, Nodes{many}, 3)[0]});
    Arrays r = f({{2}, {5}, {1, 2, 3}});
    CHECK(r[0][0] == 8 && r[1][0] == 12 && r[2][0] == 12 && r[3][0] == 60 && r[4][2] == 27);
    try {
      f({{101}, {5}, {1, 2, 3}});
      CHECK(!"an exception");
    } catch (const Own &o) { CHECK(o.code == 7); }
    CHECK(f({{1}, {5}, {1, 2, 3}})[0][0] == 1);

    /* Several results, types of its own, a batch in one call, derivatives as numbers. */
    camber::Operator both("both", 2, 2, [=](const camber::Call &, const void *const *in, void *const *out) {
      *static_cast<double *>(out[0]) = at(in, 0) * at(in, 1);
      *static_cast<std::int64_t *>(out[1]) = at(in, 0) < at(in, 1);
    });
    both.types([](const Nodes &p) { return Nodes{p[0], cast(p[0], i64)}; });
    both.batch([=](const camber::Call &c, const void *const *in, void *const *out) {
      batches++;
      CHECK(c.batch() == 3 && c.is_batched(0) && !c.is_batched(1));
      for (int i = 0; i < 3; i++) {
        static_cast<double *>(out[0])[i] = static_cast<const double *>(in[0])[i] * at(in, 1);
        static_cast<std::int64_t *>(out[1])[i] = 1;
      }
    });
    both.vjp([=](const camber::Call &, const void *const *in, const void *const *, const void *const *d, void *const *g) {
      *static_cast<double *>(g[0]) = at(in, 1) * at(d, 0), *static_cast<double *>(g[1]) = at(in, 0) * at(d, 0);
    });
    both.jvp([=](const camber::Call &, const void *const *in, const void *const *, const void *const *d, void *const *out) {
      *static_cast<double *>(out[0]) = at(in, 1) * at(d, 0) + at(in, 0) * at(d, 1);
    });
    Nodes two = both.call({x, v});
    Nodes g = grad(two[0], Nodes{x, v});
    Nodes wide = camber::batch(two, Nodes{x}, Nodes{many}, 3);
    camber::Program p({x, v, many}, {two[0], two[1], g[0], g[1], jvp(two[0], x, v), wide[0], wide[1]});
    r = p({{2}, {5}, {1, 2, 3}});
    CHECK(r[0][0] == 10 && r[1][0] == 1 && r[2][0] == 5 && r[3][0] == 2 && r[4][0] == 25 && r[5][2] == 15 && r[6][1] == 1 && batches == 1);
    CHECK(camber::sparsity(two[0], 1).size() == 1);
    both.sparsity([](std::size_t output, std::size_t input) {
      return output == 0 && input == 0 ? std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 0}} : std::vector<std::pair<std::int64_t, std::int64_t>>{};
    });
    CHECK(camber::sparsity(both.call({x, v})[0], 0).size() == 1 && camber::sparsity(both.call({x, v})[0], 1).empty());
    THROWS(CAMBER_EINVAL, "", camber::sparsity(x, 0));
    /* What an operator declares is the pattern of a sparse Jacobian, by either mode; a check finds what it left out. */
    for (int mode = 0; mode < 3; mode++) {
      camber::Tape own;
      Node z = own.input(f64, {5});
      camber::Operator shift("shift", 1, 1, [](const camber::Call &, const void *const *in, void *const *out) {
        for (int i = 0; i < 5; i++) static_cast<double *>(out[0])[i] = static_cast<const double *>(in[0])[i] * static_cast<const double *>(in[0])[(i + 1) % 5];
      });
      auto number = [](const void *const *v, int i) { return static_cast<const double *>(v[0])[i % 5]; };
      if (mode == 0) shift.jvp([=](const camber::Call &, const void *const *in, const void *const *, const void *const *d, void *const *out) {
        for (int i = 0; i < 5; i++) static_cast<double *>(out[0])[i] = number(d, i) * number(in, i + 1) + number(in, i) * number(d, i + 1);
      });
      else shift.vjp([=](const camber::Call &, const void *const *in, const void *const *, const void *const *d, void *const *out) {
        for (int i = 0; i < 5; i++) static_cast<double *>(out[0])[i] = number(d, i) * number(in, i + 1) + number(d, i + 4) * number(in, i + 4);
      });
      shift.sparsity([=](std::size_t, std::size_t) {
        std::vector<std::pair<std::int64_t, std::int64_t>> places;
        for (int i = 0; i < 5; i++) {
          places.push_back({i, i});
          if (mode < 2 || i < 4) places.push_back({i, (i + 1) % 5});
        }
        return places;
      });
      auto j = camber::SparseMatrix::jacobian({shift(z)}, {z});
      std::vector<double> at{1, 2, 3, 4, 5}, values(10);
      camber::Inputs point{at.data()};
      j.prepare();
      CHECK(j.count() == (mode < 2 ? 10u : 9u));
      if (mode == 2) { THROWS(CAMBER_EINVAL, "lacks entry (4, 0)", j.probe(point)); continue; }
      camber::SparseMatrix::Workspace(j).values(point, values.data());
      CHECK(values[0] == 2 && values[1] == 1 && values[8] == 5 && values[9] == 1);
      j.probe(point);
    }
    THROWS(CAMBER_EDERIV, "no derivative in the point", hessian(two[0], x));
    THROWS(CAMBER_EINVAL, "takes 2 operands", both.call({x}));
    THROWS(CAMBER_EINVAL, "has 2 results; use call", both(x, v));

    /* Derivatives for recorded functions, by callbacks and recorded. */
    for (bool recorded : {false, true}) {
      camber::Rule ten{"ten", [](const Nodes &p, const Nodes &q, const Nodes &d) { return Nodes{10 * q[0] / p[0] * d[0]}; }, nullptr, recorded};
      Node z = camber::custom(x, [](const Node &n) { return n * n; }, ten);
      CHECK(camber::Program({x}, {grad(z, x)})({{3}})[0][0] == 30);
      CHECK(std::fabs(camber::Program({x}, {hessian(z, x)})({{3}})[0][0] - 90) < 1e-12);   /* of 10 y / x, y' = 10 y / x */
      camber::Rule back{"back", nullptr, [](const Nodes &, const Nodes &, const Nodes &w) { return Nodes{w[0] * 4, Node()}; }, recorded};
      Nodes s = camber::custom({x, v}, [](const Nodes &n) { return Nodes{n[0] + n[1]}; }, back);
      CHECK(camber::Program({x, v}, {grad(s[0], x), grad(s[0], v), jvp(s[0], x, v)})({{3}, {2}})[2][0] == 8);
    }
    camber::Rule thrower{"thrower", [](const Nodes &, const Nodes &, const Nodes &) -> Nodes { throw Own{9}; }, nullptr};
    Node z = camber::custom(x, [](const Node &n) { return n * n; }, thrower);
    try {
      grad(z, x);
      CHECK(!"an exception");
    } catch (const Own &o) { CHECK(o.code == 9); }
    camber::Rule few{"few", [](const Nodes &, const Nodes &, const Nodes &) { return Nodes{}; }, nullptr};
    THROWS(CAMBER_EINVAL, "few: its rule gives 0 results", grad(camber::custom(x, [](const Node &n) { return n; }, few), x));
    camber::Rule wrong{"wrong", [](const Nodes &p, const Nodes &, const Nodes &) { return Nodes{stack(Nodes{p[0], p[0]}, 0)}; }, nullptr};
    THROWS(CAMBER_ESHAPE, "wrong: tangent 0 of the rule is f64[2]", grad(camber::custom(x, [](const Node &n) { return n; }, wrong), x));
    THROWS(CAMBER_EINVAL, "neither", camber::custom(x, [](const Node &n) { return n; }, camber::Rule{"none", nullptr, nullptr}));
    IS(t.constant(2) + 1, 3);   /* the tape stands */
  }
  CHECK(alive == 0);
}

void rounding() {
  camber::Tape t;
  Node x = t.input(), y = sqrt(x + 1) - sqrt(x), g = grad(y, x);
  camber::Rounding r({y, g}, {x}, {{"top", 4}});
  double at = 1e12;
  r.run({&at}).at(0);
  CHECK(r.level() == camber::Level::measured && r.figure("bits_lost") > 10 && std::fabs(r.corrected() - 4.99999999999875e-07) < 1e-21);
  CHECK(std::fabs(r.estimate()) <= r.bound() && r.contributions().at(0).op == "sqrt" && r.contributions().at(0).members.at(0).op == "sqrt" && r.unstable().empty() && r.report().find("sqrt") != std::string::npos);
  THROWS(CAMBER_EINVAL, "output 7", r.at(7)); THROWS(CAMBER_EINVAL, "node_limit", r.set("hurry", 1)); THROWS(CAMBER_ENODE, "", camber::Rounding({y}, {Node()}));
  double one = 1, none = 0;
  CHECK(r.along({&none, &one}).figure("value") < 0);
  camber::DerivativeCheck c({y}, {x});
  at = 3;
  CHECK(c.run({&at}) == camber::Verdict::right && c.entries().size() == 6 && std::fabs(c.entries()[0].slope - 2) < 0.1 && !c.message().empty());
  THROWS(CAMBER_EINVAL, "directions", c.set("directions", 0));
  Node b = camber::rounding_bound(y, {x});
  auto three = camber::rounding_estimate(y, {x});
  auto out = camber::Program({x}, {y, b, three[0], three[1], three[2]})({{1e12}});
  CHECK(out[1][0] > 3.8e-12 && out[1][0] < 1e-9 && out[1][0] == out[2][0] && std::fabs(out[3][0] - 3.8e-12) < out[4][0] + 1e-12);
}

}  // namespace

/* Elimination and the planner. */
static void methods() {
  camber::Tape tape;
  camber::Node x = tape.input(camber::f64, {3}), y = sin(x) * x;
  double p[3] = {1, 2, 3};
  camber::Plan plan("jacobian", {y}, {x});
  CHECK(!plan.set("taste", 1).run({p}).empty() && plan.table().size() == 9);
  CHECK(plan.json().find("methods") != std::string::npos && plan.explain().find(plan.method()) != std::string::npos);
  CHECK((camber::elimination_cost({y}, {x}, "reverse").vertices == 6));
  CHECK(camber::edge_pushing_cost(sum(y), {x}).products > 0);
  auto pushed = camber::SparseMatrix::hessian(sum(y), {x}, {}, {{"method", CAMBER_SPARSE_EDGE_PUSHING}});
  double second[3];
  camber::SparseMatrix::Workspace(pushed.prepare()).values({p}, second);
  CHECK(pushed.count() == 3 && pushed.method() == CAMBER_SPARSE_EDGE_PUSHING);
  for (int i = 0; i < 3; i++) NEAR(second[i], 2 * std::cos(p[i]) - p[i] * std::sin(p[i]), 1e-14);
  auto words = camber::SparseMatrix::jacobian({y}, {x}, {}, {{"method", CAMBER_SPARSE_FORWARD}, {"detection", CAMBER_DETECT_WORDS}});
  CHECK(words.prepare().count() == 3 && words.detection() == CAMBER_DETECT_WORDS);
  camber::Node want = camber::jacobian(y, x), bent = camber::hessian(sum(y), x);
  camber::Nodes all{want, bent};
  for (const char *m : {"compressed_forward", "reverse", "elimination"}) all.push_back(camber::jacobian_by(m, {y}, {x}).nodes[0]);
  all.push_back(camber::elimination({y}, {x}).nodes[0]);
  all.push_back(camber::jacobian(y, x, camber::Mode::stagewise));
  all.push_back(camber::jacobian(camber::preaccumulate({y}, {x})[0], x));
  all.push_back(camber::hessian_by("star", sum(y), {x}).nodes[0]);
  auto out = camber::Program({x}, all)({{1, 2, 3}});
  for (std::size_t k = 2; k < all.size(); k++)
    for (std::size_t i = 0; i < 9; i++) NEAR(out[k][i], out[k + 1 == all.size() ? 1 : 0][i], 1e-14);
  bool thrown = false;
  try {
    camber::Plan("x", {y}, {x});
  } catch (const camber::error &e) {
    thrown = e.status() == CAMBER_EINVAL;
  }
  CHECK(thrown);
}

int main() try {
  operators(), shapes(), windows(), transforms(), programs(), training(), host(), methods(), rounding();
  return check_done();
} catch (const std::exception &e) {
  std::fprintf(stderr, "test_cpp: %s\n", e.what());
  CHECK(!"an exception");
  return check_done();
}
