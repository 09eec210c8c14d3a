/* Sparse derivatives from C: formats, widths of indices, bases, triangles, weighted forms, blocks, colours, threads' workspaces, no allocation in a run; bad input. */
#include <camber_easy.h>

#include "check.h"

enum { N = 5 };
static camber_tape *t;

static void refused(camber_sparse *s, camber_status got, camber_status want, const char *word, int line) {
  check_that(got == want, camber_sparse_message(s), __FILE__, line);
  check_that(strstr(camber_sparse_message(s), word) != NULL, camber_sparse_message(s), __FILE__, line);
}
#define REFUSED(s, want, word, call) refused(s, (call), want, word, __LINE__)

/* Dense values of what a sparse handle holds, by its pairs. */
static void dense(camber_sparse *s, const double *values, double *d, size_t columns) {
  int64_t rows[64], cols[64];
  memset(d, 0, sizeof(double) * camber_sparse_row_count(s) * columns);
  STATUS(camber_sparse_pattern(s, CAMBER_SPARSE_COO, 64, 0, rows, cols), CAMBER_OK);
  for (size_t k = 0; k < camber_sparse_value_count(s); k++) d[(size_t)rows[k] * columns + (size_t)cols[k]] = values[k];
}

/* An operator of the host's that says where its derivative is: y_i = x_i^2. */
static camber_status square(void *payload, camber_call *call, const void *const *x, void *const *y) {
  (void)payload;
  for (size_t i = 0; i < camber_call_size(call, 0); i++) ((double *)y[0])[i] = ((const double *)x[0])[i] * ((const double *)x[0])[i];
  return CAMBER_OK;
}
static camber_status push(void *payload, camber_call *call, const void *const *x, const void *const *y, const void *const *d, void *const *out) {
  (void)payload, (void)y;
  for (size_t i = 0; i < camber_call_size(call, 0); i++) ((double *)out[0])[i] = 2 * ((const double *)x[0])[i] * ((const double *)d[0])[i];
  return CAMBER_OK;
}
static camber_status diagonal(void *payload, size_t output, size_t input, int64_t *rows, int64_t *columns, size_t capacity, size_t *count) {
  (void)output, (void)input;
  *count = N;
  for (size_t i = 0; i < capacity && i < N; i++) rows[i] = (int64_t)i, columns[i] = payload ? N : (int64_t)i;
  return CAMBER_OK;
}

/* Patterns by sets and words; declared ones; edge pushing. */
static void methods(camber_node x, const double *p) {
  const void *inputs[1] = {p};
  double v[64], d[64];
  for (int wrong = 0; wrong < 2; wrong++) {
    camber_operator o = {0};
    o.size = sizeof o, o.name = "square", o.input_count = o.output_count = 1, o.value = square, o.jvp = push, o.sparsity = diagonal, o.payload = wrong ? &o : NULL;
    camber_node y = CAMBER_NONE;
    STATUS(camber_host_call(t, &o, &x, 1, &y, 1), CAMBER_OK);
    camber_sparse *s = camber_sparse_jacobian(t, &y, 1, &x, 1, NULL, 0);
    if (wrong) REFUSED(s, CAMBER_ECALLBACK, "its sparsity has place (0, 5) of 5 by 5", camber_sparse_prepare(s));
    camber_sparse_workspace *w = wrong ? NULL : camber_sparse_workspace_new(s);
    if (w) {
      CHECK(camber_sparse_value_count(s) == N && camber_sparse_method(s) == CAMBER_SPARSE_FORWARD);
      STATUS(camber_sparse_values(w, inputs, v), CAMBER_OK);
      for (int i = 0; i < N; i++) NEAR(v[i], 2 * p[i], 1e-15);
    }
    camber_sparse_workspace_free(w), camber_sparse_free(s);
  }
  camber_node f = camber_easy_sum(t, camber_mul(t, camber_sin(t, x), camber_square(t, x)));
  int64_t costs[4] = {-1, -1, -1, -1};
  STATUS(camber_edge_pushing_cost(t, f, &x, 1, costs), CAMBER_OK);
  CHECK(costs[0] > 0 && costs[1] > costs[0] - 1 && costs[2] > 0 && costs[3] > 0);
  camber_sparse *h = camber_sparse_hessian(t, f, &x, 1, NULL, 0);
  STATUS(camber_sparse_set(h, "method", CAMBER_SPARSE_EDGE_PUSHING), CAMBER_OK);
  camber_sparse_workspace *w = camber_sparse_workspace_new(h);
  CHECK(camber_sparse_value_count(h) == N && camber_sparse_method(h) == CAMBER_SPARSE_EDGE_PUSHING);
  STATUS(camber_sparse_values(w, inputs, v), CAMBER_OK);
  for (int i = 0; i < N; i++) NEAR(v[i], 2 * sin(p[i]) + 4 * p[i] * cos(p[i]) - p[i] * p[i] * sin(p[i]), 1e-13);
  camber_sparse_workspace_free(w), camber_sparse_free(h);
  for (int how = CAMBER_DETECT_SETS; how <= CAMBER_DETECT_REVERSE_WORDS; how++) {
    camber_node y = camber_cumsum(t, camber_square(t, x), 0, 0);
    camber_sparse *s = camber_sparse_jacobian(t, &y, 1, &x, 1, NULL, 0);
    STATUS(camber_sparse_set(s, "detection", how), CAMBER_OK);
    STATUS(camber_sparse_set(s, "method", CAMBER_SPARSE_FORWARD), CAMBER_OK);
    w = camber_sparse_workspace_new(s);
    CHECK(camber_sparse_detection(s) == how && camber_sparse_value_count(s) == N * (N + 1) / 2);
    STATUS(camber_sparse_values(w, inputs, v), CAMBER_OK);
    dense(s, v, d, N);
    for (int i = 0; i < N; i++) for (int k = 0; k < N; k++) NEAR(d[i * N + k], k <= i ? 2 * p[k] : 0.0, 1e-15);
    camber_sparse_workspace_free(w), camber_sparse_free(s);
  }
  h = camber_sparse_hessian(t, f, &x, 1, NULL, 0);
  REFUSED(h, CAMBER_EINVAL, "detection is 0 (auto), 1 (sets)", camber_sparse_set(h, "detection", 9));
  camber_sparse_free(h);
  CHECK(camber_edge_pushing_cost(t, x, &x, 1, costs) == CAMBER_ESHAPE && strstr(camber_tape_message(t), "not a scalar"));
  camber_tape_clear(t);
}

int main(void) {
  t = camber_tape_new();
  const int64_t shape[1] = {N}, zero = 0, one = 1, last = N - 1, all = N;
  camber_node x = camber_input(t, CAMBER_F64, shape, 1), s0 = camber_input(t, CAMBER_F64, NULL, 0);
  camber_node low = camber_slice(t, x, &zero, &last, &one, 1), high = camber_slice(t, x, &one, &all, &one, 1);
  camber_node y = camber_mul(t, camber_easy_mul(t, s0, low), camber_square(t, high));   /* y_i = s x_i x_{i+1}^2 */
  const double p[N] = {1, 2, 3, 4, 5}, two = 2;
  const void *inputs[3] = {p, &two, NULL};
  double v[64], d[64];

  for (int format = 0; format < 3; format++) {
    for (int method = CAMBER_SPARSE_AUTO; method <= CAMBER_SPARSE_REVERSE; method++) {
      camber_sparse *j = camber_sparse_jacobian(t, &y, 1, &x, 1, &s0, 1);
      CHECK(j && camber_sparse_row_count(j) == 0 && camber_sparse_method(j) == 0);
      STATUS(camber_sparse_set(j, "format", format), CAMBER_OK);
      STATUS(camber_sparse_set(j, "method", method), CAMBER_OK);
      STATUS(camber_sparse_prepare(j), CAMBER_OK);
      CHECK(camber_sparse_row_count(j) == N - 1 && camber_sparse_column_count(j) == N && camber_sparse_value_count(j) == 2 * N - 2);
      CHECK(camber_sparse_value_dtype(j) == CAMBER_F64 && camber_sparse_method(j) == (method ? method : CAMBER_SPARSE_ACCUMULATE));
      camber_sparse_workspace *w = camber_sparse_workspace_new(j);
      STATUS(camber_sparse_values(w, inputs, v), CAMBER_OK);
      dense(j, v, d, N);
      for (int i = 0; i < N - 1; i++) {
        NEAR(d[i * N + i], 2 * p[i + 1] * p[i + 1], 0);
        NEAR(d[i * N + i + 1], 2 * p[i] * 2 * p[i + 1], 0);
      }
      int32_t starts[N + 1], numbers[2 * N];
      if (format == CAMBER_SPARSE_CSR) {
        STATUS(camber_sparse_pattern(j, CAMBER_SPARSE_CSR, 32, 1, starts, numbers), CAMBER_OK);
        CHECK(starts[0] == 1 && starts[1] == 3 && starts[N - 1] == 2 * N - 1 && numbers[0] == 1 && numbers[1] == 2 && numbers[2 * N - 3] == N);
        REFUSED(j, CAMBER_EINVAL, "in the order of csr", camber_sparse_pattern(j, CAMBER_SPARSE_CSC, 32, 0, starts, numbers));
        REFUSED(j, CAMBER_EINVAL, "16 bits", camber_sparse_pattern(j, CAMBER_SPARSE_CSR, 16, 0, starts, numbers));
        REFUSED(j, CAMBER_EINVAL, "base 2", camber_sparse_pattern(j, CAMBER_SPARSE_CSR, 32, 2, starts, numbers));
        REFUSED(j, CAMBER_EINVAL, "before preparing", camber_sparse_set(j, "format", 1));
      } else if (format == CAMBER_SPARSE_CSC) {
        STATUS(camber_sparse_pattern(j, CAMBER_SPARSE_CSC, 32, 0, starts, numbers), CAMBER_OK);
        CHECK(starts[0] == 0 && starts[1] == 1 && starts[2] == 3 && starts[N] == 2 * N - 2 && numbers[0] == 0 && numbers[1] == 0 && numbers[2] == 1);
      }
      int32_t rows[N - 1], columns[N], counts[2];
      STATUS(camber_sparse_colors(j, rows, columns, &counts[0], &counts[1]), CAMBER_OK);
      CHECK(counts[0] + counts[1] == 2);
      STATUS(camber_sparse_check(j, inputs, 3, 1e-12), CAMBER_OK);
      camber_sparse_free(j);
      STATUS(camber_sparse_values(w, inputs, v), CAMBER_OK);   /* the workspace keeps what it needs */
      camber_sparse_workspace_free(w);
    }
  }

  /* The Hessian of s sum x_i x_{i+1}^2, its lower half by every method; weighted; J^T w J; blocks. */
  camber_node f = camber_easy_sum(t, y);
  double want[N * N] = {0};
  for (int i = 0; i < N - 1; i++) want[(i + 1) * N + i] = want[i * N + i + 1] = 4 * p[i + 1], want[(i + 1) * N + i + 1] = 4 * p[i];
  for (int method = 0; method <= CAMBER_SPARSE_ACYCLIC; method++) {
    camber_sparse *h = camber_sparse_hessian(t, f, &x, 1, &s0, 1);
    STATUS(camber_sparse_set(h, "triangle", CAMBER_SPARSE_LOWER), CAMBER_OK);
    STATUS(camber_sparse_set(h, "method", method), CAMBER_OK);
    camber_sparse_workspace *w = camber_sparse_workspace_new(h);   /* prepares */
    CHECK(w && camber_sparse_value_count(h) == 2 * N - 2);
    STATUS(camber_sparse_values(w, inputs, v), CAMBER_OK);
    dense(h, v, d, N);
    for (int i = 0; i < N; i++) for (int k = 0; k < N; k++) NEAR(d[i * N + k], k <= i ? want[i * N + k] : 0, 1e-14);
    camber_sparse_workspace_free(w), camber_sparse_free(h);
  }
  const double weights[N - 1] = {1, 10, 100, 1000};
  const void *more[4] = {p, &two, weights, NULL};
  camber_sparse *l = camber_sparse_lagrangian(t, &y, 1, &x, 1, &s0, 1);
  camber_sparse_workspace *w = camber_sparse_workspace_new(l);
  STATUS(camber_sparse_values(w, more, v), CAMBER_OK);
  dense(l, v, d, N);
  for (int i = 0; i < N - 1; i++) NEAR(d[i * N + i + 1], 4 * p[i + 1] * weights[i], 1e-15);
  camber_sparse_workspace_free(w), camber_sparse_free(l);
  camber_sparse *n = camber_sparse_normal(t, &y, 1, &x, 1, &s0, 1, 1);
  w = camber_sparse_workspace_new(n);
  STATUS(camber_sparse_values(w, more, v), CAMBER_OK);
  dense(n, v, d, N);
  NEAR(d[0], 8 * 8 * 1, 1e-15);
  NEAR(d[N], 8 * 8 * 1, 1e-15);
  NEAR(d[N + 1], 8 * 8 * 1 + 18 * 18 * 10, 1e-15);
  camber_sparse_workspace_free(w), camber_sparse_free(n);
  const int64_t row_sizes[2] = {2, 2}, column_sizes[2] = {3, 2};
  camber_sparse *b = camber_sparse_jacobian(t, &y, 1, &x, 1, &s0, 1);
  STATUS(camber_sparse_use_blocks(b, row_sizes, 2, column_sizes, 2), CAMBER_OK);
  w = camber_sparse_workspace_new(b);
  CHECK(w && camber_sparse_value_count(b) == 6 + 6 + 4);
  STATUS(camber_sparse_values(w, inputs, v), CAMBER_OK);
  CHECK(v[0] == 8 && v[1] == 8 && v[2] == 0 && v[3] == 0 && v[4] == 18 && v[5] == 24 && v[8] == 32 && v[12] == 48);
  camber_sparse_workspace_free(w), camber_sparse_free(b);

  /* alpha dF/dy + beta dF/dy' */
  camber_node rate = camber_input(t, CAMBER_F64, shape, 1), g = camber_add(t, camber_mul(t, x, rate), camber_square(t, rate));
  const double slopes[N] = {5, 4, 3, 2, 1}, alpha = 3, beta = 0.5;
  const void *pair[4] = {p, slopes, &alpha, &beta};
  for (int method = CAMBER_SPARSE_AUTO; method <= CAMBER_SPARSE_REVERSE; method++) {
    camber_sparse *c = camber_sparse_combination(t, &g, 1, &x, &rate, 1, NULL, 0);
    STATUS(camber_sparse_set(c, "method", method), CAMBER_OK);
    w = camber_sparse_workspace_new(c);
    STATUS(camber_sparse_values(w, pair, v), CAMBER_OK);
    CHECK(camber_sparse_value_count(c) == N);
    for (int i = 0; i < N; i++) NEAR(v[i], alpha * slopes[i] + beta * (p[i] + 2 * slopes[i]), 1e-15);
    camber_sparse_workspace_free(w), camber_sparse_free(c);
  }

  methods(x, p);

  /* What is wrong. */
  CHECK(camber_sparse_hessian(t, y, &x, 1, &s0, 1) == NULL && camber_tape_status(t) == CAMBER_ESHAPE && strstr(camber_tape_message(t), "not a scalar"));
  camber_tape_clear(t);
  CHECK(camber_sparse_jacobian(t, &y, 1, &low, 1, &s0, 1) == NULL && strstr(camber_tape_message(t), "not an input"));
  camber_tape_clear(t);
  CHECK(camber_sparse_jacobian(t, &y, 1, &x, 1, &x, 1) == NULL && strstr(camber_tape_message(t), "given twice"));
  camber_tape_clear(t);
  camber_sparse *j = camber_sparse_jacobian(t, &y, 1, &x, 1, &s0, 1);
  const int64_t rows[3] = {0, 9, 0}, columns[3] = {0, 0, 0};
  REFUSED(j, CAMBER_EINVAL, "entry 1 is (9, 0) of a matrix of 4 by 5", camber_sparse_use_pattern(j, rows, columns, 3));
  REFUSED(j, CAMBER_EINVAL, "no option is called colour", camber_sparse_set(j, "colour", 1));
  REFUSED(j, CAMBER_EINVAL, "triangle is of symmetric", camber_sparse_set(j, "triangle", 1));
  REFUSED(j, CAMBER_EINVAL, "whole number", camber_sparse_set(j, "threads", 0.5));
  REFUSED(j, CAMBER_EINVAL, "2 colors of 5 columns", camber_sparse_use_colors(j, NULL, 0, (int32_t[]){1, 2}, 2));
  REFUSED(j, CAMBER_EINVAL, "prepare before", camber_sparse_pattern(j, 0, 32, 0, v, v));
  STATUS(camber_sparse_use_colors(j, NULL, 0, (int32_t[]){1, 1, 2, 1, 2}, 5), CAMBER_OK);
  REFUSED(j, CAMBER_EINVAL, "clash: entry (0, 0)", camber_sparse_prepare(j));
  camber_sparse_free(j);
  STATUS(camber_sparse_set(NULL, "format", 0), CAMBER_EHANDLE);
  STATUS(camber_sparse_values(NULL, inputs, v), CAMBER_EHANDLE);
  char message[200];
  int32_t colors[3], count;
  STATUS(camber_color("column", 0, 2, 3, (int64_t[]){0, 0, 1, 1}, (int64_t[]){0, 1, 1, 2}, 4, NULL, colors, &count, message, sizeof message), CAMBER_OK);
  CHECK(count == 2 && colors[0] == colors[2] && colors[0] != colors[1]);
  STATUS(camber_color("star", 0, 2, 3, NULL, NULL, 0, NULL, colors, &count, message, sizeof message), CAMBER_ESHAPE);
  CHECK(strstr(message, "2 rows and 3 columns") != NULL);
  camber_tape_free(t);
  return check_done();
}
