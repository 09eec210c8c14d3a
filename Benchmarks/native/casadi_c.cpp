/* CasADi: the function `f` at each of N points, as generated C compiled beside this or, with -DVM, interpreted by libcasadi
 * from <folder>/f.casadi. arguments.txt lines: a row's input, the
 * numbers that a point takes of it (0: all of it, for every point). Results: output after output, each for all points, of sparse ones the entries. With
 * more than one thread the points are shared out by OpenMP, as CasADi's own map does.
 */
#include <omp.h>

#include "worker.hpp"

using casadi_int = long long;
#ifdef VM
#include <casadi/casadi_c.h>
int f(const double **arg, double **res, casadi_int *iw, double *w, int mem) { return casadi_c_eval_id(0, arg, res, iw, w, mem); }
int f_work(casadi_int *arg, casadi_int *res, casadi_int *iw, casadi_int *w) { return casadi_c_work_id(0, arg, res, iw, w); }
casadi_int f_n_out() { return casadi_c_n_out_id(0); }
const casadi_int *f_sparsity_out(casadi_int i) { return casadi_c_sparsity_out_id(0, i); }
#else
extern "C" {
int f(const double **arg, double **res, casadi_int *iw, double *w, int mem);
int f_work(casadi_int *arg, casadi_int *res, casadi_int *iw, casadi_int *w);
casadi_int f_n_out(void);
const casadi_int *f_sparsity_out(casadi_int i);
}
#endif

using bench::Doubles;

struct Scratch {
  std::vector<const double *> arg;
  std::vector<double *> res;
  std::vector<casadi_int> iw;
  Doubles w;
  Scratch() {
    casadi_int a, r, i, n;
    f_work(&a, &r, &i, &n);
    arg.resize(a), res.resize(r), iw.resize(i + 1), w.resize(n + 1);
  }
};

int main(int argc, char **argv) {
  bench::Worker worker(argc, argv);
#ifdef VM
  if (casadi_c_push_file((worker.folder() + "/f.casadi").c_str())) return 1;
  casadi_c_incref_id(0);
#endif
  std::ifstream list(worker.folder() + "/arguments.txt");
  std::vector<Doubles> in, out;
  std::vector<std::size_t> strides, sizes;
  std::size_t points = 1, stride = 0;
  for (std::string name; list >> name >> stride;) {
    in.push_back(worker.read(name)), strides.push_back(stride);
    if (stride) points = in.back().size() / stride;
  }
  for (casadi_int i = 0; i < f_n_out(); i++) {
    const casadi_int *s = f_sparsity_out(i);
    sizes.push_back(std::size_t(s[2] ? s[0] * s[1] : s[2 + s[1]])), out.emplace_back(points * sizes.back());
  }
#ifdef VM
  int threads = 1;   /* a memory each would be wanted */
#else
  int threads = points > 1 ? omp_get_max_threads() : 1;
#endif
  std::vector<Scratch> scratch(threads);
  auto range = [&](Scratch &s, std::size_t from, std::size_t to) {
    for (std::size_t p = from; p < to; p++) {
      for (std::size_t i = 0; i < in.size(); i++) s.arg[i] = in[i].data() + p * strides[i];
      for (std::size_t i = 0; i < out.size(); i++) s.res[i] = out[i].data() + p * sizes[i];
      f(s.arg.data(), s.res.data(), s.iw.data(), s.w.data(), 0);
    }
    bench::keep(out[0][0]);
  };
  return worker.serve(
      [&] {
        if (threads == 1) return range(scratch[0], 0, points);
#pragma omp parallel for num_threads(threads)
        for (int t = 0; t < threads; t++) range(scratch[t], points * t / threads, points * (t + 1) / threads);
      },
      [&] {
        Doubles all;
        for (const Doubles &o : out) all.insert(all.end(), o.begin(), o.end());
        return all;
      });
}
