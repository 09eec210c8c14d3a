/* CAMBER_GUARDS: text with branches, recorded at a point; runs beyond a branch say so. */
#define CAMBER_GUARDS
#include <algorithm>
#include <cmath>

#include <camber.hpp>

#include "../c/check.h"

namespace {

/* Newton's square root, with a branch, a loop of unknown length, and an exchange. */
template <class T>
T text(const std::vector<T> &x) {
  using std::fabs;
  if (x[0] < 0 || x[1] < 0) return -x[0] * x[1];
  std::vector<T> s = x;
  for (std::size_t i = 0; i + 1 < s.size(); i++)
    if (s[i + 1] < s[i]) std::swap(s[i], s[i + 1]);
  T r = 1;
  while (fabs(r * r - s[1]) > 1e-13) r = (r + s[1] / r) / 2;
  return x[0] > x[1] ? r * x[1] : T(2) * r + s[0];
}

}  // namespace

int main() {
  for (const auto &at : {std::vector<double>{3, 2}, {1.5, 4}, {-1, 2}}) {
    camber::Tape t;
    camber::Nodes x = {t.input(), t.input(camber::f64)};
    t.at(x, {{at[0]}, {at[1]}});
    camber::Node y = text(x);
    camber::Program p(x, {y, camber::grad(y, x)[0]});
    CHECK(camber_program_guard_count(p.handle()) > 0);
    auto r = p({{at[0]}, {at[1]}});
    check_near(r[0][0], text(at), 1e-14, "a value", __FILE__, __LINE__);
    const double h = 1e-6;
    check_near(r[1][0], (text(std::vector<double>{at[0] + h, at[1]}) - text(std::vector<double>{at[0] - h, at[1]})) / (2 * h), 1e-7, "a slope", __FILE__, __LINE__);
    camber_workspace *w = camber_workspace_new(p.handle());
    double other[2] = {-at[0], at[1] + 9}, out[2];
    const void *in[2] = {other, other + 1};
    void *to[2] = {out, out + 1};
    CHECK(camber_run(p.handle(), w, in, to) == CAMBER_FLIPPED);
    camber_workspace_free(w);
  }
  camber::Tape t;
  camber::Nodes x = {t.input(), t.input()};
  bool thrown = false;
  try {
    text(x);
  } catch (const camber::error &e) {
    thrown = strstr(e.what(), "a branch") && strstr(e.what(), "select(condition, a, b)") && strstr(e.what(), "Tape::at");
  }
  CHECK(thrown);
  CHECK(camber::Node(2) > 1 && !(camber::Node(2) > 3));
  return check_done();
}
