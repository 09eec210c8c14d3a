/* Convolutions, pooling and interpolation on nodes. */
#ifndef CAMBER_WINDOWS_HPP
#define CAMBER_WINDOWS_HPP

#include "shapes.hpp"

namespace camber {

/* One number an axis, or one for all; empty: as camber.h says. */
struct PerAxis : std::vector<std::int64_t> {
  PerAxis() = default;
  PerAxis(int n) : vector{n} {}
  PerAxis(std::int64_t n) : vector{n} {}
  PerAxis(std::initializer_list<std::int64_t> n) : vector(n) {}
};

/* How windows move: conv(x, w, {.stride = 2, .low = 1, .high = 1}) in C++20, or member by member. */
struct Windows {
  PerAxis stride = {}, low = {}, high = {}, dilation = {}, input_dilation = {}, extra = {};
  std::int64_t groups = 1;
};

namespace detail {

/* An array of `rank` entries, or NULL. */
struct Entries {
  std::vector<std::int64_t> list;
  Entries(const PerAxis &given, std::size_t rank, const char *what) : list(given) {
    if (list.size() == 1) list.assign(rank, list[0]);
    if (!list.empty() && list.size() != rank)
      throw error(CAMBER_EINVAL, std::string(what) + ": " + std::to_string(list.size()) + " entries for " + std::to_string(rank) + " spatial axes");
  }
  const std::int64_t *get() const noexcept { return list.empty() ? nullptr : list.data(); }
};

using Pool = camber_node (*)(camber_tape *, camber_node, const std::int64_t *, const std::int64_t *, const std::int64_t *, const std::int64_t *,
                             const std::int64_t *, std::size_t);
inline std::size_t spatial(const Node &x) { return x.rank() > 2 ? static_cast<std::size_t>(x.rank() - 2) : 0; }

inline Node pool(Pool f, const Node &x, const PerAxis &window, const Windows &o) {
  const std::size_t rank = window.size();
  Entries s(o.stride, rank, "stride"), l(o.low, rank, "low"), h(o.high, rank, "high"), d(o.dilation, rank, "dilation");
  return made(x.tape_ref(), f(need(x), x.id(), window.data(), s.get(), l.get(), h.get(), d.get(), rank));
}

}  // namespace detail

/* x [batch, channels, spatial...], w [outputs, channels / groups, spatial...]. */
inline Node conv(const Node &x, const Node &w, const Windows &o = {}) {
  const std::size_t k = detail::spatial(x);
  detail::Entries s(o.stride, k, "conv: stride"), l(o.low, k, "conv: low"), h(o.high, k, "conv: high"), d(o.dilation, k, "conv: dilation"),
      b(o.input_dilation, k, "conv: input_dilation");
  detail::TapeRef *tape = detail::inner(x, w);
  Nodes n = detail::common({x, w});
  return detail::made(tape, camber_conv(tape->handle.get(), n[0].id(), n[1].id(), s.get(), l.get(), h.get(), d.get(), b.get(), o.groups));
}
/* w [channels, outputs / groups, spatial...]. */
inline Node conv_transpose(const Node &x, const Node &w, const Windows &o = {}) {
  const std::size_t k = detail::spatial(x);
  detail::Entries s(o.stride, k, "conv_transpose: stride"), l(o.low, k, "conv_transpose: low"), h(o.high, k, "conv_transpose: high"),
      d(o.dilation, k, "conv_transpose: dilation"), e(o.extra, k, "conv_transpose: extra");
  detail::TapeRef *tape = detail::inner(x, w);
  Nodes n = detail::common({x, w});
  return detail::made(tape, camber_conv_transpose(tape->handle.get(), n[0].id(), n[1].id(), s.get(), l.get(), h.get(), e.get(), d.get(), o.groups));
}

/* Over the last axes, as many as the window has. */
inline Node max_pool(const Node &x, const PerAxis &window, const Windows &o = {}) { return detail::pool(camber_max_pool, x, window, o); }
inline Node max_pool_index(const Node &x, const PerAxis &window, const Windows &o = {}) { return detail::pool(camber_max_pool_index, x, window, o); }
inline Node avg_pool(const Node &x, const PerAxis &window, const Windows &o = {}, bool count_padding = true) {
  const std::size_t rank = window.size();
  detail::Entries s(o.stride, rank, "stride"), l(o.low, rank, "low"), h(o.high, rank, "high"), d(o.dilation, rank, "dilation");
  return detail::made(x.tape_ref(), camber_avg_pool(detail::need(x), x.id(), window.data(), s.get(), l.get(), h.get(), d.get(), rank, count_padding));
}

enum class Method : std::int32_t { nearest = CAMBER_NEAREST, linear = CAMBER_LINEAR, cubic = CAMBER_CUBIC };
enum class Ends : std::int32_t { not_a_knot = CAMBER_NOT_A_KNOT, natural = CAMBER_NATURAL, clamped = CAMBER_CLAMPED, periodic = CAMBER_PERIODIC };
enum class Outside : std::int32_t { clamp = CAMBER_CLAMP, extrapolate = CAMBER_EXTRAPOLATE, nan = CAMBER_NAN, error = CAMBER_ERROR, wrap = CAMBER_WRAP };

inline Node searchsorted(const Node &knots, const Node &x, bool right = false) {
  detail::TapeRef *tape = detail::inner(knots, x);
  Nodes n = detail::common({knots, x});
  return detail::made(tape, camber_searchsorted(tape->handle.get(), n[0].id(), n[1].id(), right));
}
inline Node interp(const Node &x, const Node &knots, const Node &values, Method method = Method::linear, Outside outside = Outside::clamp,
                   Ends ends = Ends::not_a_knot) {
  Nodes n = detail::common({x, knots, values});
  detail::TapeRef *tape = detail::inner(n);
  return detail::made(tape, camber_interp(tape->handle.get(), n[0].id(), n[1].id(), n[2].id(), static_cast<std::int32_t>(method),
                                          static_cast<std::int32_t>(ends), static_cast<std::int32_t>(outside)));
}
/* x [points..., axes]; a list of knots an axis. */
inline Node interpn(const Node &x, const Nodes &knots, const Node &values, Method method = Method::linear, Outside outside = Outside::clamp,
                    Ends ends = Ends::not_a_knot) {
  Nodes all = knots;
  all.push_back(x), all.push_back(values);
  all = detail::common(all);
  detail::TapeRef *tape = detail::inner(all);
  auto ids = detail::ids(all);
  return detail::made(tape, camber_interpn(tape->handle.get(), ids[knots.size()], ids.data(), knots.size(), ids[knots.size() + 1], static_cast<std::int32_t>(method),
                                           static_cast<std::int32_t>(ends), static_cast<std::int32_t>(outside)));
}

}  // namespace camber
#endif
