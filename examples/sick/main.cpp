// A sick network: 40 layers of tanh whose weights begin three times too small, its gradients in f16, on the images of Fashion-MNIST. A flow watches its
// training, says what is wrong and where, and its remedies are applied one by one, each verified on copies, until nothing is found; then it trains.
//
//   c++ -std=c++17 -O2 main.cpp $(pkg-config --cflags --libs camber) -lz -o sick && ./sick
//   --steps N (of the healed network, 400)   --data DIR   --report FILE (both trainings beside each other, as an HTML file)
//
// main.c, main.py and main.swift are the same program: the four print the same.
#include <camber.hpp>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <zlib.h>

using camber::Node, camber::Nodes;

constexpr std::int64_t pixels = 784, width = 64, depth = 40, classes = 10, batch = 128;
constexpr int sick_steps = 30;
using failure = std::runtime_error;

struct Dataset {
  std::vector<std::uint8_t> images, labels;
  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

// The items of a gzipped IDX file.
std::vector<std::uint8_t> read_idx(const std::string &path, std::size_t item) {
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw failure(path + " cannot be opened: apt install dataset-fashion-mnist, or give --data DIR");
  std::uint8_t head[16];
  const unsigned header = item == 1 ? 8 : 16;
  if (gzread(file.get(), head, header) != static_cast<int>(header)) throw failure(path + " ends early");
  const std::size_t count = std::size_t{head[4]} << 24 | std::size_t{head[5]} << 16 | std::size_t{head[6]} << 8 | head[7];
  if (count < batch || count > 1000000) throw failure(path + " is not an IDX file of the expected kind");
  std::vector<std::uint8_t> data(count * item);
  if (gzread(file.get(), data.data(), static_cast<unsigned>(data.size())) != static_cast<int>(data.size())) throw failure(path + " ends early");
  return data;
}
Dataset load(const std::string &folder, const std::string &kind) {
  Dataset d{read_idx(folder + "/" + kind + "-images-idx3-ubyte.gz", pixels), read_idx(folder + "/" + kind + "-labels-idx1-ubyte.gz", 1)};
  if (d.images.size() != d.labels.size() * pixels) throw failure(kind + ": images and labels differ in number");
  return d;
}

struct Training {
  std::vector<std::vector<float>> params, gradients;
  std::vector<float> x = std::vector<float>(batch * pixels);
  std::vector<std::int64_t> labels = std::vector<std::int64_t>(batch);

  void fill(const Dataset &d, std::int64_t k) {
    const std::int64_t first = k * batch % (d.count() - d.count() % batch);
    for (std::int64_t i = 0; i < batch; i++) {
      labels[i] = d.labels[first + i];
      for (std::int64_t p = 0; p < pixels; p++) x[i * pixels + p] = static_cast<float>(d.images[(first + i) * pixels + p] / 255.0);
    }
  }
  static camber::Outputs writable(std::vector<std::vector<float>> &arrays) {
    camber::Outputs out;
    for (auto &a : arrays) out.push_back(a.data());
    return out;
  }
  static camber::Inputs readable(const std::vector<std::vector<float>> &arrays) {
    camber::Inputs in;
    for (const auto &a : arrays) in.push_back(a.data());
    return in;
  }
  camber::Inputs data() const { return {x.data(), labels.data()}; }
  // One step; the loss. The gradients leave the flow times the loss scale.
  double step(camber::Flow &flow, camber::Optimizer &optimizer) {
    float loss = 0;
    const float scale = static_cast<float>(flow.loss_scale());
    flow.run(readable(params), data(), &loss, writable(gradients));
    for (auto &g : gradients) for (float &v : g) v /= scale;
    optimizer.step(writable(params), readable(gradients));
    return loss;
  }
};

void run(int argc, char **argv) {
  std::string folder = "/usr/share/datasets/fashion-mnist", file;
  long steps = 400;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--steps") steps = std::stol(argv[i + 1]);
    else if (name == "--data") folder = argv[i + 1];
    else if (name == "--report") file = argv[i + 1];
    else throw failure(name + " is no option; there are --steps, --data, --report");
  }
  const Dataset train = load(folder, "train"), test = load(folder, "t10k");

  // The tape: 40 layers of tanh and a linear one.
  camber::Tape tape;
  Training t;
  Nodes params, layers;
  camber::Optimizer optimizer("adam", {{"learning_rate", 2e-4}});
  Node images = tape.input(camber::f32, {batch, pixels}), truth = tape.input(camber::i64, {batch}), h = images;
  for (std::int64_t i = 0; i <= depth; i++) {
    const camber::Shape shape = {i ? width : pixels, i < depth ? width : classes};
    params.push_back(tape.input(camber::f32, shape)), params.push_back(tape.input(camber::f32, {shape[1]}));
    h = matmul(h, params[2 * i]) + params[2 * i + 1];
    if (i < depth) layers.push_back(h = tanh(h));
    t.params.emplace_back(shape[0] * shape[1]), t.params.emplace_back(shape[1]);
    optimizer.add(("w" + std::to_string(i)).c_str(), camber::f32, shape).add(("b" + std::to_string(i)).c_str(), camber::f32, {shape[1]});
    // The sickness.
    camber::initialize("lecun", camber::f32, shape, t.params[2 * i].data(), i < depth ? 1.0 / 3 : 1, i);
  }
  t.gradients = t.params;
  const Node loss = -mean(sum(one_hot(truth, classes, camber::f32) * log_softmax(h), -1));
  camber::Flow flow(loss, params, {images, truth}, {{"compute", CAMBER_F16}, {"loss_scale", 1}});
  Nodes inputs = params;
  inputs.push_back(images);
  const camber::Program classify(inputs, {argmax(h)});
  for (std::size_t i = 0; i < layers.size(); i++) flow.layer(("layer " + std::to_string(i + 1)).c_str(), layers[i]);
  for (std::size_t i = 0; i < params.size(); i++) flow.name(i, ((i % 2 ? "b" : "w") + std::to_string(i / 2 + 1)).c_str());

  // Watch, prescribe, verify, watch again.
  camber::Report sick("40 layers of tanh, sick"), healed("40 layers of tanh, healed");
  std::int64_t k = 0;
  int rounds = 0;
  for (bool found = true; found && rounds < 8; rounds++) {
    double first = 0, last = 0;
    for (int i = 0; i < sick_steps; i++) {
      t.fill(train, k++);
      last = t.step(flow, optimizer);
      if (!i) first = last;
    }
    std::printf("%d steps: loss %.4f to %.4f, gradients change by e^%.2f a layer on the way back\n", sick_steps, first, last, flow.slope());
    const auto findings = flow.findings();
    found = !findings.empty();
    for (const auto &f : findings) std::printf("  found: %s at %s: %s\n", f.kind.c_str(), f.place.c_str(), f.evidence.c_str());
    if (found) {
      if (!rounds) sick.add(flow);
      std::printf("  advice: %s\n", findings[0].advice.c_str());
      std::printf("  done: %s\n", flow.prescribe(findings[0], Training::writable(t.params), t.data(), &optimizer).c_str());
      // Does it help? Training steps on copies, and what is then found.
      const auto left = flow.verify(Training::writable(t.params), t.data(), &optimizer, 24);
      std::printf("  verified: %s\n", left.empty() ? "24 steps on copies, nothing is found" : left[0].evidence.c_str());
    } else std::printf("  nothing found\n");
  }

  double sum = 0;
  for (long i = 0; i < steps; i++) {
    t.fill(train, k++);
    sum += t.step(flow, optimizer);
    if ((i + 1) % 100 == 0) std::printf("step %ld: loss %.4f\n", i + 1, sum / 100), sum = 0;
  }
  healed.add(flow).compare(sick, "healed", "sick");
  if (!file.empty()) healed.save(file, "html");
  camber::Workspace workspace(classify);
  std::int64_t right = 0;
  const std::int64_t batches = test.count() / batch;
  std::vector<std::int64_t> guesses(batch);
  for (std::int64_t b = 0; b < batches; b++) {
    t.fill(test, b);
    camber::Inputs given = Training::readable(t.params);
    given.push_back(t.x.data());
    classify.run(workspace, given, {guesses.data()});
    for (std::int64_t i = 0; i < batch; i++) right += guesses[i] == t.labels[i];
  }
  std::printf("healed after %d rounds, test accuracy: %.2f %%\n", rounds, 100.0 * static_cast<double>(right) / static_cast<double>(batches * batch));
}

int main(int argc, char **argv) {
  try {
    run(argc, argv);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "sick: %s\n", e.what());
    return 1;
  }
}
