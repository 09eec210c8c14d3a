/* binary128, for quad.c and quad_factor.c. */
#ifndef CK_QUAD_H
#define CK_QUAD_H
#include "private.h"

#if defined __x86_64__
typedef __float128 quad;
#else
typedef long double quad;
#endif
_Static_assert(sizeof(quad) == 16, "binary128");
#define Q(c) ((quad)(c))
quad sqrtf128(quad);
static inline quad absolute(quad x) { return x < 0 ? -x : x == 0 ? Q(0) : x; }
int ck_quad_factor(size_t n, quad *a, quad *b, size_t m);
#endif
