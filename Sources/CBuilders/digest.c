/* FNV-1a 64 over the bytes of camber.h, camber_ops.h, camber_sparse.h, camber_health.h, as 16 hex digits. */
#include "builders.h"

#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char header[] = {
#embed "../../include/camber.h"
};
static const unsigned char ops[] = {
#embed "../../include/camber_ops.h"
};
static const unsigned char sparse[] = {
#embed "../../include/camber_sparse.h"
};
static const unsigned char health[] = {
#embed "../../include/camber_health.h"
};

static char digest[17];

static uint64_t fnv(uint64_t h, const unsigned char *p, size_t n) {
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001B3u;
  return h;
}

__attribute__((constructor)) static void compute(void) {
  uint64_t h = fnv(fnv(0xCBF29CE484222325u, header, sizeof header), ops, sizeof ops);
  h = fnv(fnv(h, sparse, sizeof sparse), health, sizeof health);
  for (int i = 0; i < 16; i++) digest[i] = "0123456789abcdef"[h >> (60 - 4 * i) & 15];
}

const char *cb_header_digest(void) { return digest; }
