/* Camber: how far a number is to be trusted, what went wrong and what to do. Part of camber.h, which includes it: its rules on errors, memory and
 * threads hold here. */
#ifndef CAMBER_HEALTH_H
#define CAMBER_HEALTH_H

#include "camber.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
