/* A sick network: 40 layers of tanh whose weights begin three times too small, its gradients in f16, on the images of Fashion-MNIST. A flow watches its
 * training, says what is wrong and where, and its remedies are applied one by one, each verified on copies, until nothing is found; then it trains.
 *
 *   cc -O2 main.c $(pkg-config --cflags --libs camber) -lz -lm -o sick && ./sick
 *   --steps N (of the healed network, 400)   --data DIR   --report FILE (both trainings beside each other, as an HTML file)
 *
 * main.cpp, main.py and main.swift are the same program: the four print the same.
 */
#include <camber_easy.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PIXELS = 784, WIDTH = 64, DEPTH = 40, CLASSES = 10, BATCH = 128, PARAMS = 2 * (DEPTH + 1), SICK = 30 };

static void fail(const char *what, const char *why) { fprintf(stderr, "sick: %s: %s\n", what, why), exit(1); }
static void must(camber_status s, const char *what, const char *why) { if (s < 0) fail(what, why && *why ? why : camber_status_message(s)); }

/* The items of a gzipped IDX file. */
static uint8_t *read_idx(const char *folder, const char *name, size_t item, int64_t *count) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s-ubyte.gz", folder, name);
  gzFile file = gzopen(path, "rb");
  if (!file) fail(path, "cannot be opened: apt install dataset-fashion-mnist, or give --data DIR");
  uint8_t head[16];
  unsigned header = item == 1 ? 8 : 16;
  if (gzread(file, head, header) != (int)header) fail(path, "ends early");
  *count = (int64_t)head[4] << 24 | head[5] << 16 | head[6] << 8 | head[7];
  if (*count < BATCH || *count > 1000000) fail(path, "is not an IDX file of the expected kind");
  uint8_t *data = malloc((size_t)*count * item);
  if (!data || gzread(file, data, (unsigned)((size_t)*count * item)) != (int)((size_t)*count * item)) fail(path, "ends early");
  gzclose(file);
  return data;
}

typedef struct { int64_t count; uint8_t *images, *labels; } Dataset;
static Dataset load(const char *folder, const char *kind) {
  char name[64];
  Dataset d;
  int64_t labels;
  snprintf(name, sizeof name, "%s-images-idx3", kind), d.images = read_idx(folder, name, PIXELS, &d.count);
  snprintf(name, sizeof name, "%s-labels-idx1", kind), d.labels = read_idx(folder, name, 1, &labels);
  if (labels != d.count) fail(kind, "images and labels differ in number");
  return d;
}
static void fill(const Dataset *d, int64_t batch, float *x, int64_t *labels) {
  int64_t first = batch * BATCH % (d->count - d->count % BATCH);
  for (int64_t i = 0; i < BATCH; i++) {
    labels[i] = d->labels[first + i];
    for (int64_t p = 0; p < PIXELS; p++) x[i * PIXELS + p] = (float)(d->images[(first + i) * PIXELS + p] / 255.0);
  }
}

static float *params[PARAMS], *gradients[PARAMS];
static size_t sizes[PARAMS];
static float x[BATCH * PIXELS];
static int64_t labels[BATCH];

/* One step; the loss. The gradients leave the flow times the loss scale. */
static double step(camber_flow *flow, camber_optimizer *optimizer) {
  const void *data[2] = {x, labels};
  float loss, scale = (float)camber_flow_scale(flow);
  must(camber_flow_run(flow, (const void *const *)params, data, &loss, (void *const *)gradients), "run", camber_flow_message(flow));
  for (int i = 0; i < PARAMS; i++) for (size_t k = 0; k < sizes[i]; k++) gradients[i][k] /= scale;
  must(camber_optimizer_step(optimizer, (void *const *)params, (const void *const *)gradients), "step", camber_optimizer_message(optimizer));
  return loss;
}

int main(int argc, char **argv) {
  const char *folder = "/usr/share/datasets/fashion-mnist", *file = NULL;
  long steps = 400;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--steps")) steps = strtol(argv[i + 1], NULL, 10);
    else if (!strcmp(argv[i], "--data")) folder = argv[i + 1];
    else if (!strcmp(argv[i], "--report")) file = argv[i + 1];
    else fail(argv[i], "is no option; there are --steps, --data, --report");
  }
  Dataset train = load(folder, "train"), test = load(folder, "t10k");

  /* The tape: 40 layers of tanh and a linear one. */
  camber_tape *t = camber_tape_new();
  camber_node p[PARAMS], layers[DEPTH], images = camber_easy_matrix(t, CAMBER_F32, BATCH, PIXELS), truth = camber_easy_vector(t, CAMBER_I64, BATCH), h = images;
  camber_optimizer *optimizer = camber_optimizer_new("adam");
  for (int i = 0; i <= DEPTH; i++) {
    int64_t shape[2] = {i ? WIDTH : PIXELS, i < DEPTH ? WIDTH : CLASSES};
    char name[2][16];
    p[2 * i] = camber_easy_matrix(t, CAMBER_F32, shape[0], shape[1]), p[2 * i + 1] = camber_easy_vector(t, CAMBER_F32, shape[1]);
    h = camber_easy_dense(t, h, p[2 * i], p[2 * i + 1]);
    if (i < DEPTH) h = layers[i] = camber_tanh(t, h);
    for (int k = 0; k < 2; k++) {
      int j = 2 * i + k;
      sizes[j] = (size_t)(k ? shape[1] : shape[0] * shape[1]);
      params[j] = calloc(sizes[j], sizeof(float)), gradients[j] = calloc(sizes[j], sizeof(float));
      if (!params[j] || !gradients[j]) fail("memory", "was refused");
      snprintf(name[k], sizeof name[k], "%s%d", k ? "b" : "w", i);
      must(camber_optimizer_add(optimizer, name[k], CAMBER_F32, k ? shape + 1 : shape, k ? 1 : 2), "optimizer", camber_optimizer_message(optimizer));
    }
    /* The sickness. */
    must(camber_initialize("lecun", CAMBER_F32, shape, 2, i < DEPTH ? 1.0 / 3 : 1, i, params[2 * i]), "initialize", NULL);
  }
  camber_node loss = camber_easy_cross_entropy(t, h, truth), data[2] = {images, truth}, guess = camber_argmax(t, h, -1), in[PARAMS + 1];
  camber_flow *flow = camber_flow_new(t, loss, p, PARAMS, data, 2);
  memcpy(in, p, sizeof p), in[PARAMS] = images;
  camber_program *classify = camber_program_new(t, in, PARAMS + 1, &guess, 1);
  if (!flow || !classify) fail("tape", camber_tape_message(t));
  for (int i = 0; i < DEPTH; i++) {
    char name[16];
    snprintf(name, sizeof name, "layer %d", i + 1);
    must(camber_flow_layer(flow, name, layers[i]), "layer", camber_flow_message(flow));
  }
  for (int i = 0; i < PARAMS; i++) {
    char name[16];
    snprintf(name, sizeof name, "%s%d", i % 2 ? "b" : "w", i / 2 + 1);
    must(camber_flow_name(flow, (size_t)i, name), "name", camber_flow_message(flow));
  }
  must(camber_flow_set(flow, "compute", CAMBER_F16), "compute", camber_flow_message(flow));
  must(camber_flow_set(flow, "loss_scale", 1), "loss_scale", camber_flow_message(flow));
  must(camber_optimizer_set(optimizer, "learning_rate", 2e-4), "optimizer", camber_optimizer_message(optimizer));
  camber_tape_free(t);

  /* Watch, prescribe, watch again. */
  camber_report *sick = camber_report_new("40 layers of tanh, sick"), *healed = camber_report_new("40 layers of tanh, healed");
  int64_t batch = 0;
  int rounds = 0;
  for (size_t found = 1; found && rounds < 8; rounds++) {
    double first = 0, last = 0;
    for (int i = 0; i < SICK; i++) {
      fill(&train, batch++, x, labels);
      last = step(flow, optimizer);
      if (!i) first = last;
    }
    printf("%d steps: loss %.4f to %.4f, gradients change by e^%.2f a layer on the way back\n", SICK, first, last, camber_flow_slope(flow));
    camber_findings *f = camber_flow_findings(flow);
    found = camber_findings_count(f);
    for (size_t i = 0; i < found; i++)
      printf("  found: %s at %s: %s\n", camber_findings_text(f, i, "kind"), camber_findings_text(f, i, "place"), camber_findings_text(f, i, "evidence"));
    if (found) {
      const void *known[2] = {x, labels};
      if (!rounds) must(camber_report_add_flow(sick, flow), "report", camber_report_message(sick));
      printf("  advice: %s\n", camber_findings_text(f, 0, "advice"));
      must(camber_flow_prescribe(flow, camber_findings_text(f, 0, "remedy"), camber_findings_text(f, 0, "place"), optimizer, NULL, (void *const *)params, known), "prescribe",
           camber_flow_message(flow));
      printf("  done: %s\n", camber_flow_message(flow));
      /* Does it help? Training steps on copies, and what is then found. */
      camber_findings *left = camber_flow_verify(flow, (void *const *)params, known, optimizer, 24);
      if (!left) fail("verify", camber_flow_message(flow));
      printf("  verified: %s\n", camber_findings_count(left) ? camber_findings_text(left, 0, "evidence") : "24 steps on copies, nothing is found");
      camber_findings_free(left);
    } else printf("  nothing found\n");
    camber_findings_free(f);
  }

  double sum = 0;
  for (long i = 0; i < steps; i++) {
    fill(&train, batch++, x, labels);
    sum += step(flow, optimizer);
    if ((i + 1) % 100 == 0) printf("step %ld: loss %.4f\n", i + 1, sum / 100), sum = 0;
  }
  must(camber_report_add_flow(healed, flow), "report", camber_report_message(healed));
  must(camber_report_compare(healed, sick, "healed", "sick"), "report", camber_report_message(healed));
  if (file) must(camber_report_save(healed, "html", file), file, camber_report_message(healed));
  camber_workspace *w = camber_workspace_new(classify);
  if (!w) fail("memory", "was refused");
  int64_t right = 0, guesses[BATCH], batches = test.count / BATCH;
  for (int64_t b = 0; b < batches; b++) {
    const void *given[PARAMS + 1];
    void *out[1] = {guesses};
    memcpy(given, params, sizeof params), given[PARAMS] = x;
    fill(&test, b, x, labels);
    must(camber_run(classify, w, given, out), "run", camber_workspace_message(w));
    for (int i = 0; i < BATCH; i++) right += guesses[i] == labels[i];
  }
  printf("healed after %d rounds, test accuracy: %.2f %%\n", rounds, 100.0 * (double)right / (double)(batches * BATCH));
  camber_report_free(sick), camber_report_free(healed), camber_workspace_free(w), camber_program_free(classify), camber_flow_free(flow), camber_optimizer_free(optimizer);
  for (int i = 0; i < PARAMS; i++) free(params[i]), free(gradients[i]);
  free(train.images), free(train.labels), free(test.images), free(test.labels);
  return 0;
}
