/* What the machine can do, and how near Camber comes to it: each measurement is a line `name value`, the best of many repeats, Camber's in
 * turns with what it is compared with. See ../limits.
 */
#include <immintrin.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <thread>

#include <camber.hpp>

namespace {

using camber::f32, camber::f64, camber::Node, camber::Nodes;
using Clock = std::chrono::steady_clock;

double now() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }
void say(const char *name, double value) { std::printf("%s %.6g\n", name, value), std::fflush(stdout); }
template <class T>
void keep(const T &value) { asm volatile("" : : "g"(&value) : "memory"); }

/* The best time of a call of each, taken in turns for `seconds` each. */
std::vector<double> best(const std::vector<std::function<void()>> &all, double seconds = 0.4) {
  std::vector<double> least(all.size(), 1e30);
  std::vector<std::size_t> counts;
  for (auto &f : all) {
    f();
    double begin = now();
    f();
    counts.push_back(std::max<std::size_t>(1, std::size_t(2e-4 / std::max(now() - begin, 1e-8))));
  }
  for (double end = now() + seconds * double(all.size()); now() < end;)
    for (std::size_t i = 0; i < all.size(); i++) {
      double begin = now();
      for (std::size_t k = 0; k < counts[i]; k++) all[i]();
      least[i] = std::min(least[i], (now() - begin) / double(counts[i]));
    }
  return least;
}

/* ---- The machine ------------------------------------------------------------------------------------------------------ */

#ifdef __AVX512F__
typedef double Vec __attribute__((vector_size(64)));
typedef float Vecf __attribute__((vector_size(64)));
#define FMA(a, b, c) (Vec) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
#define SLEEF(f, t, n8, n4) Sleef_finz_##f##t##n8##_u10avx512f
#else
typedef double Vec __attribute__((vector_size(32)));
typedef float Vecf __attribute__((vector_size(32)));
#define FMA(a, b, c) (Vec) _mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define SLEEF(f, t, n8, n4) Sleef_finz_##f##t##n4##_u10avx2
#endif
constexpr int LANES = sizeof(Vec) / 8, CHAINS = 12, LENGTH = 4096;

/* Operations a second of LENGTH steps down CHAINS independent chains: in registers by name, and the compiler may fold none away. */
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define START(i) Vec v##i = Vec{} + (1.0 + i);
#define SUM(i) sum += v##i;
#define CHAIN(name, step)                                                                   \
  void name() {                                                                             \
    Vec b = Vec{} + 1.0000001, c = Vec{} + 1e-9, sum = Vec{};                               \
    EACH(START)                                                                             \
    for (int k = 0; k < LENGTH; k++) { EACH(step) }                                         \
    EACH(SUM)                                                                               \
    keep(sum), keep(c);                                                                     \
  }
#define HELD(i, value) v##i = value; asm volatile("" : "+x"(v##i));
#define FMA_STEP(i) HELD(i, FMA(v##i, b, c))
#define MUL_STEP(i) HELD(i, v##i * b)
#define ADD_STEP(i) HELD(i, v##i + b)
CHAIN(fma_chain, FMA_STEP)
CHAIN(mul_chain, MUL_STEP)
CHAIN(add_chain, ADD_STEP)

/* The same work on `threads` threads, timed from when all have begun until the last has ended. */
double together(int threads, const std::function<void(int)> &work) {
  double least = 1e30;
  for (int repeat = 0; repeat < 15; repeat++) {
    std::atomic<int> ready{0};
    std::vector<double> ended(threads);
    std::vector<std::thread> others;
    double begin = 0;
    for (int t = 1; t < threads; t++)
      others.emplace_back([&, t] {
        ready++;
        while (ready < threads) {}
        work(t), ended[t] = now();
      });
    while (ready < threads - 1) {}
    begin = now();
    ready++;
    work(0), ended[0] = now();
    for (auto &o : others) o.join();
    least = std::min(least, *std::max_element(ended.begin(), ended.end()) - begin);
  }
  return least;
}

/* A thread's part of one triad of `n` numbers. */
void triad(double *a, const double *b, const double *c, std::size_t n, int part, int parts) {
  for (std::size_t i = n * part / parts; i < n * (part + 1) / parts; i++) a[i] = b[i] + 3.0 * c[i];
  keep(a[0]);
}

/* ---- Camber ------------------------------------------------------------------------------------------------------------ */

/* Runs `build`'s outputs of inputs of n numbers each, on `threads`. */
struct Chain {
  std::vector<std::vector<double>> in, out;
  camber::Program program;
  camber::Workspace workspace;
  camber::Inputs at;
  camber::Outputs to;

  static camber::Program make(int count, std::size_t n, int threads, const std::function<Node(const Nodes &)> &build, camber::DType type) {
    camber::Tape tape;
    Nodes x;
    for (int i = 0; i < count; i++) x.push_back(tape.input(type, {std::int64_t(n)}));
    camber::Program p(x, {build(x)});
    p.set("threads", threads);
    return p;
  }
  Chain(int count, std::size_t n, int threads, const std::function<Node(const Nodes &)> &build, camber::DType type = f64)
      : program(make(count, n, threads, build, type)), workspace(program) {
    for (int i = 0; i < count; i++) {
      in.emplace_back(n);
      for (std::size_t k = 0; k < n; k++) {
        double v = 0.5 + double((k * 2654435761u + std::size_t(i)) % 4096) / 4096;
        if (type == f64) in.back()[k] = v;
        else reinterpret_cast<float *>(in.back().data())[k] = float(v);
      }
    }
    out.emplace_back(n);
    for (auto &v : in) at.push_back(v.data());
    to.push_back(out[0].data());
    if (std::getenv("EXPLAIN")) std::fputs(program.explain().c_str(), stderr);
  }
  void operator()() { program.run(workspace, at.data(), to.data()); }
};

extern "C" {
#define DECLARE(name) Vec SLEEF(name, d, 8, 4)(Vec); Vecf SLEEF(name, f, 16, 8)(Vecf);
DECLARE(exp) DECLARE(log) DECLARE(sin) DECLARE(tanh)
#undef DECLARE
}

template <class V, class E>
void apply(V (*f)(V), const void *x, void *y, std::size_t n) {
  const E *from = static_cast<const E *>(x);
  E *to = static_cast<E *>(y);
  for (std::size_t i = 0; i < n; i += sizeof(V) / sizeof(E)) {
    V v;
    std::memcpy(&v, from + i, sizeof v);
    v = f(v);
    std::memcpy(to + i, &v, sizeof v);
  }
}

void functions() {
  const std::size_t n = 1 << 14;
  struct Entry { const char *name; Vec (*d)(Vec); Vecf (*f)(Vecf); Node (*node)(const Node &); };
#define ENTRY(name) {#name, SLEEF(name, d, 8, 4), SLEEF(name, f, 16, 8), [](const Node &x) { return camber::name(x); }}
  const Entry all[] = {ENTRY(exp), ENTRY(tanh), ENTRY(log), ENTRY(sin)};
  for (const Entry &e : all)
    for (bool wide : {true, false}) {
      Chain ours(1, n, 1, [&](const Nodes &x) { return e.node(x[0]); }, wide ? f64 : f32);
      std::vector<double> out(n);
      auto theirs = [&] { wide ? apply<Vec, double>(e.d, ours.in[0].data(), out.data(), n) : apply<Vecf, float>(e.f, ours.in[0].data(), out.data(), n); };
      auto t = best({theirs, [&] { ours(); }});
      std::string name = std::string(e.name) + (wide ? "_f64" : "_f32");
      say(("sleef_" + name).c_str(), t[0] / double(n) * 1e9), say(("camber_" + name).c_str(), t[1] / double(n) * 1e9);
    }
}

void machine_and_chains() {
  double calls = double(LENGTH) * CHAINS * LANES;
  auto t = best({fma_chain, mul_chain, add_chain});
  say("fma_gflops", 2 * calls / t[0] / 1e9), say("mul_gflops", calls / t[1] / 1e9), say("add_gflops", calls / t[2] / 1e9);
  auto repeat = [](int) { for (int i = 0; i < 200; i++) fma_chain(); };
  say("compute_two", 2 * together(1, repeat) / together(2, repeat));

  const std::size_t n = 1 << 23, few = 1 << 14;   /* 64 MiB an array; 128 KiB */
  std::vector<double> a(n), b(n, 1), c(n, 2);
  double one = together(1, [&](int) { triad(a.data(), b.data(), c.data(), n, 0, 1); }), two = together(2, [&](int p) { triad(a.data(), b.data(), c.data(), n, p, 2); });
  say("triad_gbs", 24e-9 * double(n) / one), say("triad_gbs_two", 24e-9 * double(n) / two), say("memory_two", one / two);
  say("triad_cache_gbs", 24e-9 * double(few) / best({[&] { triad(a.data(), b.data(), c.data(), few, 0, 1); }})[0]);

  /* Memory-bound: four operators on three arrays and one result, from memory; the triad in turns with it. */
  auto light = [](const Nodes &x) { return (x[0] * x[1] + x[2]) * x[0] - x[1]; };
  {
    Chain single(3, n, 1, light), both(3, n, 2, light);
    auto m = best({[&] { triad(a.data(), b.data(), c.data(), n, 0, 1); }, [&] { single(); }, [&] { both(); }}, 1);
    say("chain_gbs", 32e-9 * double(n) / m[1]), say("chain_of_triad", 32 * m[0] / (24 * m[1])), say("chain_two", m[1] / m[2]);
  }
  /* Compute-bound: a polynomial of degree 32 by Horner, 32 multiplications and additions an element. */
  for (bool wide : {true, false}) {
    auto horner = [](const Nodes &x) {
      Node p = x[0] * 0.5 + 1;
      for (int k = 2; k <= 32; k++) p = p * x[0] + 1.0 / k;
      return p;
    };
    Chain small(1, 1 << 13, 1, horner, wide ? f64 : f32);
    auto p = best({mul_chain, add_chain, [&] { small(); }});
    double rate = 32.0 * (1 << 13) / p[2] / 1e9 / (wide ? 1 : 2);
    say(wide ? "polynomial_f64" : "polynomial_f32", rate), say(wide ? "polynomial_f64_of_peak" : "polynomial_f32_of_peak", rate / (std::min(calls / p[0], calls / p[1]) / 1e9));
    if (!wide) continue;
    Chain large(1, 1 << 21, 1, horner), shared(1, 1 << 21, 2, horner);
    auto q = best({[&] { large(); }, [&] { shared(); }}, 0.8);
    say("polynomial_two", q[0] / q[1]);
  }
  auto heavy = [](const Nodes &x) { return exp(x[0]) * tanh(x[0]) + log(x[0]); };
  Chain large(1, 1 << 19, 1, heavy), shared(1, 1 << 19, 2, heavy);
  auto q = best({[&] { large(); }, [&] { shared(); }}, 0.8);
  say("functions_two", q[0] / q[1]);
  camber::Tape tape;
  Nodes m = {tape.input(f64, {768, 768}), tape.input(f64, {768, 768})};
  std::vector<double> x(768 * 768, 0.5), y(768 * 768, 0.25), z(768 * 768);
  const void *in[] = {x.data(), y.data()};
  void *out[] = {z.data()};
  camber::Program p1(m, {matmul(m[0], m[1])}), p2(m, {matmul(m[0], m[1])});
  p1.set("threads", 1), p2.set("threads", 2);
  camber::Workspace w1(p1), w2(p2);
  auto g = best({[&] { p1.run(w1, in, out); }, [&] { p2.run(w2, in, out); }}, 0.8);
  say("product_gflops", 2.0 * 768 * 768 * 768 / g[0] / 1e9), say("product_two", g[0] / g[1]);
}

/* ---- What a call and a compilation cost -------------------------------------------------------------------------------- */

void calls() {
  for (int backend : {2, 1}) {
    camber::Tape tape;
    Node x = tape.input();
    camber::Program p({x}, {x * x});
    p.set("backend", backend);
    camber::Workspace w(p);
    double v = 1.5, r = 0;
    const void *in[] = {&v};
    void *out[] = {&r};
    say(backend == 2 ? "call_machine" : "call_kernels", best({[&] { camber_run(p.handle(), w.handle(), in, out); }})[0] * 1e9);
  }
}

/* x, y -> sin(x) y + x/2, y - x z, ...: `count` operators through the C functions, as a binding calls them. */
void compile() {
  const int count = 200000;
  double record = 1e30, transform = 1e30, plan = 1e30, ready = 1e30;
  for (int repeat = 0; repeat < 5; repeat++) {
    camber_tape *t = camber_tape_new();
    camber_node in[2] = {camber_input(t, CAMBER_F64, nullptr, 0), camber_input(t, CAMBER_F64, nullptr, 0)}, a = in[0], b = in[1], half = camber_constant(t, CAMBER_F64, 0.5);
    double begin = now();
    for (int i = 0; i < count; i += 6) {
      camber_node c = camber_add(t, camber_mul(t, a, b), camber_mul(t, half, a));
      b = camber_sub(t, b, camber_mul(t, a, in[i / 6 % 2])), a = camber_mul(t, c, half);
    }
    camber_node sum = camber_add(t, a, b), out[3] = {sum};
    record = std::min(record, (now() - begin) / double(camber_tape_node_count(t)));
    std::size_t before = camber_tape_node_count(t);
    begin = now();
    camber_grad(t, sum, in, 2, out + 1);
    transform = std::min(transform, (now() - begin) / double(camber_tape_node_count(t) - before));
    std::size_t nodes = camber_tape_node_count(t);
    begin = now();
    camber_program *p = camber_program_new(t, in, 2, out, 3);
    plan = std::min(plan, (now() - begin) / double(nodes));
    camber_workspace *w = camber_workspace_new(p);
    double x = 0.3, y = 0.4, r[3];
    const void *at[] = {&x, &y};
    void *to[] = {r, r + 1, r + 2};
    camber_run(p, w, at, to);
    ready = std::min(ready, (now() - begin) / double(nodes));
    camber_workspace_free(w), camber_program_free(p), camber_tape_free(t);
  }
  say("record_mnodes", 1e-6 / record), say("transform_mnodes", 1e-6 / transform), say("plan_ns", 1e9 * plan), say("compile_ns", 1e9 * ready);
}

}  // namespace

int main() {
  machine_and_chains();
  functions();
  calls();
  compile();
}
