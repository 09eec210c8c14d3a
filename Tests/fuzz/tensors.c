/* libFuzzer target over saved arrays: any bytes as a safetensors file. What opens is read to its last byte, saved and opened again. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOLDS(condition) ((condition) ? (void)0 : (fprintf(stderr, "tensors.c:%d: does not hold: %s\n", __LINE__, #condition), abort()))
enum { MOST = 64 };
static char path[64];

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  struct stat s;
  static char directory[64];
  snprintf(directory, sizeof directory, "%s/camber-fuzz-XXXXXX", stat("/dev/shm", &s) == 0 ? "/dev/shm" : "/tmp");
  HOLDS(mkdtemp(directory));
  snprintf(path, sizeof path, "%s/t", directory);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  HOLDS(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
  camber_status status = 77;
  camber_tensors *t = camber_tensors_open(path, &status);
  HOLDS(t ? status == CAMBER_OK : status == CAMBER_EIO || status == CAMBER_ENOMEM);
  HOLDS(t || camber_tensors_count(t) == 0);
  size_t count = camber_tensors_count(t), ranks[MOST], entries = 0;
  const char *names[MOST];
  camber_dtype dtypes[MOST];
  int64_t shapes[MOST * 8];
  const void *data[MOST];
  int again = count <= MOST, twice = 0;
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    const char *name;
    camber_dtype dtype;
    size_t rank;
    const int64_t *shape;
    const void *p;
    HOLDS(camber_tensors_get(t, i, &name, &dtype, &rank, &shape, &p) == CAMBER_OK && name && camber_dtype_size(dtype));
    size_t held = camber_dtype_size(dtype);
    for (size_t k = 0; k < rank; k++) {
      HOLDS(shape[k] >= 0 && shape[k] <= INT64_C(1) << 40);
      held *= (size_t)shape[k];
    }
    HOLDS(held <= size && (uintptr_t)p % camber_dtype_size(dtype) == 0);
    for (size_t k = 0; k < held; k++) sum = (uint8_t)(sum + ((const uint8_t *)p)[k]);
    if (!again || rank > 8) { again = 0; continue; }
    for (size_t k = 0; k < i; k++) twice |= !strcmp(names[k], name);
    names[i] = name, dtypes[i] = dtype, ranks[i] = rank, data[i] = p;
    for (size_t k = 0; k < rank; k++) shapes[entries++] = shape[k];
  }
  HOLDS(camber_tensors_get(t, count, NULL, NULL, NULL, NULL, NULL) < 0);
  if (t && again) {
    status = camber_tensors_save(path, count, names, dtypes, ranks, shapes, data);
    HOLDS(status == (twice ? CAMBER_EINVAL : CAMBER_OK));
    camber_tensors *second = camber_tensors_open(path, &status);
    HOLDS(second && (twice || camber_tensors_count(second) == count));
    for (size_t i = 0, at = 0; !twice && i < count; at += ranks[i++]) {
      const char *name;
      camber_dtype dtype;
      size_t rank, held;
      const int64_t *shape;
      const void *p;
      HOLDS(camber_tensors_get(second, i, &name, &dtype, &rank, &shape, &p) == CAMBER_OK);
      HOLDS(!strcmp(name, names[i]) && dtype == dtypes[i] && rank == ranks[i]);
      held = camber_dtype_size(dtype);
      for (size_t k = 0; k < rank; k++) {
        HOLDS(shape[k] == shapes[at + k]);
        held *= (size_t)shape[k];
      }
      HOLDS(held == 0 || !memcmp(p, data[i], held));
    }
    camber_tensors_free(second);
  }
  camber_tensors_free(t);
  return 0;
}
