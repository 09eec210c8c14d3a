/* A native engine's process: inputs from files, results to a file, timing on request. The protocol stands in harness.py. */
#ifndef BENCH_WORKER_HPP
#define BENCH_WORKER_HPP

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

using Doubles = std::vector<double>;

inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/* Keeps a value in memory: the compiler may not drop what computed it. */
template <class T>
void keep(const T &value) { asm volatile("" : : "g"(&value) : "memory"); }

[[noreturn]] inline void fail(const std::string &why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

/* The largest resident size of this process (getrusage would count what forked it). */
inline double peak_mb() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::atof(line.c_str() + 6) / 1024;
  return 0;
}

class Worker {
 public:
  Worker(int argc, char **argv) : folder_(argc > 1 ? argv[1] : "."), out_(argc > 2 ? argv[2] : "out") {
    std::ifstream in(folder_ + "/shapes.txt");
    for (std::string line, name; std::getline(in, line);) {
      std::istringstream fields(line);
      std::size_t rank = 0, n = 0;
      fields >> name >> rank;
      while (fields >> n) shapes_[name].push_back(n);
      shapes_[name].resize(rank);
    }
    start_ = now();
  }

  const std::string &folder() const { return folder_; }
  const std::vector<std::size_t> &shape(const std::string &name) const { return shapes_.at(name); }
  std::size_t dim(const std::string &name, std::size_t axis) const { return shape(name).at(axis); }

  Doubles read(const std::string &name) const {
    std::size_t n = 1;
    for (std::size_t d : shape(name)) n *= d;
    Doubles v(n);
    std::ifstream in(folder_ + "/" + name + ".f64", std::ios::binary);
    if (!in.read(reinterpret_cast<char *>(v.data()), static_cast<std::streamsize>(n * sizeof(double)))) fail("cannot read " + name);
    return v;
  }
  std::vector<float> read_floats(const std::string &name) const {
    Doubles v = read(name);
    return {v.begin(), v.end()};
  }
  double number(const std::string &name) const { return read(name).at(0); }

  /* `step` computes everything; `results` gives its numbers, asked for after the first step. */
  template <class Step, class Results>
  int serve(Step step, Results results) {
    step();
    double setup = now() - start_;
    {
      Doubles first = results();
      std::ofstream out(out_, std::ios::binary);
      out.write(reinterpret_cast<const char *>(first.data()), static_cast<std::streamsize>(first.size() * sizeof(double)));
    }
    std::printf("@{\"setup\": %.9g}\n", setup);
    std::fflush(stdout);
    for (std::string word; std::cin >> word && word == "run";) {
      double seconds = 0;
      std::cin >> seconds;
      measure(step, seconds);
    }
    return 0;
  }

 private:
  template <class Step>
  void measure(Step step, double seconds) {
    double begin = now();
    step();
    std::size_t count = 1;
    for (double took = now() - begin; took < 2e-3; count *= 2) {   /* calls a sample: 2 to 4 ms of them */
      begin = now();
      for (std::size_t i = 0; i < 2 * count; i++) step();
      took = now() - begin;
    }
    std::vector<double> times;
    double end = now() + seconds;
    do {
      begin = now();
      for (std::size_t i = 0; i < count; i++) step();
      times.push_back((now() - begin) / static_cast<double>(count));
    } while (now() < end || times.size() < 3);
    std::printf("@{\"times\": [");
    for (std::size_t i = 0; i < times.size(); i++) std::printf("%s%.6g", i ? ", " : "", times[i]);
    std::printf("], \"peak_mb\": %.1f}\n", peak_mb());
    std::fflush(stdout);
  }

  std::string folder_, out_;
  std::map<std::string, std::vector<std::size_t>> shapes_;
  double start_ = 0;
};

inline Doubles join(std::initializer_list<Doubles> parts) {
  Doubles out;
  for (const Doubles &p : parts) out.insert(out.end(), p.begin(), p.end());
  return out;
}

}  // namespace bench
#endif
