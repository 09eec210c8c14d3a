// Trains a network (784-256-128-10, relu) on the 60,000 images of Fashion-MNIST and tests it on 10,000 others.
//
//   c++ -std=c++17 -O2 main.cpp $(pkg-config --cflags --libs camber) -lz -o fashion && ./fashion
//   --precision f64|f32|bf16|f16   --epochs N   --seed N   --limit N (train on the first N)   --data DIR   --out FILE
//
// main.c, main.py and main.swift are the same program: the four print the same losses to the last bit.
#include <camber.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <unistd.h>
#include <zlib.h>

using camber::DType, camber::Node, camber::Nodes, camber::Shape;

constexpr std::int64_t pixels = 784, batch = 128, test_batch = 1000;
const Shape widths = {pixels, 256, 128, 10};
const std::vector<std::string> names = {"w1", "b1", "w2", "b2", "w3", "b3"};

struct Options {
  std::string data = "/usr/share/datasets/fashion-mnist", out = "fashion.safetensors", precision = "f32";
  std::int64_t epochs = 10, seed = 1, limit = 60000;
};

struct Dataset {
  std::vector<std::uint8_t> images, labels;
  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

using failure = std::runtime_error;

// ---- Options and data -----------------------------------------------------------------------------------------------

std::int64_t whole(const std::string &name, const std::string &text, std::int64_t low) {
  char *end = nullptr;
  std::int64_t v = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end || v < low || v > 1000000000)
    throw failure(name + " wants a whole number from " + std::to_string(low) + ", not '" + text + "'");
  return v;
}

Options parse(int argc, char **argv) {
  const std::string known = "options: --precision --epochs --seed --limit --data --out";
  Options o;
  for (int i = 1; i < argc; i += 2) {
    std::string name = argv[i];
    if (i + 1 == argc) throw failure(name + " wants a value; " + known);
    std::string value = argv[i + 1];
    if (name == "--precision") o.precision = value;
    else if (name == "--epochs") o.epochs = whole(name, value, 1);
    else if (name == "--seed") o.seed = whole(name, value, 0);
    else if (name == "--limit") o.limit = whole(name, value, batch);
    else if (name == "--data") o.data = value;
    else if (name == "--out") o.out = value;
    else throw failure("no option " + name + "; " + known);
  }
  if (o.precision != "f64" && o.precision != "f32" && o.precision != "bf16" && o.precision != "f16")
    throw failure("--precision is f64, f32, bf16 or f16, not '" + o.precision + "'");
  return o;
}

// The items of a gzipped IDX file: a big-endian magic number and count (for images two sizes more), then bytes.
std::vector<std::uint8_t> read_idx(const std::string &path, unsigned magic, std::size_t item) {
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw failure("cannot open " + path + ": apt install dataset-fashion-mnist, or give --data DIR");
  std::uint8_t head[16];
  unsigned header = item == 1 ? 8 : 16;
  if (gzread(file.get(), head, header) != static_cast<int>(header) || head[2] != magic >> 8 || head[3] != (magic & 255))
    throw failure(path + " is not an IDX file of the expected kind");
  std::size_t count = std::size_t{head[4]} << 24 | std::size_t{head[5]} << 16 | std::size_t{head[6]} << 8 | head[7];
  if (count > 1000000) throw failure(path + " claims " + std::to_string(count) + " items");
  std::vector<std::uint8_t> data(count * item);
  if (gzread(file.get(), data.data(), static_cast<unsigned>(data.size())) != static_cast<int>(data.size()))
    throw failure(path + " ends early");
  return data;
}

Dataset load(const std::string &folder, const std::string &kind) {
  Dataset d{read_idx(folder + "/" + kind + "-images-idx3-ubyte.gz", 0x803, pixels),
            read_idx(folder + "/" + kind + "-labels-idx1-ubyte.gz", 0x801, 1)};
  if (d.images.size() != d.labels.size() * pixels) throw failure(folder + "/" + kind + ": images and labels differ in number");
  return d;
}

std::uint64_t splitmix(std::uint64_t &state) {
  std::uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

void shuffle(std::vector<std::size_t> &order, std::uint64_t &state) {
  for (std::size_t i = order.size() - 1; i > 0; i--) std::swap(order[i], order[splitmix(state) % (i + 1)]);
}

// ---- The network ----------------------------------------------------------------------------------------------------

struct Precision {
  DType dtype = camber::f32, compute = camber::f32;  // of the parameters and data; of what is between
  bool scaled = false;                               // f16: the loss is multiplied by a power of two

  explicit Precision(const std::string &name) : scaled(name == "f16") {
    if (name == "f64") dtype = compute = camber::f64;
    if (name == "bf16") compute = camber::bf16;
    if (name == "f16") compute = camber::f16;
  }
};

struct Network {
  camber::Tape tape;
  Nodes params, inputs;  // inputs: the parameters, then x
  Node logits;

  Network(const Precision &p, std::int64_t rows) {
    for (std::size_t i = 0; i + 1 < widths.size(); i++) {
      params.push_back(tape.input(p.dtype, {widths[i], widths[i + 1]}));
      params.push_back(tape.input(p.dtype, {widths[i + 1]}));
    }
    logits = tape.input(p.dtype, {rows, pixels});
    inputs = params, inputs.push_back(logits);
    for (std::size_t i = 0; i < params.size(); i += 2) {
      logits = matmul(logits, params[i]) + params[i + 1];
      if (i + 2 < params.size()) logits = relu(logits);
    }
  }
  // y computed in the precision's 16-bit dtype, if it has one.
  Node in_precision(const Precision &p, const Node &y) {
    return p.compute == p.dtype ? y : camber::precision({y}, inputs, p.compute, p.dtype)[0];
  }
};

// (params, x, labels, scale) -> (loss, gradients of scale * loss, their norms)
camber::Program training_program(const Precision &p) {
  Network n(p, batch);
  Node labels = n.tape.input(camber::i64, {batch}), scale = n.tape.input(p.dtype);
  Node each = sum(one_hot(labels, widths.back(), p.dtype) * log_softmax(n.logits), -1);
  Node loss = n.in_precision(p, -mean(each));
  Nodes gradients = grad(p.scaled ? loss * scale : loss, n.params), outputs = {loss};
  outputs.insert(outputs.end(), gradients.begin(), gradients.end());
  n.inputs.insert(n.inputs.end(), {labels, scale});
  std::printf("tape %016llx\n", static_cast<unsigned long long>(n.tape.hash(n.inputs, outputs)));
  for (const Node &g : gradients) outputs.push_back(norm(g));
  return camber::Program(n.inputs, outputs);
}

// (params, x) -> the most likely classes
camber::Program test_program(const Precision &p) {
  Network n(p, test_batch);
  return camber::Program(n.inputs, {argmax(n.in_precision(p, n.logits))});
}

// He's initialisation from a counter-based generator: weights normal with variance 2 / inputs; biases stay zero.
void initialise(const Precision &p, std::int64_t seed, const camber::Outputs &params) {
  camber::Tape tape;
  Node key = tape.input(camber::i64);
  Nodes weights;
  for (std::size_t i = 0; i + 1 < widths.size(); i++)
    weights.push_back(random_normal(fold_key(key, static_cast<std::int64_t>(i)), {widths[i], widths[i + 1]}, p.dtype) *
                      std::sqrt(2.0 / static_cast<double>(widths[i])));
  camber::Program program({key}, weights);
  camber::Workspace workspace(program);
  program.run(workspace, {&seed}, {params[0], params[2], params[4]});
}

// ---- Training ---------------------------------------------------------------------------------------------------------

// T is the type of the parameters and data: float or double.
template <class T>
class Trainer {
 public:
  Trainer(const Precision &p, std::int64_t seed, std::int64_t steps)
      : precision(p), training(training_program(p)), testing(test_program(p)), training_memory(training), testing_memory(testing),
        optimizer("adamw", {{"learning_rate", 1e-3}}), x(test_batch * pixels), labels(test_batch), norms(names.size()) {
    optimizer.schedule(camber::Schedule("cosine", {{"steps", static_cast<double>(steps)}}));
    for (std::size_t i = 0; i < names.size(); i++) {
      camber::Type type = training.input_type(i);
      optimizer.add(names[i].c_str(), type.dtype, type.shape);
      types.push_back(type), dtypes.push_back(type.dtype), sizes.push_back(type.size());
      params.emplace_back(type.size()), gradients.emplace_back(type.size());
    }
    for (std::size_t i = 0; i < names.size(); i++) param_arrays.push_back(params[i].data()), gradient_arrays.push_back(gradients[i].data());
    initialise(p, seed, param_arrays);
  }

  // The images order[first], ... as numbers from 0 to 1, with their labels.
  template <class Order>
  void fill(const Dataset &d, std::int64_t rows, Order order) {
    for (std::int64_t i = 0; i < rows; i++) {
      std::size_t k = order(static_cast<std::size_t>(i));
      labels[static_cast<std::size_t>(i)] = d.labels[k];
      for (std::int64_t j = 0; j < pixels; j++)
        x[static_cast<std::size_t>(i * pixels + j)] = static_cast<T>(d.images[k * pixels + static_cast<std::size_t>(j)] / 255.0);
    }
  }

  // One batch: the loss, its gradients, the parameters moved.
  double step() {
    factor = precision.scaled ? scaler.scale() : 1;
    T loss = 0, scale = static_cast<T>(factor);
    camber::Inputs in(param_arrays.begin(), param_arrays.end()), slopes(gradient_arrays.begin(), gradient_arrays.end());
    in.insert(in.end(), {x.data(), labels.data(), &scale});
    camber::Outputs out = {&loss};
    out.insert(out.end(), gradient_arrays.begin(), gradient_arrays.end());
    for (T &n : norms) out.push_back(&n);
    training.run(training_memory, in, out);
    bool finite = !precision.scaled || scaler.unscale(gradient_arrays, dtypes, sizes) == CAMBER_OK;
    if (finite) optimizer.step(param_arrays, slopes);
    return static_cast<double>(loss);
  }

  // Percent of the images that are told right.
  double accuracy(const Dataset &d) {
    std::vector<std::int64_t> found(test_batch);
    std::int64_t right = 0, batches = d.count() / test_batch;
    camber::Inputs in(param_arrays.begin(), param_arrays.end());
    in.push_back(x.data());
    for (std::int64_t b = 0; b < batches; b++) {
      fill(d, test_batch, [&](std::size_t i) { return static_cast<std::size_t>(b * test_batch) + i; });
      testing.run(testing_memory, in, {found.data()});
      for (std::size_t i = 0; i < found.size(); i++) right += found[i] == labels[i];
    }
    return batches ? 100.0 * static_cast<double>(right) / static_cast<double>(batches * test_batch) : 0;
  }

  void report() const {
    for (std::size_t i = 0; i < names.size(); i++)
      std::printf("gradient norm %s %.6g\n", names[i].c_str(), static_cast<double>(norms[i]) / factor);
    if (precision.scaled) std::printf("skipped steps %lld\n", static_cast<long long>(scaler.skipped()));
  }

  void save(const std::string &path) const {
    std::vector<camber::Tensor> tensors;
    for (std::size_t i = 0; i < names.size(); i++) tensors.push_back({names[i], types[i], params[i].data()});
    camber::save_tensors(path, tensors);
  }

 private:
  Precision precision;
  camber::Program training, testing;
  camber::Workspace training_memory, testing_memory;
  camber::Optimizer optimizer;
  camber::Scaler scaler;
  std::vector<std::vector<T>> params, gradients;
  camber::Outputs param_arrays, gradient_arrays;
  std::vector<camber::Type> types;
  std::vector<DType> dtypes;
  std::vector<std::size_t> sizes;
  std::vector<T> x;
  std::vector<std::int64_t> labels;
  std::vector<T> norms;
  double factor = 1;  // what the last loss was scaled by
};

template <class T>
void run(const Options &o, const Precision &precision, const Dataset &train, const Dataset &test) {
  std::vector<std::size_t> order(static_cast<std::size_t>(std::min(o.limit, train.count())));
  std::int64_t steps = static_cast<std::int64_t>(order.size()) / batch;
  if (steps < 1) throw failure(std::to_string(order.size()) + " training images are fewer than a batch of " + std::to_string(batch));
  for (std::size_t i = 0; i < order.size(); i++) order[i] = i;
  Trainer<T> trainer(precision, o.seed, o.epochs * steps);

  auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  std::uint64_t state = static_cast<std::uint64_t>(o.seed);
  char tested[16] = "--";
  double start = now(), shown = 0, right = 0;
  bool terminal = isatty(1);
  for (std::int64_t epoch = 1; epoch <= o.epochs; epoch++) {
    double sum = 0;
    shuffle(order, state);
    for (std::int64_t i = 0; i < steps; i++) {
      trainer.fill(train, batch, [&](std::size_t k) { return order[static_cast<std::size_t>(i * batch) + k]; });
      sum += trainer.step();
      if (terminal && now() - shown > 0.1) {
        double done = static_cast<double>((epoch - 1) * steps + i + 1), rate = done / (now() - start);
        std::printf("\repoch %lld/%lld  loss %.4f  test %s  %.0f images/s  %.0f s left \033[K", static_cast<long long>(epoch),
                    static_cast<long long>(o.epochs), sum / static_cast<double>(i + 1), tested, rate * batch,
                    (static_cast<double>(o.epochs * steps) - done) / rate);
        std::fflush(stdout), shown = now();
      }
    }
    right = trainer.accuracy(test);
    std::snprintf(tested, sizeof tested, "%.2f %%", right);
    double loss = sum / static_cast<double>(steps);
    std::printf("%sepoch %lld loss %.13a %.6f\n", terminal ? "\r\033[K" : "", static_cast<long long>(epoch), loss, loss);
    std::fflush(stdout);
  }
  trainer.report();
  trainer.save(o.out);
  std::printf("test accuracy: %.2f %%\n", right);
}

int main(int argc, char **argv) try {
  Options o = parse(argc, argv);
  Dataset train = load(o.data, "train"), test = load(o.data, "t10k");
  Precision precision(o.precision);
  if (precision.dtype == camber::f64) run<double>(o, precision, train, test);
  else run<float>(o, precision, train, test);
} catch (const std::exception &e) {
  std::fprintf(stderr, "fashion: %s\n", e.what());
  return 1;
}
