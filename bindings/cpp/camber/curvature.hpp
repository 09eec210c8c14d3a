/* Curvature: figures of a Hessian with intervals, and the errors of its approximations. */
#ifndef CAMBER_CURVATURE_HPP
#define CAMBER_CURVATURE_HPP

#include <functional>

#include "solver.hpp"

namespace camber {

/* A number and the interval that holds it. */
struct Figure {
  double value, low, high;
};

/* Figures, errors and options stand in camber_health.h at camber_curvature_new. */
class Curvature {
 public:
  using Product = std::function<void(std::size_t n, const double *v, double *product)>;
  struct Pair {
    double residual, secant, noise, damping;
    std::int32_t state;
  };
  struct Layer {
    std::int64_t weight, bias;   /* numbers of the variables; -1: no bias */
    Node input, preactivations;
  };
  Curvature(const Node &output, const Nodes &variables, const Nodes &data = {}, const Options &options = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner({output}), detail::inner(variables));
    if (!tape) throw error(CAMBER_EINVAL, "curvature: no variables");
    auto x = detail::ids(variables), d = detail::ids(data);
    handle_.reset(camber_curvature_new(tape->handle.get(), detail::ids({output})[0], x.data(), x.size(), d.data(), d.size()));
    if (!handle_) detail::fail(tape);
    for (const auto &o : options) set(o.first, o.second);
  }
  Curvature &set(const char *name, double value) {
    check(camber_curvature_set(handle(), name, value));
    return *this;
  }
  /* Arrays of the point, one a variable and a data; copied. */
  Curvature &at(const Inputs &variables, const Inputs &data = {}) {
    check(camber_curvature_at(handle(), variables.data(), data.empty() ? nullptr : data.data()));
    return *this;
  }
  std::size_t dimension() const noexcept { return camber_curvature_dimension(handle()); }
  std::size_t products() const noexcept { return camber_curvature_products(handle()); }
  Figure figure(const char *name) const {
    Figure f{};
    check(camber_curvature_figure(handle(), name, &f.value, &f.low, &f.high));
    return f;
  }
  std::vector<double> gradient() const {
    std::vector<double> g(dimension());
    check(camber_curvature_gradient(handle(), g.data()));
    return g;
  }
  std::vector<double> product(const std::vector<double> &v) const {
    if (v.size() != dimension()) throw error(CAMBER_ESHAPE, "curvature: a vector of another size than the variables'");
    std::vector<double> w(dimension());
    check(camber_curvature_product(handle(), v.data(), w.data()));
    return w;
  }
  /* Values, and half widths of their intervals (of eigenvalues: residuals). */
  using Two = std::pair<std::vector<double>, std::vector<double>>;
  Two diagonal() const { return two(camber_curvature_diagonal); }
  Two posterior() const { return two(camber_curvature_posterior); }
  Two eigenvalues() const {
    std::size_t count = 0;
    check(camber_curvature_eigenvalues(handle(), nullptr, nullptr, 0, &count));
    Two t{std::vector<double>(count), std::vector<double>(count)};
    check(camber_curvature_eigenvalues(handle(), t.first.data(), t.second.data(), count, nullptr));
    return t;
  }
  struct Density {
    std::vector<double> places, density, low, high;
  };
  Density density(std::size_t count = 200) const {
    Density d{std::vector<double>(count), std::vector<double>(count), std::vector<double>(count), std::vector<double>(count)};
    check(camber_curvature_density(handle(), count, d.places.data(), d.density.data(), d.low.data(), d.high.data()));
    return d;
  }

  /* Approximations; n (x n) numbers, rows of pairs. */
  Curvature &add_diagonal(const char *name, const double *values = nullptr) { return added(camber_curvature_add_diagonal(handle(), name, values)); }
  Curvature &add_matrix(const char *name, const double *rows) { return added(camber_curvature_add_matrix(handle(), name, rows)); }
  Curvature &add_product(const char *name, Product f) {
    kept_.push_back(std::make_unique<Product>(std::move(f)));
    return added(camber_curvature_add_product(handle(), name, call, kept_.back().get()));
  }
  Curvature &add_pairs(const char *name, const char *kind, const double *steps, const double *changes, std::size_t count, std::size_t memory = 0, double noise = -1) {
    return added(camber_curvature_add_pairs(handle(), name, kind, steps, changes, count, memory, noise));
  }
  Curvature &add_differences(const char *name, const char *kind = "central") { return added(camber_curvature_add_differences(handle(), name, kind)); }
  Curvature &add_gauss_newton(const char *name, const Nodes &outputs) {
    auto z = detail::ids(outputs);
    return added(camber_curvature_add_gauss_newton(handle(), name, z.data(), z.size()));
  }
  Curvature &add_fisher(const char *name, const Nodes &outputs, const char *family, double scale = 0) {
    auto z = detail::ids(outputs);
    return added(camber_curvature_add_fisher(handle(), name, z.data(), z.size(), family, scale));
  }
  Curvature &add_kfac(const char *name, const std::vector<Layer> &layers, const Nodes &output = {}, const char *family = "empirical", double scale = 0) {
    std::vector<std::int64_t> w, b;
    Nodes in, out;
    for (const Layer &l : layers) w.push_back(l.weight), b.push_back(l.bias), in.push_back(l.input), out.push_back(l.preactivations);
    auto a = detail::ids(in), s = detail::ids(out), z = detail::ids(output);
    return added(camber_curvature_add_kfac(handle(), name, layers.size(), w.data(), b.data(), a.data(), s.data(), z.empty() ? CAMBER_NONE : z[0], family, scale));
  }
  std::vector<std::string> approximations() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < camber_curvature_approximation_count(handle()); i++) names.emplace_back(camber_curvature_approximation(handle(), i));
    return names;
  }
  Figure error_of(const char *approximation, const char *error) const {
    Figure f{};
    check(camber_curvature_error(handle(), approximation, error, &f.value, &f.low, &f.high));
    return f;
  }
  std::vector<std::string> error_names(const char *approximation) const {
    std::vector<std::string> names;
    while (const char *s = camber_curvature_error_name(handle(), approximation, names.size())) names.emplace_back(s);
    return names;
  }
  Pair pair(const char *name, std::size_t i) const {
    Pair p{};
    check(camber_curvature_pair(handle(), name, i, &p.residual, &p.secant, &p.noise, &p.damping, &p.state));
    return p;
  }
  camber_curvature *handle() const noexcept { return handle_.get(); }

 private:
  static camber_status call(void *payload, std::size_t n, const double *v, double *product) {
    try {
      (*static_cast<Product *>(payload))(n, v, product);
      return CAMBER_OK;
    } catch (...) {
      detail::thrown() = std::current_exception();
      return CAMBER_ECALLBACK;
    }
  }
  Two two(camber_status (*f)(camber_curvature *, double *, double *)) const {
    Two t{std::vector<double>(dimension()), std::vector<double>(dimension())};
    check(f(handle(), t.first.data(), t.second.data()));
    return t;
  }
  Curvature &added(camber_status s) {
    check(s);
    return *this;
  }
  camber_status check(camber_status s) const {
    if (s > 0) throw error(s, camber_curvature_message(handle()));
    return detail::check(s, camber_curvature_message(handle()));
  }
  detail::Handle<camber_curvature, camber_curvature_free> handle_;
  std::vector<std::unique_ptr<Product>> kept_;
};

}  // namespace camber
#endif
