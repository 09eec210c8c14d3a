/* libFuzzer target over files of functions: any bytes, and altered files whose layout and checksums are good, so that only the checks
 * behind them stand between the bytes and the library. What is read is saved again to the same bytes, hashed, differentiated, compiled and run. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS(condition) ((condition) ? (void)0 : (fprintf(stderr, "saved.c:%d: does not hold: %s\n", __LINE__, #condition), abort()))
enum { ROOM = 1 << 20, SECTIONS = 64, FEW = 8, BYTES = 1 << 14 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

/* ---- The layout: docs/archive.md ------------------------------------------------------------------------------------------ */
static uint64_t get(const uint8_t *p, int n) {
  uint64_t v = 0;
  for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
  return v;
}
static void put(uint8_t *p, uint64_t v, int n) { for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> (8 * i)); }
static uint64_t step(uint64_t h, uint64_t w) {
  uint64_t m = (h ^ w) * UINT64_C(0x9E3779B97F4A7C15);
  return m ^ m >> 29;
}
static uint64_t checksum(const uint8_t *p, size_t size, uint64_t seed) {
  uint64_t k = UINT64_C(0x9E3779B97F4A7C15), h[4] = {seed, ~seed, seed + k, seed ^ k}, rest = 0;
  size_t words = size / 8, i = 0;
  for (; i + 4 <= words; i += 4) for (int j = 0; j < 4; j++) h[j] = step(h[j], get(p + 8 * (i + (size_t)j), 8));
  for (; i < words; i++) h[0] = step(h[0], get(p + 8 * i, 8));
  rest = get(p + 8 * words, (int)(size % 8));
  uint64_t a = h[0];
  a = step(a, h[1]), a = step(a, h[2]), a = step(a, h[3]), a = step(a, rest);
  return step(a, size);
}
typedef struct { uint8_t kind[4]; const uint8_t *at; size_t size; } part;
/* The sections of a file, as far as they lie in it. */
static size_t taken_apart(const uint8_t *p, size_t size, part *parts) {
  if (size < 32) return 0;
  size_t n = (size_t)get(p + 12, 4), found = 0;
  for (size_t i = 0; i < n && i < SECTIONS && 64 + 32 * i <= size; i++) {
    const uint8_t *e = p + 32 + 32 * i;
    uint64_t offset = get(e + 8, 8), bytes = get(e + 16, 8);
    if (offset > size || bytes > size - offset) break;
    memcpy(parts[found].kind, e, 4), parts[found].at = p + offset, parts[found].size = (size_t)bytes, found++;
  }
  return found;
}
/* A file of these sections; 0 where there is no room. */
static size_t put_together(const part *parts, size_t n, uint8_t *out, size_t room) {
  static const uint8_t magic[8] = {0x89, 'C', 'M', 'B', 0x0D, 0x0A, 0x1A, 0x0A};
  size_t top = 32 + 32 * n, at = top, number = 0;
  if (top > room) return 0;
  memset(out, 0, top);
  for (size_t i = 0; i < n; i++) {
    size_t begin = (at + 63) & ~(size_t)63;
    if (begin > room || parts[i].size > room - begin) return 0;
    memset(out + at, 0, begin - at), memcpy(out + begin, parts[i].at, parts[i].size);
    number = i && !memcmp(parts[i].kind, parts[i - 1].kind, 4) ? number + 1 : 0;
    uint8_t *e = out + 32 + 32 * i;
    memcpy(e, parts[i].kind, 4), put(e + 4, number, 4), put(e + 8, begin, 8), put(e + 16, parts[i].size, 8), put(e + 24, checksum(out + begin, parts[i].size, 0), 8);
    at = begin + parts[i].size;
  }
  int labelled = 0;   /* such files are of version 2 */
  for (size_t i = 0; i < n; i++) labelled |= !memcmp(parts[i].kind, "LABL", 4);
  memcpy(out, magic, 8), put(out + 8, labelled ? 2 : 1, 4), put(out + 12, n, 4), put(out + 16, at, 8);
  put(out + 24, checksum(out + 32, top - 32, checksum(out, 24, 0)), 8);
  return at;
}

/* One section is altered, by libFuzzer or by a word that tells, and the file put together again. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
  static uint8_t section[ROOM], file[ROOM];
  part parts[SECTIONS];
  size_t n = taken_apart(data, size, parts);
  if (n == 0 || seed % 16 == 0) return LLVMFuzzerMutate(data, size, most);
  size_t k = seed / 16 % n, length = parts[k].size;
  if (length > ROOM / 2) return LLVMFuzzerMutate(data, size, most);
  memcpy(section, parts[k].at, length);
  if (seed / 1024 % 2 && length >= 4) {
    static const uint32_t telling[] = {0, 1, 2, 3, 7, 8, 0xFF, 0xFFFF, 0x10000, 0x10001, 0x20000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 64};
    size_t w = seed / 2048 % (length / 4);
    uint32_t old = (uint32_t)get(section + 4 * w, 4), how = seed / 4096 % 24;
    put(section + 4 * w, how < 16 ? telling[how] : how < 20 ? old + (how - 15) : old - (how - 19), 4);
  } else {
    size_t room = length + 64 < ROOM ? length + 64 : ROOM;
    length = LLVMFuzzerMutate(section, length, room);
  }
  parts[k].at = section, parts[k].size = length;
  size_t made = put_together(parts, n, file, most < ROOM ? most : ROOM);
  if (made == 0) return LLVMFuzzerMutate(data, size, most);
  memcpy(data, file, made);
  return made;
}

/* ---- What must hold ------------------------------------------------------------------------------------------------------------ */
static unsigned long long read_files, taken_files;
static void count(void) { fprintf(stderr, "files: %llu, of which sound: %llu\n", read_files, taken_files); }
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  atexit(count);
  return 0;
}

static size_t bytes_of(camber_tape *t, camber_node n) {
  double size = (double)camber_dtype_size(camber_node_dtype(t, n));
  for (int64_t i = 0; i < camber_node_rank(t, n); i++) size *= (double)camber_node_dim(t, n, i);
  return size <= BYTES ? (size_t)size : SIZE_MAX;
}
/* Elements of all nodes, loops apart. */
static double work(camber_tape *t, camber_node some) {
  double sum = 0;
  for (size_t i = 0; i < camber_tape_node_count(t); i++) {
    camber_node n = (some >> 32 << 32) | (camber_node)i;
    double size = 1;
    if (!strcmp(camber_node_op(t, n), "part")) return 1e30;   /* a loop's: it may be as long as it likes */
    for (int64_t k = 0; k < camber_node_rank(t, n); k++) size *= (double)camber_node_dim(t, n, k);
    sum += size;
  }
  return sum;
}

static void use(camber_archive *a, const char *name, uint64_t how) {
  size_t n, m;
  HOLDS(camber_archive_arity(a, name, &n, &m) == CAMBER_OK);
  for (size_t i = 0; i < n; i++) HOLDS(camber_archive_input_name(a, name, i));
  for (size_t i = 0; i < m; i++) HOLDS(camber_archive_output_name(a, name, i));
  HOLDS(!camber_archive_input_name(a, name, n) && !camber_archive_output_name(a, name, m));
  if (n > FEW || m > FEW || m == 0) return;
  camber_node in[FEW], out[FEW], slopes[FEW];
  camber_tape *t = camber_archive_tape(a, name, in, out);
  HOLDS(t);
  (void)camber_tape_hash(t, in, n, out, m);
  camber_tape_clear(t);
  int small = camber_tape_node_count(t) < 400 && work(t, out[0]) < 1e5;
  if (how % 8 == 0 && small && n) {
    if (camber_vjp(t, out, out, m, in, n, slopes) == CAMBER_OK && how % 16 == 0) (void)camber_jvp(t, slopes, n, in, in, n, slopes);
    camber_tape_clear(t);
    camber_node batched[FEW];
    (void)camber_simplify(t, out, m, batched);
    camber_tape_clear(t);
  }
  if (how % 4 == 1) {
    camber_program *p = camber_archive_program(a, name);
    if (!p) HOLDS(*camber_archive_message(a));
    static uint8_t from[FEW][BYTES + 8], to[FEW][BYTES + 8];
    const void *x[FEW];
    void *y[FEW];
    int fits = small && camber_program_memory(p) < 1 << 20;
    for (size_t i = 0; i < n; i++) x[i] = from[i], fits &= bytes_of(t, in[i]) <= BYTES;
    for (size_t i = 0; i < m; i++) y[i] = to[i], fits &= bytes_of(t, out[i]) <= BYTES;
    camber_workspace *w = p && fits ? camber_workspace_new(p) : NULL;
    if (w) {
      camber_status s = camber_run(p, w, x, y);
      HOLDS(s >= 0 || *camber_workspace_message(w));
    }
    camber_workspace_free(w), camber_program_free(p);
  }
  camber_tape_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  uint8_t *copy = malloc(size ? size : 1);   /* of its own: what is read beyond is seen */
  memcpy(copy, bytes, size);
  camber_archive *a = camber_archive_new(), *b = camber_archive_new();
  camber_status s = camber_archive_unpack(a, copy, size);
  memset(copy, 0xA5, size), free(copy);
  HOLDS(s == CAMBER_OK || s == CAMBER_EIO || s == CAMBER_ENOMEM);
  HOLDS((s == CAMBER_OK) != (*camber_archive_message(a) != 0));
  read_files++;
  if (s == CAMBER_OK) {
    taken_files++;
    const void *first, *second;
    size_t n, m;
    camber_archive *c = camber_archive_new();
    HOLDS(camber_archive_pack(a, &first, &n) == CAMBER_OK);
    /* What nothing needs is left out, and what stands in another order set right: after that, the file is what it is. */
    HOLDS(camber_archive_unpack(b, first, n) == CAMBER_OK && camber_archive_pack(b, &second, &m) == CAMBER_OK);
    HOLDS(n == m && !memcmp(first, second, n) && camber_archive_unpack(c, second, m) == CAMBER_OK);
    HOLDS(camber_archive_count(a) == camber_archive_count(b));
    uint64_t how = checksum(bytes, size, 0);
    for (size_t i = 0; i < camber_archive_count(b) && i < FEW; i++) use(b, camber_archive_function(b, i), how >> (i + 8));
    camber_archive_free(c);
  } else HOLDS(camber_archive_count(a) == 0);
  camber_archive_free(a), camber_archive_free(b);
  return 0;
}
