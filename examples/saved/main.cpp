// Loads what main.py saved, a trained network with its derivatives, and runs it.
#include <camber.hpp>
#include <cstdio>

int main(int argc, char **argv) try {
  camber::Archive file(argc > 1 ? argv[1] : "saved.camber");
  std::printf("functions");
  for (const auto &name : file.functions()) std::printf(" %s", name.c_str());
  std::printf("\nabout %s\n", file.note("about").c_str());

  auto value = file.program("value"), slope = file.program("grad"), curvature = file.program("hessian");
  for (double x : {-0.5, 0.0, 0.75})
    std::printf("%.2f %a %a %a\n", x, value({{x}})[0][0], slope({{x}})[0][0], curvature({{x}})[0][0]);
} catch (const camber::error &e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
