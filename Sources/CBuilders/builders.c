/* The builders of the elementwise operators, from the list: each calls camber_apply's kin in Swift by row number. */
#include "builders.h"

enum {
#define X(name, class, value) Row_##name,
  CAMBER_UNARY_OPS(X) CAMBER_BINARY_OPS(X) CAMBER_TERNARY_OPS(X)
#undef X
};

#define X(name, class, value) \
  camber_node camber_##name(camber_tape *tape, camber_node x) { return cb_elementwise(tape, Row_##name, x, CAMBER_NONE, CAMBER_NONE); }
CAMBER_UNARY_OPS(X)
#undef X
#define X(name, class, value) \
  camber_node camber_##name(camber_tape *tape, camber_node x, camber_node y) { return cb_elementwise(tape, Row_##name, x, y, CAMBER_NONE); }
CAMBER_BINARY_OPS(X)
#undef X
#define X(name, class, value) \
  camber_node camber_##name(camber_tape *tape, camber_node x, camber_node y, camber_node z) { return cb_elementwise(tape, Row_##name, x, y, z); }
CAMBER_TERNARY_OPS(X)
#undef X

const void *cb_builders(void) { return (const void *)&camber_neg; }
