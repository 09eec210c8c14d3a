/* A ball that falls through air and bounces: a while loop whose steps adapt to their error, a cond for the ground, and derivatives of where it ends.
 *   cc main.c $(pkg-config --cflags --libs camber) && ./a.out */
#include <camber_easy.h>
#include <stdio.h>

static camber_node scalar(camber_tape *t) { return camber_input(t, CAMBER_F64, NULL, 0); }
static camber_node number(camber_tape *t, double x) { return camber_constant(t, CAMBER_F64, x); }
static camber_node fall(camber_tape *t, camber_node v, camber_node drag) {
  return camber_sub(t, number(t, -9.81), camber_mul(t, drag, camber_mul(t, v, camber_abs(t, v))));
}

int main(void) {
  camber_tape *t = camber_tape_new(), *body = camber_tape_sub(t);
  camber_node height = scalar(t), bounce = scalar(t), drag = scalar(t), in[3] = {height, bounce, drag};

  /* One step: Euler's and Heun's. */
  camber_node carry[5] = {camber_input(body, CAMBER_I64, NULL, 0), scalar(body), scalar(body), scalar(body), scalar(body)}, next[5];
  camber_node time = carry[1], dt = carry[2], h = carry[3], v = carry[4];
  camber_node v1 = camber_add(body, v, camber_mul(body, dt, fall(body, v, drag)));
  camber_node half = camber_mul(body, dt, number(body, 0.5));
  camber_node v2 = camber_add(body, v, camber_mul(body, half, camber_add(body, fall(body, v, drag), fall(body, v1, drag))));
  camber_node h2 = camber_add(body, h, camber_mul(body, half, camber_add(body, v, v2)));

  /* Accepted, it may have passed the ground; refused, it is tried again at half its length. */
  camber_tape *accepted = camber_tape_sub(body), *refused = camber_tape_sub(body);
  camber_tape *below = camber_tape_sub(accepted), *above = camber_tape_sub(accepted);
  camber_node turned[2] = {camber_neg(below, camber_mul(below, bounce, h2)), camber_neg(below, camber_mul(below, bounce, v2))}, passed[2] = {h2, v2};
  camber_node yes[4] = {camber_add(accepted, time, dt), camber_mul(accepted, dt, number(accepted, 1.1))};
  camber_node no[4] = {time, camber_mul(refused, dt, number(refused, 0.5)), h, v};
  camber_cond(accepted, camber_lt(accepted, h2, number(accepted, 0)), below, turned, above, passed, 2, &yes[2]);
  camber_node good = camber_lt(body, camber_abs(body, camber_sub(body, v2, v1)), number(body, 1e-3));
  camber_cond(body, good, accepted, yes, refused, no, 4, &next[1]);
  next[0] = camber_add(body, carry[0], camber_integer(body, CAMBER_I64, 1));

  camber_node start[5] = {camber_integer(t, CAMBER_I64, 0), number(t, 0), number(t, 0.1), height, number(t, 0)}, end[5], out[5];
  camber_while(t, body, carry, camber_lt(body, time, number(body, 2)), next, 5, start, -1, 16, end);
  out[0] = end[3], out[1] = end[0];
  camber_grad(t, end[3], in, 3, &out[2]);

  double at[3] = {1, 0.8, 0.05}, where, g[3];
  int64_t steps;
  const void *inputs[3] = {&at[0], &at[1], &at[2]};
  void *outputs[5] = {&where, &steps, &g[0], &g[1], &g[2]};
  if (camber_easy_evaluate(t, in, 3, out, 5, inputs, outputs, stderr)) return 1;
  printf("after 2 s: %.8f m, %lld steps\nby height, bounce, drag: %.8f %.8f %.8f\n", where, (long long)steps, g[0], g[1], g[2]);
  camber_tape_free(below), camber_tape_free(above), camber_tape_free(accepted), camber_tape_free(refused), camber_tape_free(body), camber_tape_free(t);
  return 0;
}
