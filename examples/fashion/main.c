/* Trains a network (784-256-128-10, relu) on the 60,000 images of Fashion-MNIST and tests it on 10,000 others.
 *
 *   cc -O2 main.c $(pkg-config --cflags --libs camber) -lz -lm -o fashion && ./fashion
 *   --precision f64|f32|bf16|f16   --epochs N   --seed N   --limit N (train on the first N)   --data DIR   --out FILE
 *
 * main.cpp, main.py and main.swift are the same program: the four print the same losses to the last bit.
 */
#define _POSIX_C_SOURCE 200809L
#include <camber_easy.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { PIXELS = 784, CLASSES = 10, BATCH = 128, TEST_BATCH = 1000, LAYERS = 3, PARAMS = 2 * LAYERS };
static const int64_t WIDTHS[LAYERS + 1] = {PIXELS, 256, 128, CLASSES};
static const char *const NAMES[PARAMS] = {"w1", "b1", "w2", "b2", "w3", "b3"};

typedef struct { const char *data, *out, *precision; long long epochs, seed, limit; } Options;
typedef struct { int64_t count; uint8_t *images, *labels; } Dataset;

static void fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("fashion: ", stderr), vfprintf(stderr, format, list), fputc('\n', stderr);
  va_end(list);
  exit(1);
}

/* Every status that the library gives goes through here. */
static void must(camber_status status, const char *sentence) {
  if (status < 0) fail("%s", sentence && *sentence ? sentence : camber_status_message(status));
}

/* ---- Options and data ---------------------------------------------------------------------------------------------- */

static long long whole(const char *name, const char *text, long long low) {
  char *end;
  long long v = strtoll(text, &end, 10);
  if (!*text || *end || v < low || v > 1000000000) fail("%s wants a whole number from %lld, not '%s'", name, low, text);
  return v;
}

static Options parse(int argc, char **argv) {
  Options o = {"/usr/share/datasets/fashion-mnist", "fashion.safetensors", "f32", 10, 1, 60000};
  for (int i = 1; i < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (i + 1 == argc) fail("%s wants a value; options: --precision --epochs --seed --limit --data --out", name);
    if (!strcmp(name, "--precision")) o.precision = value;
    else if (!strcmp(name, "--epochs")) o.epochs = whole(name, value, 1);
    else if (!strcmp(name, "--seed")) o.seed = whole(name, value, 0);
    else if (!strcmp(name, "--limit")) o.limit = whole(name, value, BATCH);
    else if (!strcmp(name, "--data")) o.data = value;
    else if (!strcmp(name, "--out")) o.out = value;
    else fail("no option %s; options: --precision --epochs --seed --limit --data --out", name);
  }
  if (strcmp(o.precision, "f64") && strcmp(o.precision, "f32") && strcmp(o.precision, "bf16") && strcmp(o.precision, "f16"))
    fail("--precision is f64, f32, bf16 or f16, not '%s'", o.precision);
  return o;
}

/* The items of a gzipped IDX file: a big-endian magic number and count (for images two sizes more), then bytes. */
static uint8_t *read_idx(const char *folder, const char *name, uint32_t magic, size_t item, int64_t *count) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s-ubyte.gz", folder, name);
  gzFile file = gzopen(path, "rb");
  if (!file) fail("cannot open %s: apt install dataset-fashion-mnist, or give --data DIR", path);
  uint8_t head[16];
  unsigned header = item == 1 ? 8 : 16;
  if (gzread(file, head, header) != (int)header || head[2] != magic >> 8 || head[3] != (magic & 255)) fail("%s is not an IDX file of the expected kind", path);
  *count = (int64_t)head[4] << 24 | head[5] << 16 | head[6] << 8 | head[7];
  if (*count > 1000000) fail("%s claims %lld items", path, (long long)*count);
  size_t bytes = (size_t)*count * item;
  uint8_t *data = malloc(bytes + 1);
  if (!data || gzread(file, data, (unsigned)bytes) != (int)bytes) fail("%s ends early", path);
  gzclose(file);
  return data;
}

static Dataset load(const char *folder, const char *kind) {
  char name[64];
  int64_t labels;
  Dataset d;
  snprintf(name, sizeof name, "%s-images-idx3", kind);
  d.images = read_idx(folder, name, 0x803, PIXELS, &d.count);
  snprintf(name, sizeof name, "%s-labels-idx1", kind);
  d.labels = read_idx(folder, name, 0x801, 1, &labels);
  if (labels != d.count) fail("%s/%s: %lld images and %lld labels", folder, kind, (long long)d.count, (long long)labels);
  return d;
}

/* The images order[0], order[1], ... (NULL: first, first + 1, ...) as numbers from 0 to 1, with their labels. */
static void fill(const Dataset *d, const int32_t *order, int64_t first, int64_t n, camber_dtype dtype, void *x, int64_t *labels) {
  for (int64_t i = 0; i < n; i++) {
    int64_t k = order ? order[first + i] : first + i;
    const uint8_t *image = d->images + k * PIXELS;
    labels[i] = d->labels[k];
    for (int64_t p = 0; p < PIXELS; p++)
      if (dtype == CAMBER_F64) ((double *)x)[i * PIXELS + p] = image[p] / 255.0;
      else ((float *)x)[i * PIXELS + p] = (float)(image[p] / 255.0);
  }
}

static uint64_t splitmix(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static void shuffle(int32_t *order, int64_t n, uint64_t *state) {
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t j = (int64_t)(splitmix(state) % (uint64_t)(i + 1));
    int32_t t = order[i];
    order[i] = order[j], order[j] = t;
  }
}

/* ---- The network ---------------------------------------------------------------------------------------------------- */

typedef struct {
  camber_dtype dtype, compute;   /* of the parameters and data; of what is between */
  int scaled;                    /* f16: the loss is multiplied by a power of two */
} Precision;

typedef struct { camber_tape *tape; camber_node params[PARAMS], x, logits; } Network;

static Network network(Precision precision, int64_t batch) {
  Network n;
  n.tape = camber_tape_new();
  for (int i = 0; i < LAYERS; i++) {
    n.params[2 * i] = camber_easy_matrix(n.tape, precision.dtype, WIDTHS[i], WIDTHS[i + 1]);
    n.params[2 * i + 1] = camber_easy_vector(n.tape, precision.dtype, WIDTHS[i + 1]);
  }
  n.x = n.logits = camber_easy_matrix(n.tape, precision.dtype, batch, PIXELS);
  for (int i = 0; i < LAYERS; i++) {
    n.logits = camber_easy_dense(n.tape, n.logits, n.params[2 * i], n.params[2 * i + 1]);
    if (i + 1 < LAYERS) n.logits = camber_relu(n.tape, n.logits);
  }
  return n;
}

/* `y` computed in the precision's 16-bit dtype, if it has one. */
static camber_node in_precision(const Network *n, Precision precision, camber_node y) {
  if (precision.compute == precision.dtype) return y;
  camber_node kept[PARAMS + 1], cast;
  memcpy(kept, n->params, sizeof n->params);
  kept[PARAMS] = n->x;
  must(camber_precision(n->tape, &y, 1, kept, PARAMS + 1, precision.compute, precision.dtype, &cast), camber_tape_message(n->tape));
  return cast;
}

static camber_program *compile(camber_tape *tape, const camber_node *in, size_t ins, const camber_node *out, size_t outs) {
  camber_program *program = camber_program_new(tape, in, ins, out, outs);
  if (!program) fail("%s", camber_tape_message(tape));
  camber_tape_free(tape);
  return program;
}

/* (params, x, labels, scale) -> (loss, gradients of scale * loss, their norms) */
static camber_program *training_program(Precision precision) {
  Network n = network(precision, BATCH);
  camber_tape *t = n.tape;
  camber_node labels = camber_easy_vector(t, CAMBER_I64, BATCH), scale = camber_input(t, precision.dtype, NULL, 0);
  camber_node loss = in_precision(&n, precision, camber_easy_cross_entropy(t, n.logits, labels));
  camber_node in[PARAMS + 3], out[1 + 2 * PARAMS] = {loss};
  must(camber_grad(t, precision.scaled ? camber_mul(t, loss, scale) : loss, n.params, PARAMS, out + 1), camber_tape_message(t));
  for (int i = 0; i < PARAMS; i++) out[1 + PARAMS + i] = camber_easy_norm(t, out[1 + i]);
  memcpy(in, n.params, sizeof n.params);
  in[PARAMS] = n.x, in[PARAMS + 1] = labels, in[PARAMS + 2] = scale;
  printf("tape %016llx\n", (unsigned long long)camber_tape_hash(t, in, PARAMS + 3, out, 1 + PARAMS));
  return compile(t, in, PARAMS + 3, out, 1 + 2 * PARAMS);
}

/* (params, x) -> the most likely classes */
static camber_program *test_program(Precision precision) {
  Network n = network(precision, TEST_BATCH);
  camber_node in[PARAMS + 1], out = camber_argmax(n.tape, in_precision(&n, precision, n.logits), -1);
  memcpy(in, n.params, sizeof n.params);
  in[PARAMS] = n.x;
  return compile(n.tape, in, PARAMS + 1, &out, 1);
}

/* He's initialisation from a counter-based generator: weights normal with variance 2 / inputs, biases zero. */
static void initialise(Precision precision, int64_t seed, void **params) {
  camber_tape *t = camber_tape_new();
  camber_node key = camber_input(t, CAMBER_I64, NULL, 0), out[LAYERS];
  void *weights[LAYERS];
  const void *in[1] = {&seed};
  for (int i = 0; i < LAYERS; i++) {
    camber_node layer = camber_fold_key(t, key, camber_integer(t, CAMBER_I64, i));
    out[i] = camber_easy_mul_number(t, camber_random_normal(t, layer, precision.dtype, WIDTHS + i, 2), sqrt(2.0 / (double)WIDTHS[i]));
    weights[i] = params[2 * i];
  }
  if (camber_easy_evaluate(t, &key, 1, out, LAYERS, in, weights, stderr) < 0) exit(1);
  camber_tape_free(t);
}

/* ---- Training -------------------------------------------------------------------------------------------------------- */

typedef union { double f64; float f32; } Scalar;   /* a number in the dtype of the run */

static double get(camber_dtype dtype, Scalar s) { return dtype == CAMBER_F64 ? s.f64 : (double)s.f32; }
static void put(camber_dtype dtype, Scalar *s, double v) {
  if (dtype == CAMBER_F64) s->f64 = v;
  else s->f32 = (float)v;
}

/* The host's arrays, and what runs on them. */
typedef struct {
  Precision precision;
  camber_program *training, *testing;
  camber_workspace *training_memory, *testing_memory;
  camber_optimizer *optimizer;
  camber_scaler *scaler;
  void *params[PARAMS], *gradients[PARAMS], *x;
  int64_t shapes[3 * LAYERS], labels[TEST_BATCH];
  size_t ranks[PARAMS], sizes[PARAMS];
  camber_dtype dtypes[PARAMS];
  Scalar loss, scale, norms[PARAMS];
  double factor;                 /* what the last loss was scaled by */
} Trainer;

static void set_up(Trainer *t, Precision precision, int64_t seed, int64_t total_steps) {
  camber_schedule *schedule = camber_schedule_new("cosine");
  t->precision = precision;
  t->training = training_program(precision), t->testing = test_program(precision);
  t->training_memory = camber_workspace_new(t->training), t->testing_memory = camber_workspace_new(t->testing);
  t->optimizer = camber_optimizer_new("adamw");
  t->scaler = camber_scaler_new();
  t->x = malloc(TEST_BATCH * PIXELS * camber_dtype_size(precision.dtype));
  if (!t->training_memory || !t->testing_memory || !schedule || !t->optimizer || !t->scaler || !t->x) fail("no memory");
  must(camber_optimizer_set(t->optimizer, "learning_rate", 1e-3), camber_optimizer_message(t->optimizer));
  must(camber_schedule_set(schedule, "steps", (double)total_steps), camber_schedule_message(schedule));
  must(camber_optimizer_set_schedule(t->optimizer, schedule), camber_optimizer_message(t->optimizer));
  camber_schedule_free(schedule);

  int64_t *shape = t->shapes;
  for (int i = 0; i < PARAMS; i++) {   /* a matrix, a vector, a matrix, ... */
    t->dtypes[i] = precision.dtype, t->ranks[i] = i % 2 ? 1 : 2;
    memcpy(shape, WIDTHS + i / 2 + i % 2, t->ranks[i] * sizeof *shape);
    t->sizes[i] = (size_t)(i % 2 ? shape[0] : shape[0] * shape[1]);
    t->params[i] = calloc(t->sizes[i], camber_dtype_size(precision.dtype));
    t->gradients[i] = calloc(t->sizes[i], camber_dtype_size(precision.dtype));
    if (!t->params[i] || !t->gradients[i]) fail("no memory");
    must(camber_optimizer_add(t->optimizer, NAMES[i], precision.dtype, shape, t->ranks[i]), camber_optimizer_message(t->optimizer));
    shape += t->ranks[i];
  }
  initialise(precision, seed, t->params);
}

/* One batch: the loss, its gradients, the parameters moved. */
static double step(Trainer *t) {
  const void *in[PARAMS + 3], *slopes[PARAMS];
  void *out[1 + 2 * PARAMS] = {&t->loss};
  for (int i = 0; i < PARAMS; i++) {
    in[i] = t->params[i], slopes[i] = out[1 + i] = t->gradients[i], out[1 + PARAMS + i] = &t->norms[i];
  }
  t->factor = t->precision.scaled ? camber_scaler_scale(t->scaler) : 1;
  put(t->precision.dtype, &t->scale, t->factor);
  in[PARAMS] = t->x, in[PARAMS + 1] = t->labels, in[PARAMS + 2] = &t->scale;
  must(camber_run(t->training, t->training_memory, in, out), camber_workspace_message(t->training_memory));
  camber_status finite = CAMBER_OK;
  if (t->precision.scaled) finite = camber_scaler_unscale(t->scaler, PARAMS, t->gradients, t->dtypes, t->sizes);
  must(finite, camber_scaler_message(t->scaler));
  if (finite == CAMBER_OK) must(camber_optimizer_step(t->optimizer, t->params, slopes), camber_optimizer_message(t->optimizer));
  return get(t->precision.dtype, t->loss);
}

/* Percent of the images that are told right. */
static double accuracy(Trainer *t, const Dataset *d) {
  int64_t found[TEST_BATCH], right = 0, batches = d->count / TEST_BATCH;
  const void *in[PARAMS + 1];
  void *out[1] = {found};
  memcpy(in, t->params, sizeof t->params);
  in[PARAMS] = t->x;
  for (int64_t b = 0; b < batches; b++) {
    fill(d, NULL, b * TEST_BATCH, TEST_BATCH, t->precision.dtype, t->x, t->labels);
    must(camber_run(t->testing, t->testing_memory, in, out), camber_workspace_message(t->testing_memory));
    for (int i = 0; i < TEST_BATCH; i++) right += found[i] == t->labels[i];
  }
  return batches ? 100.0 * (double)right / (double)(batches * TEST_BATCH) : 0;
}

static void tear_down(Trainer *t) {
  for (int i = 0; i < PARAMS; i++) free(t->params[i]), free(t->gradients[i]);
  free(t->x);
  camber_workspace_free(t->training_memory), camber_workspace_free(t->testing_memory);
  camber_program_free(t->training), camber_program_free(t->testing);
  camber_optimizer_free(t->optimizer), camber_scaler_free(t->scaler);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  Options o = parse(argc, argv);
  Precision p = {CAMBER_F32, CAMBER_F32, !strcmp(o.precision, "f16")};
  if (!strcmp(o.precision, "f64")) p.dtype = p.compute = CAMBER_F64;
  if (!strcmp(o.precision, "bf16")) p.compute = CAMBER_BF16;
  if (p.scaled) p.compute = CAMBER_F16;
  Dataset train = load(o.data, "train"), test = load(o.data, "t10k");
  int64_t count = o.limit < train.count ? o.limit : train.count, steps = count / BATCH;
  if (steps < 1) fail("%lld training images are fewer than a batch of %d", (long long)count, BATCH);

  static Trainer t;
  set_up(&t, p, o.seed, o.epochs * steps);
  int32_t *order = malloc((size_t)count * sizeof *order);
  if (!order) fail("no memory");
  for (int64_t i = 0; i < count; i++) order[i] = (int32_t)i;

  uint64_t state = (uint64_t)o.seed;
  char tested[16] = "--";
  double start = now(), shown = 0, right = 0;
  int terminal = isatty(1);
  for (long long epoch = 1; epoch <= o.epochs; epoch++) {
    double sum = 0;
    shuffle(order, count, &state);
    for (int64_t i = 0; i < steps; i++) {
      fill(&train, order, i * BATCH, BATCH, p.dtype, t.x, t.labels);
      sum += step(&t);
      if (terminal && now() - shown > 0.1) {
        double done = (double)((epoch - 1) * steps + i + 1), rate = done / (now() - start);
        printf("\repoch %lld/%lld  loss %.4f  test %s  %.0f images/s  %.0f s left \033[K", epoch, o.epochs,
               sum / (double)(i + 1), tested, rate * BATCH, ((double)(o.epochs * steps) - done) / rate);
        fflush(stdout), shown = now();
      }
    }
    right = accuracy(&t, &test);
    snprintf(tested, sizeof tested, "%.2f %%", right);
    printf("%sepoch %lld loss %.13a %.6f\n", terminal ? "\r\033[K" : "", epoch, sum / (double)steps, sum / (double)steps);
    fflush(stdout);
  }
  for (int i = 0; i < PARAMS; i++) printf("gradient norm %s %.6g\n", NAMES[i], get(p.dtype, t.norms[i]) / t.factor);
  if (p.scaled) printf("skipped steps %lld\n", (long long)camber_scaler_skipped(t.scaler));
  camber_status saved = camber_tensors_save(o.out, PARAMS, NAMES, t.dtypes, t.ranks, t.shapes, (const void *const *)t.params);
  if (saved < 0) fail("%s: %s", o.out, camber_status_message(saved));
  printf("test accuracy: %.2f %%\n", right);

  tear_down(&t);
  free(order), free(train.images), free(train.labels), free(test.images), free(test.labels);
  return 0;
}
