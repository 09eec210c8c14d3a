/* Values of sparse matrices, read off what a program wrote. */
#include "ckernels.h"

#define READ(T)                                                                                             \
  {                                                                                                         \
    const T *b = buffer;                                                                                    \
    T *o = out;                                                                                             \
    size_t k = 0;                                                                                           \
    for (; k + 4 <= n; k += 4) {                                                                            \
      T p = b[index[k]], q = b[index[k + 1]], r = b[index[k + 2]], s = b[index[k + 3]];                     \
      o[k] = p;                                                                                             \
      o[k + 1] = q;                                                                                         \
      o[k + 2] = r;                                                                                         \
      o[k + 3] = s;                                                                                         \
    }                                                                                                       \
    for (; k < n; k++) o[k] = b[index[k]];                                                                  \
  }

void ck_sparse_read(size_t size, const void *buffer, const int32_t *index, void *out, size_t n) {
  if (size == 8) READ(double) else READ(float)
}

#define ADD(T)                                                                                              \
  {                                                                                                         \
    const T *b = buffer;                                                                                    \
    T *o = out;                                                                                             \
    for (size_t k = 0; k < n; k++) o[pairs[2 * k]] += b[pairs[2 * k + 1]];                                  \
  }

void ck_sparse_add(size_t size, const void *buffer, const int32_t *pairs, void *out, size_t n) {
  if (size == 8) ADD(double) else ADD(float)
}

#define SUBSTITUTE(T)                                                                                       \
  {                                                                                                         \
    T *b = buffer, *s = sums;                                                                               \
    for (size_t k = 0; k < n; k++) {                                                                        \
      const int32_t *x = steps + 4 * k;                                                                     \
      T v = b[x[0]] - s[x[1]];                                                                              \
      s[x[1]] = 0;                                                                                          \
      s[x[2]] = x[3] ? 0 : s[x[2]] + v;                                                                     \
      b[first + k] = v;                                                                                     \
    }                                                                                                       \
  }

void ck_sparse_substitute(size_t size, void *buffer, size_t first, const int32_t *steps, void *sums, size_t n) {
  if (size == 8) SUBSTITUTE(double) else SUBSTITUTE(float)
}

#define NORMAL(T)                                                                                           \
  {                                                                                                         \
    const T *j = values, *w = weights;                                                                      \
    T *o = out;                                                                                             \
    for (size_t k = 0; k < entries; k++) {                                                                  \
      T sum = 0;                                                                                            \
      for (int64_t t = starts[k]; t < starts[k + 1]; t++) {                                                 \
        const int32_t *x = triples + 3 * t;                                                                 \
        T p = j[x[0]] * j[x[1]];                                                                            \
        sum += w ? w[x[2]] * p : p;                                                                         \
      }                                                                                                     \
      o[k] = sum;                                                                                           \
    }                                                                                                       \
  }

void ck_sparse_normal(size_t size, const void *values, const void *weights, const int64_t *starts, const int32_t *triples, void *out, size_t entries) {
  if (size == 8) NORMAL(double) else NORMAL(float)
}
