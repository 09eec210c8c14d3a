/* Text written for double, run with camber::var as it stands: plain templates, <cmath>, std::numeric_limits, algorithms of the library. */
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdio>
#include <functional>
#include <numeric>
#include <sstream>

#include <camber.hpp>

#include "agree.hpp"

namespace {

/* ---- The text: nothing here knows Camber ---- */
template <class T>
T rosenbrock(const std::vector<T> &x) {
  T sum = 0;
  for (std::size_t i = 0; i + 1 < x.size(); i++) {
    T a = 1 - x[i], b = x[i + 1] - x[i] * x[i];
    sum += a * a + 100 * b * b;
  }
  return sum;
}

/* Runge-Kutta steps of a pendulum with friction, then its energy. */
template <class T>
T pendulum(const std::vector<T> &x) {
  using std::cos, std::sin;
  std::array<T, 2> s = {x[0], x[1]};
  const T h = 0.05;
  auto slope = [&](const std::array<T, 2> &y) { return std::array<T, 2>{y[1], -9.81f * sin(y[0]) - x[2] * y[1]}; };
  for (int step = 0; step < 10; step++) {
    auto at = [&](const std::array<T, 2> &k, T f) { return std::array<T, 2>{s[0] + f * k[0], s[1] + f * k[1]}; };
    auto k1 = slope(s), k2 = slope(at(k1, h / 2)), k3 = slope(at(k2, h / 2)), k4 = slope(at(k3, h));
    for (int i = 0; i < 2; i++) s[i] += h / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  }
  return s[1] * s[1] / 2 + 9.81 * (1 - cos(s[0]));
}

/* The functions of <cmath>, compound assignments, numbers of every kind, limits, algorithms of the standard library. */
template <class T>
T everything(const std::vector<T> &x) {
  using std::abs, std::acos, std::acosh, std::asin, std::asinh, std::atan, std::atan2, std::atanh, std::cbrt, std::ceil, std::copysign, std::cos, std::cosh, std::erf,
      std::erfc, std::exp, std::exp2, std::expm1, std::fabs, std::fdim, std::floor, std::fmax, std::fmin, std::fmod, std::hypot, std::lgamma, std::log, std::log10,
      std::log1p, std::log2, std::max, std::min, std::pow, std::rint, std::sin, std::sinh, std::sqrt, std::tan, std::tanh, std::trunc;
  const T a = x[0], b = x[1], c = x[2];
  T r = std::numeric_limits<T>::epsilon();
  r += 1;
  r *= 2.0f;
  r -= a;
  r /= 3L;
  r += sin(a) + cos(b) * tan(c) + asin(a / 9) - acos(b / 9) + atan(c) + sinh(a) - cosh(b) / tanh(c) + asinh(a) + acosh(1 + b * b) + atanh(c / 9);
  r += exp(-a) + exp2(b) + expm1(c) + log(3 + a) + log2(3 + b) + log10(3 + c) + log1p(a * a) + sqrt(2 + b) + cbrt(c) + erf(a) + erfc(b) + lgamma(2 + c);
  r += pow(2 + a, 3) + pow(2 + a, b) + pow(1.5, c) + atan2(a, b) + atan2(1.0, c) + hypot(a, b) + fmod(7 * a, 2.0) + fdim(a, b) + copysign(a, -1.0) + copysign(2.5, b);
  r += max(a, b) * min(b, c) + max(a, 0.1) + min(0.2, b) + fmax(a, c) - fmin(b, c) + fabs(b) + abs(c) + floor(3 * a) + ceil(3 * b) + trunc(5 * c) + rint(4 * c);
  T n = 2;
  n++, --n, ++n;
  r += n * -a + +b;
  r = std::accumulate(x.begin(), x.end(), r);
  r += std::inner_product(x.begin(), x.end(), x.begin(), T(0));
  std::vector<T> zeros(3), same(3, T(0.5));
  r += same[1] * sin(T(2)) + T(3) * T(4);
  std::swap(zeros[0], same[0]);
  return r * zeros[0];
}

void numbers() {
  using camber::Node;
  CHECK(Node(2).is_number() && !Node().is_number() && Node(-0.0).number() == 0 && std::isnan(Node(std::nan("")).number()) && std::isnan(Node(-std::nan("")).number()));
  CHECK((Node(2) + 3).number() == 5 && (Node(2) < Node(3)).number() == 1 && select(Node(2) > 3, 1.0, Node(7)).number() == 7 && (!Node(0)).number() == 1);
  CHECK(Node(2.5).rank() == 0 && Node(2.5).dtype() == camber::f64 && Node(2.5).shape().empty());
  CHECK(std::numeric_limits<Node>::is_specialized && std::numeric_limits<Node>::digits == 53 && std::numeric_limits<Node>::max().number() == std::numeric_limits<double>::max());
  camber::Tape t;
  Node x = t.input(camber::f32, {2});
  CHECK((x * Node(0.1)).dtype() == camber::f32);
  CHECK(camber::concat({x, x * 2}).dtype() == camber::f32);
  Doubles r = camber::Program({x}, {max(x, {0}), max(x, 0), max(x, 1.5), isinf(x), signbit(x), (x > 0) && (x < 2), (x > 2) || (x < 0), Node(3)})({{1, -2}})[2];
  CHECK(r[0] == 1.5 && r[1] == 1.5);
  std::ostringstream s;
  s << x << " " << x + 1 << " " << Node(1.5);
  CHECK(s.str() == "input[2] add[2] 1.5");
  bool thrown = false;
  try {
    camber::sum(Node(3));
  } catch (const camber::error &e) {
    thrown = e.status() == CAMBER_ENODE;
  }
  CHECK(thrown);
}

}  // namespace

int main() {
  agree(rosenbrock<double>, rosenbrock<camber::var>, {0.7, -1.1, 1.3, 0.4}, "rosenbrock");
  agree(pendulum<double>, pendulum<camber::var>, {1.1, -0.4, 0.3}, "pendulum");
  agree(everything<double>, everything<camber::var>, {0.37, -0.61, 0.83}, "everything");
  numbers();
  return check_done();
}
