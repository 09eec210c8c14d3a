/* SparseMatrix: Jacobians and Hessians whose zeros are known; colourings. */
#ifndef CAMBER_SPARSE_HPP
#define CAMBER_SPARSE_HPP

#include "training.hpp"

#include <tuple>

namespace camber {

enum class SparseFormat : std::int32_t { csr = CAMBER_SPARSE_CSR, csc = CAMBER_SPARSE_CSC, coo = CAMBER_SPARSE_COO, blocks = CAMBER_SPARSE_BLOCKS };

/* The pattern once, values as often as wanted: see camber_sparse.h. Options (format, triangle, method, order, threads) by name, as there. */
class SparseMatrix {
 public:
  static SparseMatrix jacobian(const Nodes &outputs, const Nodes &variables, const Nodes &data = {}, const Options &options = {}) {
    auto [y, x, d, tape] = lists(outputs, variables, data);
    return SparseMatrix(camber_sparse_jacobian(tape->handle.get(), y.data(), y.size(), x.data(), x.size(), d.data(), d.size()), tape, options);
  }
  static SparseMatrix hessian(const Node &output, const Nodes &variables, const Nodes &data = {}, const Options &options = {}) {
    auto [y, x, d, tape] = lists({output}, variables, data);
    return SparseMatrix(camber_sparse_hessian(tape->handle.get(), y[0], x.data(), x.size(), d.data(), d.size()), tape, options);
  }
  /* Behind the data, values takes the weights: an array an output. */
  static SparseMatrix lagrangian(const Nodes &outputs, const Nodes &variables, const Nodes &data = {}, const Options &options = {}) {
    auto [y, x, d, tape] = lists(outputs, variables, data);
    return SparseMatrix(camber_sparse_lagrangian(tape->handle.get(), y.data(), y.size(), x.data(), x.size(), d.data(), d.size()), tape, options);
  }
  /* alpha dF/dy + beta dF/dy': values takes y, y', the data, alpha, beta. */
  static SparseMatrix combination(const Nodes &outputs, const Nodes &variables, const Nodes &rates, const Nodes &data = {}, const Options &options = {}) {
    auto [y, x, d, tape] = lists(outputs, variables, data);
    auto r = detail::ids(rates);
    if (r.size() != x.size()) throw error(CAMBER_EINVAL, "sparse_combination: as many rates as variables are wanted");
    return SparseMatrix(camber_sparse_combination(tape->handle.get(), y.data(), y.size(), x.data(), r.data(), x.size(), d.data(), d.size()), tape, options);
  }
  /* J^T J, or, weighted, J^T diag(w) J with w behind the data. */
  static SparseMatrix normal(const Nodes &residuals, const Nodes &variables, const Nodes &data = {}, bool weighted = false, const Options &options = {}) {
    auto [y, x, d, tape] = lists(residuals, variables, data);
    return SparseMatrix(camber_sparse_normal(tape->handle.get(), y.data(), y.size(), x.data(), x.size(), d.data(), d.size(), weighted), tape, options);
  }

  /* Before prepare. */
  SparseMatrix &set(const char *name, double value) {
    check(camber_sparse_set(handle(), name, value));
    return *this;
  }
  SparseMatrix &use_pattern(const std::vector<std::int64_t> &rows, const std::vector<std::int64_t> &columns) {
    if (rows.size() != columns.size()) throw error(CAMBER_EINVAL, "sparse: rows and columns are not as many");
    check(camber_sparse_use_pattern(handle(), rows.data(), columns.data(), rows.size()));
    return *this;
  }
  SparseMatrix &use_colors(const std::vector<std::int32_t> &rows, const std::vector<std::int32_t> &columns) {
    check(camber_sparse_use_colors(handle(), rows.empty() ? nullptr : rows.data(), rows.size(), columns.empty() ? nullptr : columns.data(), columns.size()));
    return *this;
  }
  SparseMatrix &use_blocks(const std::vector<std::int64_t> &row_sizes, const std::vector<std::int64_t> &column_sizes) {
    check(camber_sparse_use_blocks(handle(), row_sizes.data(), row_sizes.size(), column_sizes.data(), column_sizes.size()));
    return *this;
  }
  SparseMatrix &use_point(const Inputs &inputs) {
    check(camber_sparse_use_point(handle(), inputs.data()));
    return *this;
  }
  SparseMatrix &prepare() {
    check(camber_sparse_prepare(handle()));
    return *this;
  }

  std::size_t rows() const noexcept { return camber_sparse_row_count(handle()); }
  std::size_t columns() const noexcept { return camber_sparse_column_count(handle()); }
  std::size_t count() const noexcept { return camber_sparse_value_count(handle()); }
  std::int32_t detection() const noexcept { return camber_sparse_detection(handle()); }
  std::int32_t method() const noexcept { return camber_sparse_method(handle()); }
  /* Starts and indices of CSR or CSC, or rows and columns of COO; Index is int32_t or int64_t. */
  template <class Index = std::int32_t>
  std::pair<std::vector<Index>, std::vector<Index>> pattern(SparseFormat format, int base = 0) const {
    static_assert(sizeof(Index) == 4 || sizeof(Index) == 8, "indices of 32 or 64 bits");
    std::size_t first = format == SparseFormat::csr ? rows() + 1 : format == SparseFormat::csc ? columns() + 1 : format == SparseFormat::coo ? count() : rows() + 1;
    std::pair<std::vector<Index>, std::vector<Index>> p{std::vector<Index>(first), std::vector<Index>(count())};
    check(camber_sparse_pattern(handle(), static_cast<std::int32_t>(format), 8 * sizeof(Index), base, p.first.data(), p.second.data()));
    return p;
  }
  /* Colours of rows and of columns; 0: no product. */
  std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>> colors(std::size_t coloured_rows) const {
    std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>> c{std::vector<std::int32_t>(coloured_rows), std::vector<std::int32_t>(columns())};
    check(camber_sparse_colors(handle(), c.first.data(), c.second.data(), nullptr, nullptr));
    return c;
  }
  std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>> colors() const { return colors(rows()); }
  void probe(const Inputs &inputs, int probes = 3, double tolerance = 1e-9) const { check(camber_sparse_check(handle(), inputs.data(), probes, tolerance)); }
  camber_sparse *handle() const noexcept { return handle_.get(); }

  /* The memory of one thread. */
  class Workspace {
   public:
    explicit Workspace(const SparseMatrix &m) : handle_(camber_sparse_workspace_new(m.handle())) {
      if (!handle_) throw error(CAMBER_ENOMEM, camber_sparse_message(m.handle()));
    }
    void values(const Inputs &inputs, void *values) { detail::check(camber_sparse_values(handle_.get(), inputs.data(), values), camber_sparse_workspace_message(handle_.get())); }

   private:
    detail::Handle<camber_sparse_workspace, camber_sparse_workspace_free> handle_;
  };

 private:
  static std::tuple<std::vector<camber_node>, std::vector<camber_node>, std::vector<camber_node>, detail::TapeRef *> lists(const Nodes &outputs, const Nodes &variables, const Nodes &data) {
    detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(variables));
    if (!tape) throw error(CAMBER_EINVAL, "sparse: no outputs and no variables");
    return {detail::ids(outputs), detail::ids(variables), detail::ids(data), tape};
  }
  SparseMatrix(camber_sparse *s, detail::TapeRef *tape, const Options &options) : handle_(s) {
    if (!handle_) detail::fail(tape);
    for (const auto &o : options) set(o.first, o.second);
  }
  camber_status check(camber_status s) const { return detail::check(s, camber_sparse_message(handle())); }
  detail::Handle<camber_sparse, camber_sparse_free> handle_;
};

/* Colours of rows and of columns of a pattern; kind and order as at camber_color. */
inline std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>> color(const char *kind, std::size_t rows, std::size_t columns, const std::vector<std::int64_t> &i,
                                                                             const std::vector<std::int64_t> &j, std::int32_t order = CAMBER_ORDER_PORTFOLIO) {
  if (i.size() != j.size()) throw error(CAMBER_EINVAL, "color: rows and columns are not as many");
  std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>> c{std::vector<std::int32_t>(rows), std::vector<std::int32_t>(columns)};
  char message[512] = "";
  camber_status s = camber_color(kind, order, rows, columns, i.data(), j.data(), i.size(), c.first.data(), c.second.data(), nullptr, message, sizeof message);
  detail::check(s, message);
  return c;
}

}  // namespace camber
#endif
