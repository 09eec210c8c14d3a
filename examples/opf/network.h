/* A power grid read from a MATPOWER case, and its AC optimal power flow as a tape, in polar voltages with flows as variables (the formulation
 * of PGLib-OPF's baselines). Variables, in this order: angles and magnitudes of the voltages at N buses, active and reactive power of G
 * generators, active and reactive flows at the 2 L ends of L branches (all "from" ends, then all "to" ends). In per unit and radians. */
#ifndef OPF_NETWORK_H
#define OPF_NETWORK_H

#include <camber_easy.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 21 };
typedef struct { size_t count; double (*row)[COLUMNS]; } table;
typedef struct { double base; table bus, gen, cost, branch; } network;

static inline void *room(size_t count, size_t size) {
  void *p = calloc(count ? count : 1, size);
  if (p == NULL) {
    fprintf(stderr, "out of memory\n");
    exit(2);
  }
  return p;
}

/* Rows of numbers up to "];". */
static inline int read_table(FILE *f, table *t) {
  char line[1024], *at, *end;
  size_t space = 0;
  while (fgets(line, sizeof line, f) != NULL) {
    if (strchr(line, ']') != NULL) return 1;
    if (t->count == space) {
      double (*more)[COLUMNS] = (double (*)[COLUMNS])realloc(t->row, (space = 2 * space + 16) * sizeof *more);
      if (more == NULL) return 0;
      t->row = more;
    }
    int k = 0;
    for (at = line; k < COLUMNS; at = end, k++) {
      double v = strtod(at, &end);
      if (end == at) break;
      t->row[t->count][k] = v;
    }
    for (int z = k; z < COLUMNS; z++) t->row[t->count][z] = 0;
    if (k > 0) t->count++;
  }
  return 0;
}

static inline int number_of(const table *bus, double name) {
  for (size_t i = 0; i < bus->count; i++)
    if (bus->row[i][0] == name) return (int)i;
  return -1;
}

static inline void network_free(network *n) { free(n->bus.row), free(n->gen.row), free(n->cost.row), free(n->branch.row); }

/* 0, or what is wrong. What is out of service is left out; buses get numbers from 0. */
static inline const char *network_read(network *n, const char *path) {
  char line[1024];
  FILE *f = fopen(path, "r");
  memset(n, 0, sizeof *n);
  if (f == NULL) return "cannot be opened";
  while (fgets(line, sizeof line, f) != NULL) {
    table *t = strstr(line, "mpc.bus = [") ? &n->bus : strstr(line, "mpc.gen = [") ? &n->gen : strstr(line, "mpc.gencost = [") ? &n->cost : strstr(line, "mpc.branch = [") ? &n->branch : NULL;
    if (strncmp(line, "mpc.baseMVA = ", 14) == 0) n->base = strtod(line + 14, NULL);
    if (t != NULL && !read_table(f, t)) {
      fclose(f);
      return "ends in the middle of a table";
    }
  }
  fclose(f);
  if (!(n->base > 0) || n->bus.count == 0 || n->gen.count == 0 || n->branch.count == 0 || n->cost.count != n->gen.count) return "lacks a table, or has other costs than generators";
  size_t g = 0, b = 0;
  for (size_t i = 0; i < n->gen.count; i++) {
    if (n->cost.row[i][0] != 2 || n->cost.row[i][3] != 3) return "has costs that are not quadratic";
    if (n->gen.row[i][7] <= 0) continue;
    memmove(n->gen.row[g], n->gen.row[i], sizeof n->gen.row[g]), memmove(n->cost.row[g], n->cost.row[i], sizeof n->cost.row[g]);
    if ((n->gen.row[g][0] = number_of(&n->bus, n->gen.row[g][0])) < 0) return "has a generator at no bus";
    g++;
  }
  for (size_t i = 0; i < n->branch.count; i++) {
    if (n->branch.row[i][10] <= 0) continue;
    memmove(n->branch.row[b], n->branch.row[i], sizeof n->branch.row[b]);
    for (int end = 0; end < 2; end++)
      if ((n->branch.row[b][end] = number_of(&n->bus, n->branch.row[b][end])) < 0) return "has a branch to no bus";
    b++;
  }
  n->gen.count = n->cost.count = g, n->branch.count = b;
  return NULL;
}

static inline void repeat(table *t, size_t times, size_t buses, int ends) {
  size_t count = t->count;
  double (*row)[COLUMNS] = (double (*)[COLUMNS])room(count * times, sizeof *row);
  for (size_t k = 0; k < times; k++) {
    for (size_t i = 0; i < count; i++) {
      memcpy(row[k * count + i], t->row[i], sizeof *row);
      for (int e = 0; e < ends; e++) row[k * count + i][e] += (double)(k * buses);
    }
  }
  free(t->row);
  t->row = row, t->count = count * times;
}
/* As many grids side by side. */
static inline void network_tile(network *n, size_t times) {
  size_t buses = n->bus.count;
  repeat(&n->bus, times, 0, 0), repeat(&n->gen, times, buses, 1), repeat(&n->cost, times, 0, 0), repeat(&n->branch, times, buses, 2);
}

/* The problem on a tape, with its bounds and a start. */
typedef struct {
  size_t variables, constraints;
  camber_tape *tape;
  camber_node x, cost, rows;
  double *low, *high, *row_low, *row_high, *start;
} problem;

static inline void problem_free(problem *p) {
  camber_tape_free(p->tape);
  free(p->low), free(p->high), free(p->row_low), free(p->row_high), free(p->start);
}

/* A constant vector: scale times a column of a table. */
static inline camber_node column(camber_tape *t, const table *from, int k, double scale) {
  double *v = (double *)room(from->count, sizeof *v);
  int64_t shape[1] = {(int64_t)from->count};
  for (size_t i = 0; i < from->count; i++) v[i] = scale * from->row[i][k];
  camber_node n = camber_array(t, CAMBER_F64, shape, 1, v);
  free(v);
  return n;
}
static inline camber_node places(camber_tape *t, const table *from, int k) {
  int64_t *v = (int64_t *)room(from->count, sizeof *v), shape[1] = {(int64_t)from->count};
  for (size_t i = 0; i < from->count; i++) v[i] = (int64_t)from->row[i][k];
  camber_node n = camber_array(t, CAMBER_I64, shape, 1, v);
  free(v);
  return n;
}
static inline camber_node piece(camber_tape *t, camber_node x, size_t start, size_t count) {
  int64_t from[1] = {(int64_t)start}, to[1] = {(int64_t)(start + count)}, by[1] = {1};
  return camber_slice(t, x, from, to, by, 1);
}

static inline void problem_make(problem *p, const network *n) {
  const double degree = 3.14159265358979323846 / 180;
  size_t N = n->bus.count, G = n->gen.count, L = n->branch.count, references = 0;
  for (size_t i = 0; i < N; i++) references += n->bus.row[i][1] == 3;
  p->variables = 2 * N + 2 * G + 4 * L, p->constraints = references + 2 * N + 7 * L;
  camber_tape *t = p->tape = camber_tape_new();
  camber_node x = p->x = camber_easy_vector(t, CAMBER_F64, (int64_t)p->variables);
  camber_node angle = piece(t, x, 0, N), volt = piece(t, x, N, N), pg = piece(t, x, 2 * N, G), qg = piece(t, x, 2 * N + G, G);
  size_t flows = 2 * N + 2 * G;
  camber_node pf = piece(t, x, flows, L), pt = piece(t, x, flows + L, L), qf = piece(t, x, flows + 2 * L, L), qt = piece(t, x, flows + 3 * L, L);

  p->cost = camber_easy_sum(t, camber_add(t, camber_mul(t, camber_add(t, camber_mul(t, column(t, &n->cost, 4, n->base * n->base), pg), column(t, &n->cost, 5, n->base)), pg),
                                          column(t, &n->cost, 6, 1)));

  /* A branch: series admittance g + j b, charging, transformer. */
  table model = {L, (double (*)[COLUMNS])room(L, sizeof *model.row)};
  for (size_t i = 0; i < L; i++) {
    const double *row = n->branch.row[i];
    double z = row[2] * row[2] + row[3] * row[3], g = row[2] / z, b = -row[3] / z, half = row[4] / 2, tap = row[8] == 0 ? 1 : row[8];
    double tr = tap * cos(row[9] * degree), ti = tap * sin(row[9] * degree), square = tap * tap;
    double made[] = {g / square, (b + half) / square, (-g * tr + b * ti) / square, (-b * tr - g * ti) / square, g, b + half, (-g * tr - b * ti) / square, (-b * tr + g * ti) / square};
    memcpy(model.row[i], made, sizeof made);
  }
  camber_node from = places(t, &n->branch, 0), to = places(t, &n->branch, 1);
  camber_node vf = camber_gather(t, volt, from, 0), vt = camber_gather(t, volt, to, 0);
  camber_node across = camber_sub(t, camber_gather(t, angle, from, 0), camber_gather(t, angle, to, 0));
  camber_node both = camber_mul(t, vf, vt), c = camber_mul(t, both, camber_cos(t, across)), s = camber_mul(t, both, camber_sin(t, across));
  camber_node m[8];
  for (int k = 0; k < 8; k++) m[k] = column(t, &model, k, 1);
  free(model.row);
  camber_node ff = camber_square(t, vf), tt = camber_square(t, vt);
#define TIMES(a, b) camber_mul(t, a, b)
#define MINUS(a, b) camber_sub(t, a, b)
  camber_node flow[4];
  flow[0] = MINUS(MINUS(MINUS(pf, TIMES(m[0], ff)), TIMES(m[2], c)), TIMES(m[3], s));
  flow[1] = camber_add(t, MINUS(MINUS(pt, TIMES(m[4], tt)), TIMES(m[6], c)), TIMES(m[7], s));
  flow[2] = MINUS(camber_add(t, camber_add(t, qf, TIMES(m[1], ff)), TIMES(m[3], c)), TIMES(m[2], s));
  flow[3] = camber_add(t, camber_add(t, camber_add(t, qt, TIMES(m[5], tt)), TIMES(m[7], c)), TIMES(m[6], s));

  /* Power at the buses: what is generated less what flows off, is drawn and is lost in shunts. */
  camber_node at = places(t, &n->gen, 0), square = camber_square(t, volt), balance[2];
  for (int k = 0; k < 2; k++) {
    camber_node made = camber_segment_sum(t, k == 0 ? pg : qg, at, (int64_t)N);
    camber_node off = camber_add(t, camber_segment_sum(t, k == 0 ? pf : qf, from, (int64_t)N), camber_segment_sum(t, k == 0 ? pt : qt, to, (int64_t)N));
    camber_node shunt = TIMES(column(t, &n->bus, 4 + k, (k == 0 ? 1 : -1) / n->base), square);
    balance[k] = MINUS(MINUS(MINUS(made, off), column(t, &n->bus, 2 + k, 1 / n->base)), shunt);
  }
  table slack = {references, (double (*)[COLUMNS])room(references, sizeof *slack.row)};
  for (size_t i = 0, k = 0; i < N; i++)
    if (n->bus.row[i][1] == 3) slack.row[k++][0] = (double)i;
  camber_node all[] = {camber_gather(t, angle, places(t, &slack, 0), 0), balance[0], balance[1], flow[0], flow[1], flow[2], flow[3],
                       camber_add(t, camber_square(t, pf), camber_square(t, qf)), camber_add(t, camber_square(t, pt), camber_square(t, qt)), across};
  free(slack.row);
  p->rows = camber_concat(t, all, sizeof all / sizeof *all, 0);

  p->low = (double *)room(p->variables, sizeof(double)), p->high = (double *)room(p->variables, sizeof(double)), p->start = (double *)room(p->variables, sizeof(double));
  p->row_low = (double *)room(p->constraints, sizeof(double)), p->row_high = (double *)room(p->constraints, sizeof(double));
  for (size_t i = 0; i < N; i++) {
    p->low[i] = -1e19, p->high[i] = 1e19;
    p->low[N + i] = n->bus.row[i][12], p->high[N + i] = n->bus.row[i][11], p->start[N + i] = 1;
  }
  for (size_t i = 0; i < G; i++) {
    const double *row = n->gen.row[i];
    p->low[2 * N + i] = row[9] / n->base, p->high[2 * N + i] = row[8] / n->base;
    p->low[2 * N + G + i] = row[4] / n->base, p->high[2 * N + G + i] = row[3] / n->base;
  }
  size_t first = references + 2 * N + 4 * L;
  for (size_t i = 0; i < L; i++) {
    double rate = n->branch.row[i][5] > 0 ? n->branch.row[i][5] / n->base : 1e9;
    for (size_t k = 0; k < 4; k++) p->low[flows + k * L + i] = -rate, p->high[flows + k * L + i] = rate;
    for (size_t k = 0; k < 2; k++) p->row_low[first + k * L + i] = -1e19, p->row_high[first + k * L + i] = rate * rate;
    p->row_low[first + 2 * L + i] = n->branch.row[i][11] * degree, p->row_high[first + 2 * L + i] = n->branch.row[i][12] * degree;
  }
}

#endif
