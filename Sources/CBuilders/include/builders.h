/* What the C builders need of Swift. Not part of the published interface. */
#ifndef CBUILDERS_H
#define CBUILDERS_H
#include "../../../include/camber.h"
camber_node cb_elementwise(camber_tape *tape, int32_t row, camber_node x, camber_node y, camber_node z);
const void *cb_builders(void);   /* keeps the builders linked */
const char *cb_header_digest(void);
#endif
