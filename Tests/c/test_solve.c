/* Solvers from C: every method to known minima, data, dtypes, the journal; bad input; many solvers of one tape. */
#include <camber_easy.h>
#include <math.h>

#include "check.h"

static camber_tape *t;
static camber_node at(camber_node x, int i) { return camber_gather(t, x, camber_integer(t, CAMBER_I64, i), 0); }

static void refused(camber_solver *s, camber_status want, const char *word, int line) {
  check_that(s == NULL, "no solver", __FILE__, line);
  check_that(camber_tape_status(t) == want, "the status", __FILE__, line);
  check_that(strstr(camber_tape_message(t), word) != NULL, camber_tape_message(t), __FILE__, line);
  camber_tape_clear(t);
}
#define REFUSED(want, word, call) refused((call), (want), (word), __LINE__)

int main(void) {
  t = camber_tape_new();
  camber_node x = camber_easy_vector(t, CAMBER_F64, 2), scale = camber_input(t, CAMBER_F64, NULL, 0);
  camber_node r[2] = {camber_mul(t, scale, camber_sub(t, at(x, 1), camber_square(t, at(x, 0)))), camber_easy_add_number(t, camber_neg(t, at(x, 0)), 1)};
  camber_node value = camber_add(t, camber_square(t, r[0]), camber_square(t, r[1]));
  camber_easy_check(stderr, t);
  const char *methods[4] = {"lbfgs", "newton-cg", "levenberg-marquardt", "gauss-newton-cg"};
  const double ten = 10;
  const void *data[1] = {&ten}, *no_data[1] = {NULL};
  for (int i = 0; i < 4; i++) {
    camber_solver *s = i < 2 ? camber_minimize(t, value, &x, 1, &scale, 1, methods[i]) : camber_least_squares(t, r, 2, &x, 1, &scale, 1, methods[i]);
    if (!CHECK(s != NULL)) continue;
    CHECK(camber_solver_outcome(s) == -1 && isnan(camber_solver_value(s)) && camber_solver_iterations(s) == 0);
    for (int again = 0; again < 2; again++) {   /* compiled once, run from two points */
      double p[2] = {again ? 3 : -1.2, again ? -2 : 1};
      void *out[1] = {p};
      STATUS(camber_solver_run(s, data, out), CAMBER_OK);
      CHECK(camber_solver_outcome(s) == CAMBER_CONVERGED || camber_solver_outcome(s) == CAMBER_SMALL_STEP);
      NEAR(p[0], 1, 1e-6); NEAR(p[1], 1, 1e-6);
      CHECK(camber_solver_value(s) < 1e-12 && strstr(camber_solver_message(s), "converged") && strstr(camber_solver_message(s), methods[i]));
      size_t n = camber_solver_iterations(s), evaluations = 0, products = 0;
      double first = 0, last = 0, gradient = 0;
      STATUS(camber_solver_journal(s, 0, &first, NULL, NULL, NULL, NULL, NULL), CAMBER_OK);
      STATUS(camber_solver_journal(s, n, &last, &gradient, NULL, NULL, &evaluations, &products), CAMBER_OK);
      CHECK(n > 2 && last == camber_solver_value(s) && first > last && gradient < 1e-3 && evaluations >= n);
      CHECK(camber_solver_journal(s, n + 1, &last, NULL, NULL, NULL, NULL, NULL) == CAMBER_EINVAL);
      if (!again) NEAR(first, i < 2 ? 24.2 : 12.1, 1e-12);
    }
    double p[2] = {NAN, 1};
    void *out[1] = {p}, *none[1] = {NULL};
    CHECK(camber_solver_run(s, data, out) == CAMBER_NONFINITE && camber_solver_outcome(s) == CAMBER_UNDEFINED && isnan(p[0]) && p[1] == 1);
    CHECK(camber_solver_run(s, no_data, out) == CAMBER_EINVAL && strstr(camber_solver_message(s), "data 0 is NULL"));
    CHECK(camber_solver_run(s, NULL, out) == CAMBER_EINVAL && camber_solver_run(s, data, NULL) == CAMBER_EINVAL);
    CHECK(camber_solver_run(s, data, none) == CAMBER_EINVAL && strstr(camber_solver_message(s), "variable 0 is NULL"));
    STATUS(camber_solver_set(s, "steps", 1), CAMBER_OK);
    CHECK(camber_solver_set(s, "hurry", 1) == CAMBER_EINVAL && strstr(camber_solver_message(s), "gradient_tolerance"));
    CHECK(camber_solver_set(s, "steps", -1) == CAMBER_EINVAL && camber_solver_set(s, "steps", NAN) == CAMBER_EINVAL && camber_solver_set(s, NULL, 1) == CAMBER_EINVAL);
    p[0] = -1.2;
    CHECK(camber_solver_run(s, data, out) == CAMBER_OK && camber_solver_outcome(s) == CAMBER_OUT_OF_STEPS);
    camber_solver_free(s);
    CHECK(camber_solver_run(s, data, out) == CAMBER_EHANDLE && camber_solver_set(s, "steps", 1) == CAMBER_EHANDLE && camber_solver_outcome(s) == -1);
    camber_solver_free(s);
  }
  /* f32 variables, two arrays */
  camber_node a = camber_easy_vector(t, CAMBER_F32, 3), b = camber_input(t, CAMBER_F64, NULL, 0), both[2] = {a, b};
  camber_node bowl = camber_add(t, camber_easy_sum(t, camber_square(t, camber_easy_add_number(t, camber_cast(t, a, CAMBER_F64), -2))), camber_square(t, camber_easy_add_number(t, b, 5)));
  camber_solver *s = camber_minimize(t, bowl, both, 2, NULL, 0, "lbfgs");
  if (CHECK(s != NULL)) {
    float p[3] = {0, 1, 9};
    double q = 0;
    void *out[2] = {p, &q};
    STATUS(camber_solver_run(s, NULL, out), CAMBER_OK);
    CHECK(fabsf(p[0] - 2) < 1e-6f && fabsf(p[2] - 2) < 1e-6f);
    NEAR(q, -5, 1e-8);
  }
  camber_solver_free(s);
  camber_node whole = camber_input(t, CAMBER_I64, NULL, 0), wide = camber_square(t, x), lost = camber_input(t, CAMBER_F64, NULL, 0);
  REFUSED(CAMBER_EINVAL, "no method \"newton\"; there are lbfgs", camber_minimize(t, value, &x, 1, &scale, 1, "newton"));
  REFUSED(CAMBER_EINVAL, "levenberg-marquardt", camber_least_squares(t, r, 2, &x, 1, &scale, 1, "lbfgs"));
  REFUSED(CAMBER_EINVAL, "method's name is NULL", camber_minimize(t, value, &x, 1, &scale, 1, NULL));
  REFUSED(CAMBER_ESHAPE, "f64[2], not a scalar", camber_minimize(t, wide, &x, 1, NULL, 0, "lbfgs"));
  REFUSED(CAMBER_EDTYPE, "variable 0 is i64", camber_minimize(t, value, &whole, 1, NULL, 0, "lbfgs"));
  REFUSED(CAMBER_EDTYPE, "output 0 is i64", camber_minimize(t, whole, &x, 1, NULL, 0, "lbfgs"));
  REFUSED(CAMBER_EINVAL, "no variables", camber_minimize(t, value, NULL, 0, NULL, 0, "lbfgs"));
  REFUSED(CAMBER_EINVAL, "no residuals", camber_least_squares(t, NULL, 0, &x, 1, NULL, 0, "levenberg-marquardt"));
  REFUSED(CAMBER_EINVAL, "input", camber_minimize(t, camber_mul(t, value, lost), &x, 1, &scale, 1, "lbfgs"));   /* depends on what is not listed */
  camber_solver *none = camber_minimize(NULL, value, &x, 1, &scale, 1, "lbfgs");
  CHECK(none == NULL && camber_solver_message(none) != NULL && camber_solver_iterations(NULL) == 0);
  camber_solver_free(NULL);
  camber_tape_free(t);
  return check_done();
}
