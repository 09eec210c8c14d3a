// ColPack's column colours of the Brusselator's pattern: colpack n.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ColPackHeaders.h"

int main(int, char **argv) {
  int n = atoi(argv[1]), m = 2 * n * n;
  auto at = [n](int i, int j, int k) { return (i + n) % n * n + (j + n) % n + n * n * k; };
  std::vector<std::vector<unsigned>> rows(m);
  std::vector<unsigned *> pointers(m);
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) {
        auto &r = rows[at(i, j, k)];
        r = {6u};
        const int near[6][3] = {{i, j, k}, {i + 1, j, k}, {i - 1, j, k}, {i, j + 1, k}, {i, j - 1, k}, {i, j, 1 - k}};
        for (auto &q : near) r.push_back(unsigned(at(q[0], q[1], q[2])));
        std::sort(r.begin() + 1, r.end());
        pointers[at(i, j, k)] = r.data();
      }
  const char *orders[] = {"NATURAL", "LARGEST_FIRST", "SMALLEST_LAST", "INCIDENCE_DEGREE"};
  int colors[4];
  auto t = std::chrono::steady_clock::now();
  for (int k = 0; k < 4; k++) {
    ColPack::BipartiteGraphPartialColoringInterface g(SRC_MEM_ADOLC, pointers.data(), m, m);
    g.PartialDistanceTwoColoring(orders[k], "COLUMN_PARTIAL_DISTANCE_TWO");
    colors[k] = g.GetVertexColorCount();
  }
  printf("{\"colors\": [%d, %d, %d, %d], \"ms\": %g}\n", colors[0], colors[1], colors[2], colors[3],
         1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count());
}
