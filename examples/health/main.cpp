// How far a number is to be trusted: the rounding error of a value, the origin of a NaN, an expression rewritten so that it keeps its digits, and a report of
// all three. main.c, main.py and main.swift are the same program.
//
//   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs camber) -o health && ./health
#include <camber.hpp>
#include <cstdio>

using camber::Node;

int main(int argc, char **argv) {
  try {
    camber::Tape tape;
    camber::Report report("health");

    // (1 - cos x) / x^2 is nearly 1/2 at a small x; as it stands, most of its digits are lost.
    Node x = tape.input(camber::f64), drop = 1 - cos(x), y = drop / square(x);
    label(drop, "drop");
    const double at = 1e-7;
    camber::Rounding rounding({y}, {x});
    rounding.run({&at}), rounding.at(0, 0);
    std::printf("value %.6f, at most %.3g off, %.0f bits lost; without rounding %.6f\n", rounding.figure("value"), rounding.figure("bound"), rounding.figure("bits_lost"),
                rounding.figure("corrected"));
    std::printf("lost by: %s\n", rounding.contributions().at(0).op.c_str());
    report.add(rounding);

    // The same expression, rewritten where this point says that it pays.
    camber::Stabilizer stabilizer({x}, {y});
    stabilizer.sample({&at});
    const Node stable = stabilizer.run().at(0);
    const auto rule = stabilizer.journal().at(0);
    std::printf("rule %d %s: %.0f bits lost before, %.0f after\n", static_cast<int>(rule.rule), rule.made ? "made" : "left", rule.before, rule.after);
    camber::Program program({x}, {stable});
    camber::Workspace space(program);
    double value = 0;
    program.run(space, {&at}, {&value});
    std::printf("rewritten: %.6f\n", value);
    report.add(stabilizer);

    // Entropy of (1, 0): 0 log 0 is a NaN. Where was it born?
    Node p = tape.input(camber::f64, {2}), logs = log(p), entropy = sum(p * logs);
    label(logs, "entropy");
    const double shares[2] = {1, 0};
    camber::Nonfinite births({p}, {entropy});
    births.run({shares});
    const auto all = births.births();
    const auto &behind = all.at(static_cast<std::size_t>(all[0].behind));
    std::printf("%d found: %s in %s, behind it %s at element %d of %s\n", static_cast<int>(births.count()), all[0].kind.c_str(), all[0].op.c_str(), behind.kind.c_str(),
                static_cast<int>(behind.element), behind.label.c_str());
    report.add(births);

    const std::string page = report.render("html");
    int sections = 0;
    for (std::size_t i = page.find("<section"); i != std::string::npos; i = page.find("<section", i + 1)) sections++;
    std::printf("report: %d sections\n", sections);
    if (argc > 1) report.save(argv[1], "html");
  } catch (const std::exception &e) {
    std::fprintf(stderr, "health: %s\n", e.what());
    return 1;
  }
}
