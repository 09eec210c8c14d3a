/* Camber: sparse derivatives, colourings and the choice of method. Part of camber.h, which includes it: its rules on errors, memory and
 * threads hold here. */
#ifndef CAMBER_SPARSE_H
#define CAMBER_SPARSE_H

#include "camber.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
