/* camber_easy.h: every function of it. */
#include <camber_easy.h>

#include "check.h"

static camber_tape *t;

static double value(camber_node y) {   /* of a scalar without inputs, in any dtype */
  double out = NAN;
  void *to[1] = {&out};
  y = camber_easy_cast(t, y, CAMBER_F64);
  camber_easy_evaluate(t, NULL, 0, &y, 1, NULL, to, stderr);
  return out;
}
static double total(camber_node y) { return value(camber_easy_sum(t, camber_easy_cast(t, y, CAMBER_F64))); }

int main(void) {
  t = camber_tape_new();
  int64_t two[2] = {2, 3}, three[1] = {3}, column[2] = {2, 1};
  double a[6] = {1, 2, 3, 4, 5, 6}, b[3] = {10, 20, 30}, c[2] = {1, -1};
  camber_node x = camber_array(t, CAMBER_F64, two, 2, a), row = camber_array(t, CAMBER_F64, three, 1, b), col = camber_array(t, CAMBER_F64, column, 2, c);
  camber_node f = camber_constant(t, CAMBER_F32, 0.5), i = camber_integer(t, CAMBER_I64, 3), j = camber_integer(t, CAMBER_I32, 4), m = camber_constant(t, CAMBER_BOOL, 1), h = camber_constant(t, CAMBER_F16, 1), bf = camber_constant(t, CAMBER_BF16, 1);

  const camber_dtype all[7] = {CAMBER_F64, CAMBER_F32, CAMBER_F16, CAMBER_BF16, CAMBER_I64, CAMBER_I32, CAMBER_BOOL};
  for (int p = 0; p < 7; p++)
    for (int q = 0; q < 7; q++) {
      CHECK(camber_easy_promote(all[p], all[q]) == camber_easy_promote(all[q], all[p]));
      CHECK(p != q || camber_easy_promote(all[p], all[q]) == all[p]);
    }
  CHECK(camber_easy_promote(CAMBER_F16, CAMBER_BF16) == CAMBER_F32 && camber_easy_promote(CAMBER_I64, CAMBER_F32) == CAMBER_F64 && camber_easy_promote(CAMBER_I32, CAMBER_BOOL) == CAMBER_I32);
  CHECK(camber_easy_elements(t, x) == 6 && camber_easy_elements(t, f) == 1 && camber_easy_elements(t, CAMBER_NONE) == -1);

  NEAR(total(camber_easy_add(t, x, row)), 141, 0); NEAR(total(camber_easy_mul(t, col, x)), -9, 0); NEAR(total(camber_easy_mul(t, col, row)), 0, 0);
  CHECK(camber_node_rank(t, camber_easy_mul(t, col, row)) == 2 && camber_node_dim(t, camber_easy_mul(t, col, row), 1) == 3);
  NEAR(total(camber_easy_sub(t, i, x)), -3, 0); CHECK(camber_node_dtype(t, camber_easy_add(t, i, j)) == CAMBER_I64);
  NEAR(value(camber_easy_div(t, i, j)), 0.75, 0); NEAR(value(camber_easy_sqrt(t, camber_easy_add(t, i, m))), 2, 0); CHECK(camber_node_dtype(t, camber_easy_sqrt(t, f)) == CAMBER_F32);
  CHECK(camber_node_dtype(t, camber_easy_add(t, h, bf)) == CAMBER_F32 && camber_node_dtype(t, camber_easy_lt(t, f, i)) == CAMBER_BOOL);
  NEAR(total(camber_easy_select(t, camber_easy_gt(t, x, i), x, i)), 24, 0); NEAR(value(camber_easy_logical_and(t, i, m)), 1, 0); NEAR(value(camber_easy_gate(t, m, i, f)), 1.5, 0);
  NEAR(total(camber_easy_clamp(t, x, i, camber_integer(t, CAMBER_I64, 5))), 3 + 3 + 3 + 4 + 5 + 5, 0);
  NEAR(total(camber_easy_add_number(t, x, 1)), 27, 0); NEAR(total(camber_easy_mul_number(t, x, 0.5)), 10.5, 0); NEAR(total(camber_easy_pow_number(t, x, 2)), 91, 1e-15);
  NEAR(value(camber_easy_mean(t, x)), 3.5, 0); NEAR(value(camber_easy_norm(t, x)), sqrt(91), 1e-15);
  NEAR(total(camber_easy_square(t, camber_easy_sum_axis(t, x, -1))), 36 + 225, 0); NEAR(total(camber_easy_mean_axis(t, x, 0)), 10.5, 1e-15);
  NEAR(value(camber_easy_number(t, f, 0.1)), (double)0.1f, 0); CHECK(camber_easy_cast(t, x, CAMBER_F64) == x);

  CHECK(camber_easy_add(t, x, camber_array(t, CAMBER_F64, column, 1, c)) == CAMBER_NONE);   /* [2, 3] and [2] */
  CHECK(strstr(camber_tape_message(t), "[2, 3]") && strstr(camber_tape_message(t), "[2]"));
  CHECK(camber_easy_check(NULL, t) < 0);
  camber_tape_clear(t);
  CHECK(camber_easy_add(t, CAMBER_NONE, x) == CAMBER_NONE && camber_tape_status(t) == CAMBER_ENODE);
  camber_tape_clear(t);
  CHECK(camber_easy_report(NULL, CAMBER_EIO, NULL) == CAMBER_EIO && camber_easy_report(stderr, CAMBER_OK, NULL) == CAMBER_OK);

  camber_node in[4] = {camber_easy_matrix(t, CAMBER_F64, 2, 3), camber_easy_vector(t, CAMBER_F64, 3)}, xs = x;
  camber_node logits = camber_easy_dense(t, camber_matmul(t, xs, camber_transpose(t, xs, NULL, 2)), in[0], in[1]);
  int64_t label[1] = {2}, classes[2] = {2, 1}, ids[2] = {2, 0};
  (void)classes;
  camber_node labels = camber_array(t, CAMBER_I64, label, 1, ids);
  double w[6] = {0}, bias[3] = {0}, loss, gw[6], gb[3];
  const void *at[2] = {w, bias};
  void *gradients[2] = {gw, gb};
  STATUS(camber_easy_gradient(t, camber_easy_cross_entropy(t, logits, labels), in, 2, at, &loss, gradients, stderr), CAMBER_OK);
  NEAR(loss, log(3), 1e-15); NEAR(gb[0], 1 / 3.0 - 0.5, 1e-15); NEAR(gb[1], 1 / 3.0, 1e-15); NEAR(gb[2], 1 / 3.0 - 0.5, 1e-15);
  STATUS(camber_easy_gradient(t, camber_easy_mean_squared_error(t, in[1], row), in + 1, 1, at + 1, &loss, gradients + 1, stderr), CAMBER_OK);
  NEAR(loss, 1400 / 3.0, 1e-15); NEAR(gb[2], -20, 1e-15);
  CHECK(camber_easy_gradient(t, logits, in, 2, at, &loss, gradients, NULL) == CAMBER_ESHAPE);   /* not a scalar */
  camber_tape_clear(t);
  CHECK(camber_easy_gradient(t, in[1], in, 65, at, &loss, gradients, NULL) == CAMBER_EINVAL && camber_easy_gradient(t, in[1], in, 1, at, NULL, NULL, NULL) == CAMBER_EINVAL);
  CHECK(camber_easy_evaluate(NULL, NULL, 0, NULL, 0, NULL, NULL, NULL) < 0);
  camber_tape_free(t);
  return check_done();
}
