/* Elimination, stages, local Jacobians and the planner from C; bad input. */
#include <camber_easy.h>
#include <math.h>

#include "check.h"

static camber_tape *t;

/* The blocks of a Jacobian of one output by one input, at a point. */
static void at(camber_node x, camber_node block, const double *p, double *out) {
  camber_program *program = camber_program_new(t, &x, 1, &block, 1);
  camber_workspace *w = camber_workspace_new(program);
  const void *in[1] = {p};
  void *results[1] = {out};
  STATUS(camber_run(program, w, in, results), CAMBER_OK);
  camber_workspace_free(w), camber_program_free(program);
}

static void tape_refuses(camber_status want, camber_status got, const char *word, int line) {
  check_that(got == want && strstr(camber_tape_message(t), word) != NULL, camber_tape_message(t), __FILE__, line);
  camber_tape_clear(t);
}
#define TAPE_REFUSES(want, word, call) tape_refuses(want, (call), word, __LINE__)

int main(void) {
  t = camber_tape_new();
  camber_node x = camber_easy_vector(t, CAMBER_F64, 4), y = camber_mul(t, camber_sin(t, x), camber_roll(t, x, 1, 0)), block, s = camber_easy_sum(t, camber_mul(t, y, x));
  const double p[4] = {0.5, 1, 1.5, 2};
  const void *point[1] = {p};
  double want[16], got[16], curved[16];
  STATUS(camber_jacobian(t, &y, 1, &x, 1, CAMBER_FORWARD, &block), CAMBER_OK);
  at(x, block, p, want);
  for (int mode = CAMBER_ELIMINATION; mode <= CAMBER_STAGEWISE; mode++) {
    STATUS(camber_jacobian(t, &y, 1, &x, 1, mode, &block), CAMBER_OK);
    at(x, block, p, got);
    for (int i = 0; i < 16; i++) NEAR(got[i], want[i], 1e-14);
  }
  static const char *const orders[] = {"best", "forward", "reverse", "markowitz", "relative_markowitz", "min_fill", "annealing", NULL};
  int64_t best[4] = {0, 0, 0, 0}, cost[4];
  STATUS(camber_elimination_cost(t, &y, 1, &x, 1, "best", 0, best), CAMBER_OK);
  CHECK(best[0] == 8 && best[1] == 12 && best[2] == 4);   /* four sines, four products of two; each product's factor by each sine's partial */
  for (int k = 0; k < 8; k++) {
    STATUS(camber_elimination(t, &y, 1, &x, 1, orders[k], &block), CAMBER_OK);
    at(x, block, p, got);
    for (int i = 0; i < 16; i++) NEAR(got[i], want[i], 1e-14);
    STATUS(camber_elimination_cost(t, &y, 1, &x, 1, orders[k], 0, cost), CAMBER_OK);
    CHECK(cost[0] == best[0] && cost[1] == best[1] && cost[2] >= best[2]);
  }
  TAPE_REFUSES(CAMBER_EINVAL, "none of best", camber_elimination(t, &y, 1, &x, 1, "random", &block));
  TAPE_REFUSES(CAMBER_EINVAL, "NULL", camber_elimination_cost(t, &y, 1, &x, 1, NULL, 0, NULL));
  TAPE_REFUSES(CAMBER_EINVAL, "stagewise", camber_jacobian(t, &y, 1, &x, 1, 5, &block));
  camber_node whole = camber_easy_vector(t, CAMBER_F64, 5000), many = camber_sin(t, whole);
  TAPE_REFUSES(CAMBER_EINVAL, "4096", camber_elimination(t, &many, 1, &whole, 1, NULL, &block));
  camber_node huge = camber_easy_vector(t, CAMBER_F64, INT64_C(1) << 32), free[2] = {y, huge}, blocks[2];
  TAPE_REFUSES(CAMBER_EINVAL, "4096", camber_elimination(t, free, 2, &x, 1, NULL, blocks));

  camber_node local;
  STATUS(camber_preaccumulate(t, &y, 1, &x, 1, &local), CAMBER_OK);
  for (int mode = CAMBER_FORWARD; mode <= CAMBER_REVERSE; mode++) {
    STATUS(camber_jacobian(t, &local, 1, &x, 1, mode, &block), CAMBER_OK);
    at(x, block, p, got);
    for (int i = 0; i < 16; i++) NEAR(got[i], want[i], 1e-14);
  }

  STATUS(camber_hessian(t, s, &x, 1, &block), CAMBER_OK);
  at(x, block, p, curved);
  static const char *const kinds[] = {"jacobian", "hessian", "sparse_jacobian", "sparse_hessian"};
  for (int k = 0; k < 4; k++) {
    int hessian = k % 2;
    camber_plan *plan = camber_plan_new(t, kinds[k], hessian ? &s : &y, 1, &x, 1, NULL, 0);
    CHECK(plan != NULL && camber_plan_method(plan)[0] == 0);
    if (k == 0) STATUS(camber_plan_set(plan, "taste", 0), CAMBER_OK);
    STATUS(camber_plan_run(plan, k == 0 ? NULL : point), CAMBER_OK);
    const char *method = camber_plan_method(plan), *name = NULL;
    CHECK(method[0] != 0 && strcmp(method, "finite_differences") != 0);
    CHECK(strstr(camber_plan_explain(plan, 0), method) != NULL && strstr(camber_plan_explain(plan, 1), "\"methods\": [") != NULL);
    size_t applies = 0;
    for (size_t i = 0; i < camber_plan_count(plan); i++) {
      double numbers[9];
      STATUS(camber_plan_entry(plan, i, &name, numbers), CAMBER_OK);
      if (numbers[0] == 0) continue;
      applies++;
      CHECK(numbers[1] > 0 && numbers[5] > 0 && numbers[6] > 0 && numbers[8] > 0 && numbers[8] < 1e-7);
      if (k >= 2 || strcmp(name, "finite_differences") == 0) continue;
      STATUS(camber_plan_blocks(t, kinds[k], name, hessian ? &s : &y, 1, &x, 1, &block), CAMBER_OK);
      at(x, block, p, got);
      for (int j = 0; j < 16; j++) NEAR(got[j], (hessian ? curved : want)[j], 1e-13);
    }
    CHECK(applies >= 4);
    STATUS(camber_plan_entry(plan, 99, &name, NULL), CAMBER_EINVAL);
    STATUS(camber_plan_set(plan, "speed", 1), CAMBER_EINVAL);
    STATUS(camber_plan_set(plan, "speed", 7), CAMBER_EINVAL), CHECK(strstr(camber_plan_message(plan), "no option is called speed") != NULL);
    CHECK(strstr(camber_plan_message(plan), "accurate, evaluations, rounding, taste") != NULL);
    STATUS(camber_plan_set(plan, NULL, 1), CAMBER_EINVAL);
    STATUS(camber_plan_set(plan, "taste", 0.5), CAMBER_EINVAL);
    STATUS(camber_plan_set(plan, "evaluations", -1), CAMBER_EINVAL);
    STATUS(camber_plan_set(plan, "evaluations", NAN), CAMBER_EINVAL);
    STATUS(camber_plan_set(plan, "evaluations", 1), CAMBER_OK);
    STATUS(camber_plan_run(plan, point), CAMBER_OK);
    STATUS(camber_plan_set(plan, "evaluations", 0), CAMBER_OK);
    STATUS(camber_plan_set(plan, "rounding", 1), CAMBER_OK);
    STATUS(camber_plan_run(plan, point), CAMBER_OK);
    const void *none[1] = {NULL};
    STATUS(camber_plan_run(plan, none), CAMBER_EINVAL);
    camber_plan_free(plan);
  }
  CHECK(camber_plan_new(t, "gradient", &y, 1, &x, 1, NULL, 0) == NULL);
  TAPE_REFUSES(CAMBER_EINVAL, "sparse_hessian", camber_tape_status(t));
  CHECK(camber_plan_new(t, "hessian", &y, 1, &x, 1, NULL, 0) == NULL);
  TAPE_REFUSES(CAMBER_ESHAPE, "scalar", camber_tape_status(t));
  CHECK(camber_plan_new(t, "jacobian", &y, 1, &s, 1, NULL, 0) == NULL);
  TAPE_REFUSES(CAMBER_EINVAL, "not an input", camber_tape_status(t));
  TAPE_REFUSES(CAMBER_EINVAL, "no method", camber_plan_blocks(t, "jacobian", "magic", &y, 1, &x, 1, &block));
  TAPE_REFUSES(CAMBER_EINVAL, "does not give", camber_plan_blocks(t, "jacobian", "accumulate", &y, 1, &x, 1, &block));
  STATUS(camber_plan_save(NULL), CAMBER_EINVAL);
  STATUS(camber_plan_load("/nowhere/at all"), CAMBER_EIO);
  STATUS(camber_plan_run(NULL, NULL), CAMBER_EHANDLE);
  /* A verdict is remembered, and the table made from the tape, which the plan keeps. */
  camber_plan_forget();
  camber_plan *first = camber_plan_new(t, "jacobian", &y, 1, &x, 1, NULL, 0);
  STATUS(camber_plan_run(first, point), CAMBER_OK);
  camber_plan *second = camber_plan_new(t, "jacobian", &y, 1, &x, 1, NULL, 0), *third = camber_plan_new(t, "jacobian", &y, 1, &x, 1, NULL, 0);
  STATUS(camber_plan_run(second, point), CAMBER_OK);
  CHECK(strcmp(camber_plan_method(first), camber_plan_method(second)) == 0);
  camber_tape_free(t);
  CHECK(strstr(camber_plan_explain(second, 1), "remembered") != NULL && camber_plan_count(second) == camber_plan_count(first));
  camber_plan_forget();
  STATUS(camber_plan_run(third, point), CAMBER_OK);
  CHECK(strstr(camber_plan_explain(third, 1), "remembered") == NULL);
  camber_plan_free(first), camber_plan_free(second), camber_plan_free(third);
  camber_plan_free(NULL);
  return check_done();
}
