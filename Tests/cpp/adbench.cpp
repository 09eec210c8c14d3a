/* The ADBench objectives through camber.hpp: values and derivatives against the published ones, to 1e-8.
 * argv[1]: the folder shared/data/adbench. Objectives after microsoft/ADBench (MIT); the formulation notes stand in
 * shared/data/README.md. Where nothing is published (larger inputs), forward and reverse products must agree.
 */
#include <camber.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "../c/check.h"

using camber::Node, camber::Nodes, camber::Shape, camber::f64, camber::Arrays;
using Doubles = std::vector<double>;

namespace {

std::string folder;

std::int64_t dim(std::size_t n) { return static_cast<std::int64_t>(n); }

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* ---- Reading ------------------------------------------------------------------------------------------------------ */

struct Json {
  double number = 0;
  std::vector<Json> items;
  std::map<std::string, Json> fields;

  Doubles flat() const {
    if (items.empty()) return {number};
    Doubles out;
    for (const Json &i : items)
      for (double v : i.flat()) out.push_back(v);
    return out;
  }
};

/* Numbers, arrays and objects with plain keys: all that published.json has. */
Json parse(std::istream &in) {
  Json j;
  char c = 0;
  in >> c;
  if (c == '{' || c == '[') {
    bool object = c == '{';
    while (in >> std::ws && in.peek() != '}' && in.peek() != ']') {
      std::string key;
      if (object) std::getline(in.ignore(1), key, '"'), in >> c;
      if (object) j.fields[key] = parse(in);
      else j.items.push_back(parse(in));
      if ((in >> std::ws).peek() == ',') in.get();
    }
    in.get();
  } else if (in.putback(c)) in >> j.number;
  return j;
}

std::ifstream open(const std::string &name) {
  std::ifstream in(folder + "/" + name);
  if (!in) throw std::runtime_error("cannot read " + folder + "/" + name);
  return in;
}

Doubles read(std::istream &in, std::size_t n) {
  Doubles v(n);
  for (double &x : v) in >> x;
  if (!in) throw std::runtime_error("a file ends early");
  return v;
}

/* The lines of a file of fields between colons. */
std::vector<std::vector<std::string>> table(const std::string &name) {
  std::ifstream in = open(name);
  std::vector<std::vector<std::string>> rows;
  for (std::string line, field; std::getline(in, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    while (std::getline(fields, field, ':')) rows.back().push_back(field);
  }
  return rows;
}

void compare(const char *what, const Doubles &got, const Doubles &want, double tolerance = 1e-8) {
  double worst = 0;
  if (!CHECK(got.size() == want.size())) return;
  for (std::size_t i = 0; i < got.size(); i++) {
    worst = std::max(worst, std::fabs(got[i] - want[i]) / std::max(1.0, std::fabs(want[i])));
    if (!CHECK(std::fabs(got[i] - want[i]) <= tolerance * std::max(1.0, std::fabs(want[i]))))
      std::fprintf(stderr, "  %s[%zu]: %.17g, published %.17g\n", what, i, got[i], want[i]);
  }
  std::printf("%-28s %5zu numbers, largest difference %.1e\n", what, got.size(), worst);
}

Doubles join(std::initializer_list<Doubles> parts) {
  Doubles out;
  for (const Doubles &p : parts) out.insert(out.end(), p.begin(), p.end());
  return out;
}

/* ---- GMM: the log-likelihood of a Gaussian mixture with a Wishart prior ----------------------------------------------- */

struct Gmm {
  std::size_t d, K, n, factors;
  Doubles alphas, means, icf, x;
  double gamma, m;

  explicit Gmm(const std::string &name) {
    std::ifstream in = open("gmm/" + name);
    in >> d >> K >> n;
    factors = d * (d + 1) / 2;
    alphas = read(in, K), means = read(in, K * d), icf = read(in, K * factors), x = read(in, n * d);
    in >> gamma >> m;
  }

  /* The logarithm of the Wishart prior's constant. */
  double constant() const {
    double p = static_cast<double>(d), v = p + m + 1, multigamma = 0.25 * p * (p - 1) * std::log(M_PI);
    for (std::size_t j = 0; j < d; j++) multigamma += std::lgamma(0.5 * v - 0.5 * static_cast<double>(j));
    return v * p * (std::log(gamma) - 0.5 * std::log(2.0)) - multigamma;
  }

  Node objective(camber::Tape &tape, const Node &a, const Node &mu, const Node &q) const {
    Node logs = q.slice(1, 0, dim(d)), lower = q.slice(1, dim(d), dim(factors)), diagonal = exp(logs);
    /* The strictly lower triangle, column after column, put in its place by a gather from [lower, 0]. */
    std::vector<std::int64_t> place(d * d, dim(factors - d));
    for (std::size_t column = 0, next = 0; column < d; column++)
      for (std::size_t row = column + 1; row < d; row++) place[row * d + column] = dim(next++);
    Node L = gather(pad(lower, {0, 0}, {0, 1}), tape.array(place, {dim(d), dim(d)}), 1);
    Node centred = tape.array(x, {dim(n), 1, dim(d)}) - mu;
    Node scaled = diagonal * centred + camber::einsum("kij,nkj->nki", {L, centred});
    Node sums = sum(logs, -1), each = logsumexp(a + sums - 0.5 * sum(square(scaled), -1), -1);
    Node prior = 0.5 * gamma * gamma * (sum(square(diagonal)) + sum(square(lower))) - m * sum(sums);
    double N = static_cast<double>(n), D = static_cast<double>(d);
    return sum(each) - N * logsumexp(a) + prior - (static_cast<double>(K) * constant() + 0.5 * N * D * std::log(2 * M_PI));
  }
};

void gmm(const std::string &name, const Json *published) {
  Gmm g(name);
  camber::Tape tape;
  Nodes in = {tape.input(f64, {dim(g.K)}), tape.input(f64, {dim(g.K), dim(g.d)}), tape.input(f64, {dim(g.K), dim(g.factors)})};
  Node value = g.objective(tape, in[0], in[1], in[2]), directional;
  Nodes slopes = grad(value, in);
  directional = jvp({value}, in, in)[0];   /* along the point itself */
  camber::Program f(in, {value, slopes[0], slopes[1], slopes[2], directional});
  double start = seconds();
  Arrays r = f({g.alphas, g.means, g.icf});
  double took = seconds() - start;
  Doubles gradient = join({r[1], r[2], r[3]}), point = join({g.alphas, g.means, g.icf});
  if (published) {
    compare("GMM objective", r[0], {published->fields.at("objective").number});
    compare("GMM gradient", gradient, published->fields.at("gradient").flat());
  }
  double product = 0, size = 0;
  for (std::size_t i = 0; i < point.size(); i++) product += gradient[i] * point[i], size += std::fabs(gradient[i] * point[i]);
  CHECK(std::isfinite(r[0][0]) && std::fabs(product - r[4][0]) <= 1e-12 * size);
  if (!published) std::printf("GMM %-24s %5zu variables, value %.6f, %.4f s\n", name.c_str(), point.size(), r[0][0], took);
}

/* ---- BA: bundle adjustment. One residual is recorded; its Jacobian is batched over the observations ---------------------- */

using Vector = std::vector<Node>;

Vector cross(const Vector &a, const Vector &b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

Vector elements(const Node &x) {
  Vector out;
  for (std::int64_t i = 0; i < x.dim(0); i++) out.push_back(x[i]);
  return out;
}

/* By the angle-axis vector `rot`; to first order where it is 0. */
Vector rotate(const Vector &rot, const Vector &point) {
  Node squared = rot[0] * rot[0] + rot[1] * rot[1] + rot[2] * rot[2], theta = sqrt(squared), still = squared == 0;
  Vector axis = {rot[0] / theta, rot[1] / theta, rot[2] / theta}, turned = cross(axis, point), nearly = cross(rot, point), out;
  Node along = (axis[0] * point[0] + axis[1] * point[1] + axis[2] * point[2]) * (1 - cos(theta));
  for (std::size_t i = 0; i < 3; i++)
    out.push_back(select(still, point[i] + nearly[i], point[i] * cos(theta) + turned[i] * sin(theta) + axis[i] * along));
  return out;
}

Node reprojection(const Node &camera, const Node &point, const Node &weight, const Node &feature) {
  Vector c = elements(camera), p = elements(point);
  Vector seen = rotate({c[0], c[1], c[2]}, {p[0] - c[3], p[1] - c[4], p[2] - c[5]});
  Node x = seen[0] / seen[2], y = seen[1] / seen[2], r = x * x + y * y, bent = 1 + c[9] * r + c[10] * r * r;
  return weight * (camber::stack({x * bent * c[6] + c[7], y * bent * c[6] + c[8]}) - feature);
}

void bundle(const std::string &name, const Json *published) {
  std::ifstream in = open("ba/" + name);
  std::size_t n, m, p;
  in >> n >> m >> p;
  Doubles camera = read(in, 11), point = read(in, 3), weight = read(in, 1), feature = read(in, 2);

  camber::Tape tape;
  Node c = tape.input(f64, {11}), x = tape.input(f64, {3}), w = tape.input(f64), feat = tape.input(f64, {2});
  Node error = reprojection(c, x, w, feat), slack = 1 - w * w;
  camber::Blocks J = camber::jacobian({error}, {c, x, w});
  Nodes one = {error, slack, J.at(0, 0), J.at(0, 1), J.at(0, 2), grad(slack, w)};
  Nodes many = {tape.input(f64, {dim(p), 11}), tape.input(f64, {dim(p), 3}), tape.input(f64, {dim(p)}), tape.input(f64, {dim(p), 2})};
  camber::Program f(many, camber::batch(one, {c, x, w, feat}, many, dim(p)));

  Arrays at(4);   /* every camera, point, weight and feature is a copy of one */
  for (std::size_t i = 0; i < p; i++) {
    const Doubles *parts[4] = {&camera, &point, &weight, &feature};
    for (std::size_t k = 0; k < 4; k++) at[k].insert(at[k].end(), parts[k]->begin(), parts[k]->end());
  }
  f(at);
  double start = seconds();
  Arrays r = f(at);
  double took = seconds() - start;
  auto rows = [&](std::size_t i) {   /* of observation i: 11 of the camera, 3 of the point, 1 of the weight, twice */
    Doubles out;
    for (std::size_t k = 2 * i; k < 2 * i + 2; k++) {
      auto part = [&](const Doubles &v, std::size_t width) { out.insert(out.end(), v.begin() + dim(k * width), v.begin() + dim((k + 1) * width)); };
      part(r[2], 11), part(r[3], 3), part(r[4], 1);
    }
    return out;
  };
  if (published) {
    Doubles all;
    for (std::size_t i = 0; i < p; i++) all = join({all, rows(i)});
    compare("BA residual", {r[0][0], r[0][1]}, published->fields.at("reproj_err_one").flat());
    compare("BA weight residual", {r[1][0]}, {published->fields.at("w_err_one").number});
    compare("BA Jacobian", join({all, r[5]}), published->fields.at("J_vals").flat());
    return;
  }
  Doubles first = rows(0);
  std::size_t differing = 0;
  for (std::size_t i = 0; i < p; i++) differing += rows(i) != first;
  CHECK(differing == 0 && std::isfinite(first[0]));
  std::printf("BA %-25s %5zu observations, Jacobian of %zu non-zeros in %.4f s\n", name.c_str(), p, 31 * p, took);
}

/* ---- LSTM: the loss of a network that predicts characters ------------------------------------------------------------------ */

void lstm(const Json &published) {
  std::ifstream in = open("lstm/lstm_l2_c1024.txt");
  std::size_t layers, c, b;
  in >> layers >> c >> b;
  std::int64_t L = dim(layers), B = dim(b), C = dim(c);
  Doubles main = read(in, layers * 2 * 4 * b), extra = read(in, 3 * b), state = read(in, layers * 2 * b), text = read(in, c * b);

  camber::Tape tape;
  Node m = tape.input(f64, {L, 2, 4, B}), e = tape.input(f64, {3, B}), s = tape.array(state, {L, 2, B}), characters = tape.array(text, {C, B});
  /* carry: the loss so far, then hidden and cell of each layer; x: a character and the one after it */
  Nodes start = {tape.constant(0)};
  for (std::int64_t i = 0; i < L; i++) start.push_back(s[i][0]), start.push_back(s[i][1]);
  auto loop = camber::scan(start, {characters.slice(0, 0, C - 1), characters.slice(0, 1, C)}, C - 1,
                           [&](const Nodes &carry, const Nodes &x) -> camber::Loop {
    Nodes next = {carry[0]};
    Node signal = x[0] * e[0];
    for (std::int64_t i = 0; i < L; i++) {
      Node hidden = carry[static_cast<std::size_t>(1 + 2 * i)], cell = carry[static_cast<std::size_t>(2 + 2 * i)];
      Node w = m[i][0], bias = m[i][1];   /* rows: forget, in, out, change */
      Node forget = sigmoid(signal * w[0] + bias[0]), ingate = sigmoid(hidden * w[1] + bias[1]);
      Node outgate = sigmoid(signal * w[2] + bias[2]), change = tanh(hidden * w[3] + bias[3]);
      cell = cell * forget + ingate * change;
      signal = outgate * tanh(cell);
      next.push_back(signal), next.push_back(cell);
    }
    Node y = signal * e[1] + e[2], normed = y - log(sum(exp(y)) + 2);
    next[0] = next[0] + sum(x[1] * normed);
    return {next, {}};
  });
  Node loss = -loop.carry[0] / static_cast<double>((c - 1) * b);
  Nodes slopes = grad(loss, {m, e});
  camber::Program f({m, e}, {loss, slopes[0], slopes[1]});
  f({main, extra});
  double begin = seconds();
  Arrays r = f({main, extra});
  double took = seconds() - begin;
  compare("LSTM objective", r[0], {published.fields.at("objective").number}, 5e-9);   /* published to 8 digits */
  compare("LSTM gradient", join({r[1], r[2]}), published.fields.at("gradient").flat());
  std::printf("LSTM value and gradient of %zu steps in %.4f s\n", c - 1, took);
}

/* ---- HAND: a posed hand against measured points ------------------------------------------------------------------------------- */

struct Hand {
  std::vector<int> parents;
  std::vector<Doubles> relatives, inverses;       /* 4 x 4 */
  std::vector<Doubles> positions, weights;        /* of a vertex: 4; one a bone */
  std::vector<std::vector<std::size_t>> triangles;

  Hand() {
    auto numbers = [](const std::vector<std::string> &row, std::size_t from, std::size_t n) {
      Doubles v;
      for (std::size_t i = 0; i < n; i++) v.push_back(std::stod(row.at(from + i)));
      return v;
    };
    for (auto &row : table("hand/model/bones.txt"))
      parents.push_back(std::stoi(row.at(1))), relatives.push_back(numbers(row, 2, 16)), inverses.push_back(numbers(row, 18, 16));
    for (auto &row : table("hand/model/vertices.txt")) {
      positions.push_back(join({numbers(row, 0, 3), {1}}));
      weights.emplace_back(parents.size());
      for (std::size_t i = 0; i < std::stoul(row.at(8)); i++) weights.back()[std::stoul(row.at(9 + 2 * i))] = std::stod(row.at(10 + 2 * i));
    }
    for (auto &row : table("hand/model/triangles.txt")) triangles.push_back({std::stoul(row.at(0)), std::stoul(row.at(1)), std::stoul(row.at(2))});
  }

  /* Positions [3, count] of some vertices in a pose: rotation 3, translation 3, then four angles a finger. */
  Node posed(camber::Tape &tape, const Node &theta, const std::vector<std::size_t> &vertices) const {
    Vector t = elements(theta);
    std::vector<Node> absolutes, transforms;
    Node zero = tape.constant(0), one = tape.constant(1);
    for (std::size_t bone = 0; bone < parents.size(); bone++) {
      Node relative = tape.array(relatives[bone], {4, 4});
      std::size_t joint = bone >= 2 ? (bone - 2) % 4 : 3, finger = bone >= 2 ? (bone - 2) / 4 : 5;   /* three joints a finger turn */
      if (joint < 3 && finger < 5) {
        std::size_t first = 6 + 4 * finger;
        Node bend = t[joint == 0 ? first : first + 1 + joint], spread = joint == 0 ? t[first + 1] : zero;
        Node cx = cos(bend), sx = sin(bend), cz = cos(spread), sz = sin(spread);   /* Rz Rx */
        relative = matmul(relative, camber::stack({cz, -sz * cx, sz * sx, zero, sz, cz * cx, -cz * sx, zero,
                                                   zero, sx, cx, zero, zero, zero, zero, one}).reshape({4, 4}));
      }
      absolutes.push_back(parents[bone] < 0 ? relative : matmul(absolutes[static_cast<std::size_t>(parents[bone])], relative));
      transforms.push_back(matmul(absolutes.back(), tape.array(inverses[bone], {4, 4})));
    }
    Doubles rest, share;
    for (std::size_t v : vertices) rest = join({rest, positions[v]}), share = join({share, weights[v]});
    std::int64_t V = dim(vertices.size()), bones = dim(parents.size());
    Node moved = camber::einsum("bij,vj->biv", {camber::stack(transforms).slice(1, 0, 3), tape.array(rest, {V, 4})});
    Node skinned = camber::einsum("biv,vb->iv", {moved, tape.array(share, {V, bones})});

    Node angle = norm(theta.slice(0, 0, 3)), x = t[0] / angle, y = t[1] / angle, z = t[2] / angle, s = sin(angle), c = cos(angle);
    Node turn = camber::stack({x * x + (1 - x * x) * c, x * y * (1 - c) - z * s, x * z * (1 - c) + y * s,
                               x * y * (1 - c) + z * s, y * y + (1 - y * y) * c, y * z * (1 - c) - x * s,
                               x * z * (1 - c) - y * s, z * y * (1 - c) + x * s, z * z + (1 - z * z) * c}).reshape({3, 3});
    return matmul(turn, skinned) + theta.slice(0, 3, 6).reshape({3, 1});
  }
};

/* Complicated: each point lies on a triangle, at barycentric coordinates u that are variables too. */
void hand(const Hand &model, const std::string &name, bool complicated, const Json *published) {
  std::ifstream in = open("hand/" + name);
  std::size_t n, pose;
  in >> n >> pose;
  std::vector<std::size_t> vertices, items(n);
  Doubles points, us;
  for (std::size_t i = 0; i < n; i++) in >> items[i], points = join({points, read(in, 3)});
  for (std::size_t corner = 0; corner < (complicated ? 3 : 1); corner++)
    for (std::size_t i : items) vertices.push_back(complicated ? model.triangles.at(i)[corner] : i);
  if (complicated) us = read(in, 2 * n);
  Doubles at = read(in, pose);

  camber::Tape tape;
  std::int64_t N = dim(n);
  Node theta = tape.input(f64, {dim(pose)}), u = tape.input(f64, {N, 2}), hit = model.posed(tape, theta, vertices);
  if (complicated) {
    Node a = u.T()[0], b = u.T()[1];
    hit = a * hit.slice(1, 0, N) + b * hit.slice(1, N, 2 * N) + (1 - a - b) * hit.slice(1, 2 * N, 3 * N);
  }
  Node error = (tape.array(points, {N, 3}) - hit.T()).reshape({3 * N});
  Nodes out = {error, jacobian(error, theta)};
  if (complicated)   /* a point depends on its own u alone: two tangents give all of du */
    for (Doubles seed : {Doubles{1, 0}, Doubles{0, 1}}) out.push_back(jvp(error, u, tape.array(seed).broadcast({N, 2})));
  camber::Program f({theta, u}, out);
  us.resize(2 * n);
  f({at, us});
  double start = seconds();
  Arrays r = f({at, us});
  double took = seconds() - start;
  Doubles J;
  for (std::size_t row = 0; row < 3 * n; row++) {
    if (complicated) J.push_back(r[2][row]), J.push_back(r[3][row]);
    J.insert(J.end(), r[1].begin() + dim(row * pose), r[1].begin() + dim((row + 1) * pose));
  }
  std::string kind = complicated ? "HAND complicated" : "HAND simple";
  if (published) {
    compare((kind + " objective").c_str(), r[0], published->fields.at("objective").flat());
    compare((kind + " Jacobian").c_str(), J, published->fields.at("jacobian").flat());
    return;
  }
  camber::Program reverse({theta, u}, {jacobian(error, theta, camber::Mode::reverse)});
  compare((kind + ", reverse").c_str(), reverse({at, us})[0], r[1], 1e-12);
  std::printf("%s %s: Jacobian of %zu x %zu in %.4f s\n", kind.c_str(), name.c_str(), 3 * n, pose, took);
}

}  // namespace

int main(int argc, char **argv) try {
  folder = argc > 1 ? argv[1] : "shared/data/adbench";
  std::ifstream in = open("published.json");
  Json published = parse(in);
  auto expected = [&](const char *key) { return &published.fields.at(key); };
  gmm("test.txt", expected("gmm_test"));
  for (const char *name : {"1k_gmm_d2_K5.txt", "1k_gmm_d10_K10.txt", "1k_gmm_d20_K5.txt"}) gmm(name, nullptr);
  bundle("test.txt", expected("ba_test"));
  for (const char *name : {"ba1_n49_m7776_p31843.txt", "ba2_n21_m11315_p36455.txt"}) bundle(name, nullptr);
  lstm(*expected("lstm_l2_c1024"));
  Hand model;
  hand(model, "test.txt", false, expected("hand_test"));
  hand(model, "hand_complicated.txt", true, expected("hand_complicated"));
  hand(model, "simple_hand1_t26_c100.txt", false, nullptr);
  hand(model, "complicated_hand1_t26_c100.txt", true, nullptr);
  return check_done();
} catch (const std::exception &e) {
  std::fprintf(stderr, "adbench: %s\n", e.what());
  CHECK(!"an exception");
  return check_done();
}
