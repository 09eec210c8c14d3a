/* The objectives for any arithmetic type T, in plain loops: what tapes record, and, with double, the primal. The ADBench
 * ones after microsoft/ADBench (MIT).
 */
#ifndef BENCH_OBJECTIVES_HPP
#define BENCH_OBJECTIVES_HPP

#include <cmath>
#include <vector>

namespace bench {

using std::cos, std::exp, std::log, std::sin, std::sqrt, std::tanh;
template <class T>
using Values = std::vector<T>;

/* A function of three numbers with five operations: what a call costs. */
template <class T>
T small(const T &x, const T &y, const T &z) { return sin(x) * y + exp(z) * x; }

/* ---- GMM: parameters are K alphas, K x d means, K x d(d+1)/2 inverse covariance factors ------------------------------ */

template <class T>
T log_sum_exp(const T *x, int n) {
  int top = 0;
  for (int i = 1; i < n; i++)
    if (x[i] > x[top]) top = i;
  T shift = x[top], sum = 0;
  for (int i = 0; i < n; i++) sum += exp(x[i] - shift);
  return log(sum) + shift;
}

template <class T>
T gmm(int d, int K, int n, const T *alphas, const T *means, const T *icf, const double *x, double gamma, int m) {
  int factors = d * (d + 1) / 2;
  Values<T> diagonal(K * d), sums(K), terms(K), centred(d), scaled(d);
  T prior = 0, total = 0;
  for (int k = 0; k < K; k++) {
    sums[k] = 0;
    for (int i = 0; i < d; i++) {
      diagonal[k * d + i] = exp(icf[k * factors + i]);
      sums[k] += icf[k * factors + i];
      prior += 0.5 * gamma * gamma * diagonal[k * d + i] * diagonal[k * d + i];
    }
    for (int i = d; i < factors; i++) prior += 0.5 * gamma * gamma * icf[k * factors + i] * icf[k * factors + i];
    prior -= m * sums[k];
  }
  for (int p = 0; p < n; p++) {
    for (int k = 0; k < K; k++) {
      const T *lower = icf + k * factors + d;
      for (int i = 0; i < d; i++) centred[i] = x[p * d + i] - means[k * d + i];
      for (int i = 0; i < d; i++) scaled[i] = diagonal[k * d + i] * centred[i];
      for (int column = 0, next = 0; column < d; column++)
        for (int row = column + 1; row < d; row++) scaled[row] += lower[next++] * centred[column];
      T square = scaled[0] * scaled[0];
      for (int i = 1; i < d; i++) square += scaled[i] * scaled[i];
      terms[k] = alphas[k] + sums[k] - 0.5 * square;
    }
    total += log_sum_exp(terms.data(), K);
  }
  double p = d, v = p + m + 1, multigamma = 0.25 * p * (p - 1) * std::log(M_PI);
  for (int j = 0; j < d; j++) multigamma += std::lgamma(0.5 * v - 0.5 * j);
  double constant = v * p * (std::log(gamma) - 0.5 * std::log(2.0)) - multigamma;
  return total - n * log_sum_exp(alphas, K) + prior - (K * constant + 0.5 * n * d * std::log(2 * M_PI));
}

/* ---- BA: one observation's residual; camera: rotation 3, centre 3, focal length, principal point 2, distortion 2 ------- */

template <class T>
void reprojection(const T *c, const T *p, const T &w, const double *feature, T *out) {
  T v[3] = {p[0] - c[3], p[1] - c[4], p[2] - c[5]};
  T theta = sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2]), cosine = cos(theta), sine = sin(theta);
  T a[3] = {c[0] / theta, c[1] / theta, c[2] / theta};
  T turned[3] = {a[1] * v[2] - a[2] * v[1], a[2] * v[0] - a[0] * v[2], a[0] * v[1] - a[1] * v[0]};
  T along = (a[0] * v[0] + a[1] * v[1] + a[2] * v[2]) * (1 - cosine);
  T seen[3];
  for (int i = 0; i < 3; i++) seen[i] = v[i] * cosine + turned[i] * sine + a[i] * along;
  T x = seen[0] / seen[2], y = seen[1] / seen[2], r = x * x + y * y, bent = 1 + c[9] * r + c[10] * r * r;
  out[0] = w * (x * bent * c[6] + c[7] - feature[0]);
  out[1] = w * (y * bent * c[6] + c[8] - feature[1]);
}

/* ---- LSTM: main [layers, 2, 4, b], extra [3, b], state [layers, 2, b], text [c, b] ------------------------------------- */

template <class T>
T sigmoid(const T &x) { return 1 / (1 + exp(-x)); }

template <class T>
T lstm(int layers, int c, int b, const T *main, const T *extra, const double *start, const double *text) {
  Values<T> state(2 * layers * b), signal(b), y(b);
  for (int i = 0; i < 2 * layers * b; i++) state[i] = start[i];
  T total = 0;
  for (int t = 0; t + 1 < c; t++) {
    for (int j = 0; j < b; j++) signal[j] = text[t * b + j] * extra[j];
    for (int l = 0; l < layers; l++) {
      const T *w = main + l * 8 * b, *bias = w + 4 * b;
      T *hidden = &state[2 * l * b], *cell = hidden + b;
      for (int j = 0; j < b; j++) {
        T forget = sigmoid(T(signal[j] * w[j] + bias[j])), in = sigmoid(T(hidden[j] * w[b + j] + bias[b + j]));
        T out = sigmoid(T(signal[j] * w[2 * b + j] + bias[2 * b + j])), change = tanh(hidden[j] * w[3 * b + j] + bias[3 * b + j]);
        cell[j] = cell[j] * forget + in * change;
        hidden[j] = out * tanh(cell[j]);
        signal[j] = hidden[j];
      }
    }
    T sum = 2;
    for (int j = 0; j < b; j++) y[j] = signal[j] * extra[b + j] + extra[2 * b + j], sum += exp(y[j]);
    T norm = log(sum);
    for (int j = 0; j < b; j++)
      if (text[(t + 1) * b + j] != 0) total += text[(t + 1) * b + j] * (y[j] - norm);
  }
  return -total / ((c - 1) * b);
}

/* ---- Lorenz-96: half the squared distance of the state after RK4 steps from the start of the axes ------------------------ */

template <class T>
void lorenz_slope(int n, const T *x, const T *force, T *out) {
  for (int i = 0; i < n; i++) out[i] = (x[(i + 1) % n] - x[(i + n - 2) % n]) * x[(i + n - 1) % n] - x[i] + force[i];
}

template <class T>
T lorenz(int n, int steps, double h, const T *start, const T *force) {
  Values<T> x(start, start + n), a(n), b(n), c(n), d(n), at(n);
  for (int s = 0; s < steps; s++) {
    lorenz_slope(n, x.data(), force, a.data());
    for (int i = 0; i < n; i++) at[i] = x[i] + 0.5 * h * a[i];
    lorenz_slope(n, at.data(), force, b.data());
    for (int i = 0; i < n; i++) at[i] = x[i] + 0.5 * h * b[i];
    lorenz_slope(n, at.data(), force, c.data());
    for (int i = 0; i < n; i++) at[i] = x[i] + h * c[i];
    lorenz_slope(n, at.data(), force, d.data());
    for (int i = 0; i < n; i++) x[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]);
  }
  T total = 0;
  for (int i = 0; i < n; i++) total += 0.5 * x[i] * x[i];
  return total;
}

/* ---- HAND, simple: residuals [points, 3] of the posed vertices against measured ones --------------------------------------- */

struct HandModel {
  int bones, points;
  std::vector<int> parents;
  std::vector<double> relatives, inverses;   /* [bones, 4, 4] */
  int vertices;
  std::vector<double> rest, weights;         /* [vertices, 4], [vertices, bones] */
  std::vector<int> picks;                    /* the vertex of each measured point */
  std::vector<double> measured;              /* [points, 3] */
};

template <class A, class B, class T>
void product4(const A *a, const B *b, T *out) {
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      T sum = a[4 * i] * b[j];
      for (int k = 1; k < 4; k++) sum += a[4 * i + k] * b[4 * k + j];
      out[4 * i + j] = sum;
    }
}

template <class T>
void hand(const HandModel &model, const T *theta, T *out) {
  Values<T> absolute(16 * model.bones), transform(16 * model.bones), relative(16), turn(16);
  for (int bone = 0; bone < model.bones; bone++) {
    const double *fixed = &model.relatives[16 * bone];
    int joint = bone >= 2 ? (bone - 2) % 4 : 3, finger = bone >= 2 ? (bone - 2) / 4 : 5;   /* three joints a finger turn */
    for (int i = 0; i < 16; i++) relative[i] = fixed[i];
    if (joint < 3 && finger < 5) {
      int first = 6 + 4 * finger;
      T cx = cos(theta[joint == 0 ? first : first + 1 + joint]), sx = sin(theta[joint == 0 ? first : first + 1 + joint]);
      T cz = 1, sz = 0;
      if (joint == 0) cz = cos(theta[first + 1]), sz = sin(theta[first + 1]);
      for (T &t : turn) t = 0;
      turn[0] = cz, turn[1] = -sz * cx, turn[2] = sz * sx, turn[4] = sz, turn[5] = cz * cx, turn[6] = -cz * sx;
      turn[9] = sx, turn[10] = cx, turn[15] = 1;
      product4(fixed, turn.data(), relative.data());
    }
    if (model.parents[bone] < 0) for (int i = 0; i < 16; i++) absolute[16 * bone + i] = relative[i];
    else product4(&absolute[16 * model.parents[bone]], relative.data(), &absolute[16 * bone]);
    product4(&absolute[16 * bone], &model.inverses[16 * bone], &transform[16 * bone]);
  }
  T angle = sqrt(theta[0] * theta[0] + theta[1] * theta[1] + theta[2] * theta[2]), s = sin(angle), c = cos(angle);
  T x = theta[0] / angle, y = theta[1] / angle, z = theta[2] / angle;
  T R[9] = {x * x + (1 - x * x) * c, x * y * (1 - c) - z * s, x * z * (1 - c) + y * s,
            x * y * (1 - c) + z * s, y * y + (1 - y * y) * c, y * z * (1 - c) - x * s,
            x * z * (1 - c) - y * s, z * y * (1 - c) + x * s, z * z + (1 - z * z) * c};
  /* All vertices move, as in ADBench, whichever are measured. */
  Values<T> posed(3 * model.vertices);
  for (int v = 0; v < model.vertices; v++) {
    T at[3] = {0, 0, 0};
    const double *rest = &model.rest[4 * v];
    for (int bone = 0; bone < model.bones; bone++) {
      double share = model.weights[v * model.bones + bone];
      if (share == 0) continue;
      const T *m = &transform[16 * bone];
      for (int i = 0; i < 3; i++) at[i] += share * (m[4 * i] * rest[0] + m[4 * i + 1] * rest[1] + m[4 * i + 2] * rest[2] + m[4 * i + 3] * rest[3]);
    }
    for (int i = 0; i < 3; i++) posed[3 * v + i] = R[3 * i] * at[0] + R[3 * i + 1] * at[1] + R[3 * i + 2] * at[2] + theta[3 + i];
  }
  for (int p = 0; p < model.points; p++)
    for (int i = 0; i < 3; i++) out[3 * p + i] = model.measured[3 * p + i] - posed[3 * model.picks[p] + i];
}

/* ---- Quadrotor: 13 slopes of position, quaternion, velocity and rates, by those and four thrusts --------------------------- */

template <class T>
void quadrotor(const T *s, T *out) {
  const T *q = s + 3, *v = s + 7, *w = s + 10, *u = s + 13;
  T thrust = (u[0] + u[1] + u[2] + u[3]) / 0.8;
  for (int i = 0; i < 3; i++) out[i] = v[i];
  out[3] = -0.5 * (q[1] * w[0] + q[2] * w[1] + q[3] * w[2]);
  out[4] = 0.5 * (q[0] * w[0] + q[2] * w[2] - q[3] * w[1]);
  out[5] = 0.5 * (q[0] * w[1] + q[3] * w[0] - q[1] * w[2]);
  out[6] = 0.5 * (q[0] * w[2] + q[1] * w[1] - q[2] * w[0]);
  out[7] = 2 * (q[1] * q[3] + q[0] * q[2]) * thrust;
  out[8] = 2 * (q[2] * q[3] - q[0] * q[1]) * thrust;
  out[9] = (1 - 2 * (q[1] * q[1] + q[2] * q[2])) * thrust - 9.81;
  out[10] = (0.2 * (u[1] - u[3]) - (0.009 - 0.005) * w[1] * w[2]) / 0.005;
  out[11] = (0.2 * (u[2] - u[0]) - (0.005 - 0.009) * w[2] * w[0]) / 0.005;
  out[12] = 0.02 * (u[0] - u[1] + u[2] - u[3]) / 0.009;
}

/* ---- RNEA: torques of a chain of turning joints by angles, rates and accelerations (Featherstone) ---------------------------- */

struct Chain {
  int joints;
  std::vector<double> turns, offsets;               /* of each joint's frame in the one before: [n, 3, 3], [n, 3] */
  std::vector<double> masses, centres, inertias;    /* [n], [n, 3], [n, 3, 3] */
};

template <class A, class B, class T>
void cross(const A *a, const B *b, T *out) {
  out[0] = a[1] * b[2] - a[2] * b[1], out[1] = a[2] * b[0] - a[0] * b[2], out[2] = a[0] * b[1] - a[1] * b[0];
}

template <class T>
void rnea(const Chain &chain, const T *q, const T *rate, const T *bend, T *torque) {
  int n = chain.joints;
  Values<T> R(9 * n), F(3 * n), N(3 * n);
  T w[3] = {0, 0, 0}, dw[3] = {0, 0, 0}, a[3] = {0, 0, 9.81}, t[3], u[3];
  for (int j = 0; j < n; j++) {
    const double *turn = &chain.turns[9 * j], *p = &chain.offsets[3 * j], *c = &chain.centres[3 * j], *I = &chain.inertias[9 * j];
    T cosine = cos(q[j]), sine = sin(q[j]), moved[3], ws[3], dws[3], as[3];
    for (int i = 0; i < 3; i++) {
      R[9 * j + 3 * i] = turn[3 * i] * cosine + turn[3 * i + 1] * sine;
      R[9 * j + 3 * i + 1] = turn[3 * i + 1] * cosine - turn[3 * i] * sine;
      R[9 * j + 3 * i + 2] = turn[3 * i + 2];
    }
    auto inward = [&](const T *x, T *out) {
      for (int i = 0; i < 3; i++) out[i] = R[9 * j + i] * x[0] + R[9 * j + 3 + i] * x[1] + R[9 * j + 6 + i] * x[2];
    };
    cross(w, p, t), cross(w, t, u), cross(dw, p, t);
    for (int i = 0; i < 3; i++) moved[i] = a[i] + t[i] + u[i];
    inward(moved, as), inward(w, ws), inward(dw, dws);
    dws[0] += ws[1] * rate[j], dws[1] -= ws[0] * rate[j], dws[2] += bend[j], ws[2] += rate[j];
    for (int i = 0; i < 3; i++) w[i] = ws[i], dw[i] = dws[i], a[i] = as[i];
    cross(w, c, t), cross(w, t, u), cross(dw, c, t);
    for (int i = 0; i < 3; i++) F[3 * j + i] = chain.masses[j] * (a[i] + t[i] + u[i]);
    for (int i = 0; i < 3; i++) t[i] = I[3 * i] * w[0] + I[3 * i + 1] * w[1] + I[3 * i + 2] * w[2];
    cross(w, t, u);
    for (int i = 0; i < 3; i++) N[3 * j + i] = I[3 * i] * dw[0] + I[3 * i + 1] * dw[1] + I[3 * i + 2] * dw[2] + u[i];
  }
  T f[3] = {0, 0, 0}, m[3] = {0, 0, 0};
  for (int j = n - 1; j >= 0; j--) {
    cross(&chain.centres[3 * j], &F[3 * j], t);
    for (int i = 0; i < 3; i++) f[i] += F[3 * j + i], m[i] += N[3 * j + i] + t[i];
    torque[j] = m[2];
    T fs[3], ms[3];
    for (int i = 0; i < 3; i++) {
      const T *row = &R[9 * j + 3 * i];
      fs[i] = row[0] * f[0] + row[1] * f[1] + row[2] * f[2], ms[i] = row[0] * m[0] + row[1] * m[1] + row[2] * m[2];
    }
    cross(&chain.offsets[3 * j], fs, t);
    for (int i = 0; i < 3; i++) f[i] = fs[i], m[i] = ms[i] + t[i];
  }
}

}  // namespace bench
#endif
