// f(x) = sum(sin x) exp(-sum x^2): value, gradient, products and Hessian in one program.
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) && ./a.out
#include <camber.hpp>
#include <cstdio>

int main() {
  camber::Tape tape;
  auto x = tape.input(camber::f64, {3}), v = tape.input(camber::f64, {3});
  auto y = sum(sin(x)) * exp(-sum(square(x)));
  camber::Program f({x, v}, {y, grad(y, x), jvp(y, x, v), hvp(y, x, v), hessian(y, x)});

  const char *names[] = {"value", "gradient", "jvp", "hvp", "hessian"};
  auto results = f({{0.1, 0.2, 0.3}, {1, -1, 2}});
  for (std::size_t i = 0; i < results.size(); i++) {
    std::printf("%s", names[i]);
    for (double r : results[i]) std::printf(" %.10f", r);
    std::printf("\n");
  }
}
