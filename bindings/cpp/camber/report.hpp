/* Reports, and TensorBoard's event files. */
#ifndef CAMBER_REPORT_HPP
#define CAMBER_REPORT_HPP

#include "curvature.hpp"
#include "health.hpp"
#include "nonfinite.hpp"
#include "program.hpp"
#include "rounding.hpp"
#include "stabilizer.hpp"

namespace camber {

/* A diagnosis as text, JSON or one HTML file: see camber_report_new in camber_health.h. */
class Report {
 public:
  using Names = std::vector<std::string>;
  explicit Report(const std::string &title = "Report") : handle_(camber_report_new(title.c_str())) {
    if (!handle_) throw error(CAMBER_ENOMEM, "report: memory was refused");
  }
  Report &finding(const std::string &kind, int severity, const std::string &place, const std::string &evidence, const std::string &action = "") {
    return did(camber_report_add_finding(handle(), kind.c_str(), severity, place.c_str(), evidence.c_str(), action.c_str()));
  }
  Report &section(const std::string &title, const std::string &note = "") { return did(camber_report_add_section(handle(), title.c_str(), note.c_str())); }
  Report &text(const std::string &words) { return did(camber_report_add_text(handle(), words.c_str())); }
  /* Rows of columns numbers; names before the rows (or none) have the first heading. */
  Report &table(const std::string &caption, const Names &headings, const std::vector<double> &values, const Names &names = {}) {
    const std::size_t columns = headings.size() - (names.empty() ? 0 : 1), rows = columns ? values.size() / columns : 0;
    if (headings.empty() || rows * columns != values.size() || (!names.empty() && names.size() != rows)) throw error(CAMBER_ESHAPE, "report: a table's values are no rows of its headings");
    auto h = strings(headings), n = strings(names);
    return did(camber_report_add_table(handle(), caption.c_str(), h.data(), columns, names.empty() ? nullptr : n.data(), rows, values.data()));
  }
  Report &series(const std::string &chart, const std::vector<double> &y, const std::vector<double> &x = {}, const std::string &name = "", const std::vector<double> &low = {},
                 const std::vector<double> &high = {}) {
    for (const auto *v : {&x, &low, &high}) if (!v->empty() && v->size() != y.size()) throw error(CAMBER_ESHAPE, "report: arrays of a series differ in length");
    return did(camber_report_add_series(handle(), chart.c_str(), name.c_str(), y.size(), x.empty() ? nullptr : x.data(), y.data(), low.empty() ? nullptr : low.data(),
                                        high.empty() ? nullptr : high.data()));
  }
  /* kind: 0 lines, 1 dots, 2 a histogram. */
  Report &axes(const std::string &chart, const std::string &x, const std::string &y, bool log_x = false, bool log_y = false, int kind = 0) {
    return did(camber_report_set_axes(handle(), chart.c_str(), x.c_str(), y.c_str(), log_x, log_y, kind));
  }
  Report &bars(const std::string &chart, const Names &names, const std::vector<double> &values, const std::string &name = "") {
    if (names.size() != values.size()) throw error(CAMBER_ESHAPE, "report: names and values differ in length");
    auto n = strings(names);
    return did(camber_report_add_bars(handle(), chart.c_str(), name.c_str(), values.size(), n.data(), values.data()));
  }
  Report &histogram(const std::string &title, const std::vector<double> &values) { return did(camber_report_add_histogram(handle(), title.c_str(), values.size(), values.data())); }
  Report &graph(const std::string &title, const Names &labels, const std::vector<std::pair<std::int64_t, std::int64_t>> &edges, const Names &details = {}, std::int64_t origin = -1) {
    if (!details.empty() && details.size() != labels.size()) throw error(CAMBER_ESHAPE, "report: labels and details differ in length");
    auto l = strings(labels), d = strings(details);
    std::vector<std::int64_t> flat;
    for (const auto &e : edges) flat.push_back(e.first), flat.push_back(e.second);
    return did(camber_report_add_graph(handle(), title.c_str(), labels.size(), l.data(), details.empty() ? nullptr : d.data(), edges.size(), flat.data(), origin));
  }
  Report &pattern(const std::string &title, std::int64_t rows, std::int64_t columns, const std::vector<std::int64_t> &row_of, const std::vector<std::int64_t> &column_of) {
    if (row_of.size() != column_of.size()) throw error(CAMBER_ESHAPE, "report: rows and columns differ in length");
    return did(camber_report_add_pattern(handle(), title.c_str(), rows, columns, row_of.size(), row_of.data(), column_of.data()));
  }
  Report &add(const Curvature &c) { return did(camber_report_add_curvature(handle(), c.handle())); }
  Report &add(const Solver &s) { return did(camber_report_add_solver(handle(), s.handle())); }
  Report &add(const Program &p) { return did(camber_report_add_program(handle(), p.handle())); }
  Report &add(const Rounding &r) { return did(camber_report_add_rounding(handle(), r.handle())); }
  Report &add(const DerivativeCheck &c) { return did(camber_report_add_check(handle(), c.handle())); }
  Report &add(const Nonfinite &n) { return did(camber_report_add_nonfinite(handle(), n.handle())); }
  Report &add(const Stabilizer &s) { return did(camber_report_add_stabilizer(handle(), s.handle())); }
  Report &add(const Flow &f) { return did(camber_report_add_flow(handle(), f.handle())); }
  Report &add(const Finding &f) { return finding(f.kind, f.severity, f.place, f.evidence, f.advice); }
  Report &add(camber_flow *flow) { return did(camber_report_add_flow(handle(), flow)); }
  Report &add(const camber_findings *findings) { return did(camber_report_add_findings(handle(), findings)); }
  Report &compare(const Report &other, const std::string &mine = "this run", const std::string &theirs = "the other") {
    return did(camber_report_compare(handle(), other.handle(), mine.c_str(), theirs.c_str()));
  }
  /* "text", "json" or "html". */
  std::string render(const std::string &format = "text") const {
    const char *s = camber_report_render(handle(), format.c_str());
    if (!s) throw error(CAMBER_EINVAL, camber_report_message(handle()));
    return s;
  }
  /* Those, or "tensorboard". */
  const Report &save(const std::string &path, const std::string &format) const {
    detail::check(camber_report_save(handle(), format.c_str(), path.c_str()), camber_report_message(handle()));
    return *this;
  }
  camber_report *handle() const noexcept { return handle_.get(); }

 private:
  static std::vector<const char *> strings(const Names &names) {
    std::vector<const char *> p;
    for (const auto &n : names) p.push_back(n.c_str());
    return p;
  }
  Report &did(camber_status s) {
    detail::check(s, camber_report_message(handle()));
    return *this;
  }
  detail::Handle<camber_report, camber_report_free> handle_;
};

/* TensorBoard's event file; `time` in seconds since 1970. */
class Events {
 public:
  explicit Events(double time) : handle_(camber_events_new(time)) {
    if (!handle_) throw error(CAMBER_ENOMEM, "events: memory was refused");
  }
  Events &scalar(const std::string &tag, std::int64_t step, double value, double time) { return did(camber_events_scalar(handle(), tag.c_str(), step, value, time)); }
  Events &histogram(const std::string &tag, std::int64_t step, const std::vector<double> &values, double time) {
    return did(camber_events_histogram(handle(), tag.c_str(), step, values.size(), values.data(), time));
  }
  Events &save(const std::string &path) { return did(camber_events_save(handle(), path.c_str())); }
  camber_events *handle() const noexcept { return handle_.get(); }

 private:
  Events &did(camber_status s) {
    detail::check(s, camber_events_message(handle()));
    return *this;
  }
  detail::Handle<camber_events, camber_events_free> handle_;
};

}  // namespace camber
#endif
