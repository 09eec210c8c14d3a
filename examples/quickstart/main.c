/* f(x) = sum(sin x) exp(-sum x^2): value, gradient, products and Hessian in one program.
 *   cc main.c $(pkg-config --cflags --libs camber) && ./a.out */
#include <camber_easy.h>
#include <stdio.h>

static void print(const char *name, const double *v, int n) {
  printf("%s", name);
  for (int i = 0; i < n; i++) printf(" %.10f", v[i]);
  printf("\n");
}

int main(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_easy_vector(t, CAMBER_F64, 3), v = camber_easy_vector(t, CAMBER_F64, 3), in[2] = {x, v}, out[5];
  out[0] = camber_mul(t, camber_easy_sum(t, camber_sin(t, x)),
                      camber_exp(t, camber_neg(t, camber_easy_sum(t, camber_square(t, x)))));
  camber_grad(t, out[0], &x, 1, &out[1]);
  camber_jvp(t, &out[0], 1, &x, &v, 1, &out[2]);
  camber_hvp(t, out[0], &x, &v, 1, &out[3]);
  camber_hessian(t, out[0], &x, 1, &out[4]);

  double at[3] = {0.1, 0.2, 0.3}, along[3] = {1, -1, 2}, value, gradient[3], slope, product[3], hessian[9];
  const void *inputs[2] = {at, along};
  void *outputs[5] = {&value, gradient, &slope, product, hessian};
  if (camber_easy_evaluate(t, in, 2, out, 5, inputs, outputs, stderr)) return 1;

  print("value", &value, 1);
  print("gradient", gradient, 3);
  print("jvp", &slope, 1);
  print("hvp", product, 3);
  print("hessian", hessian, 9);
  camber_tape_free(t);
  return 0;
}
