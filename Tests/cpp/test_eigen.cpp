/* Eigen's matrices over camber::var: text written for double. */
#include <camber/eigen.hpp>

#include <Eigen/Dense>

#include "agree.hpp"

namespace {

template <class T>
T matrices(const std::vector<T> &x) {
  Eigen::Matrix<T, 3, 3> a;
  Eigen::Matrix<T, 3, 1> b;
  a << x[0], x[1], x[2], x[1], 3 + x[2], x[0], 1, 2, 5 + x[1];
  b << x[2], 2, x[0];
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> d = a * a.transpose() + 2.0 * Eigen::Matrix<T, 3, 3>::Identity();
  Eigen::Matrix<T, 3, 1> c = a * b - b.cross(a.row(0).transpose()) / 2;
  c = c.array().sin().matrix() + d.col(1);
  c = (c / c.norm()).eval();
  return c.dot(b) + d.trace() + a.determinant() + a.inverse().sum() + d.norm() + (b.array() * b.array()).mean();
}

/* Loops over dynamic sizes, products by blocks, triangles without pivoting. */
template <class T>
T dynamic(const std::vector<T> &x) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  const int n = 6;
  Matrix a(n, n);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) a(i, j) = T(i == j ? 4.0 : 0.0) + x[static_cast<std::size_t>(i + j) % x.size()] / (1 + i);
  const Matrix p = a * a.transpose() * a, l = a.template triangularView<Eigen::Lower>();
  const Matrix s = l.template triangularView<Eigen::Lower>().solve(p);
  return s.sum() + p.array().exp().log().sum() / 100;
}

}  // namespace

int main() {
  agree(matrices<double>, matrices<camber::var>, {0.37, -0.61, 0.83}, "Eigen");
  agree(dynamic<double>, dynamic<camber::var>, {0.37, -0.61, 0.83, 0.2}, "Eigen, dynamic");
  camber::Tape t;
  camber::Node m = t.input(camber::f64, {2, 2});
  auto e = camber::to_eigen(m);
  Doubles r = camber::Program({m}, {camber::from_eigen(e * e.transpose())})({{1, 2, 3, 4}})[0];
  CHECK((r == Doubles{5, 11, 11, 25}));
  return check_done();
}
