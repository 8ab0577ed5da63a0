/* Numbers of one floating-point type as another. */
#ifndef RN_WEIGHTS_CAST_H
#define RN_WEIGHTS_CAST_H

#include "rn.h"

bool rn_dtype_is_float(enum rn_dtype t); /* F64, F32, F16 or BF16 */
bool rn_dtype_is_whole(enum rn_dtype t); /* an integer, or BOOL */

/* Element i of a tensor; NaN for a type that is neither. */
double rn_element(const struct rn_tensor *t, size_t i);

/*
 * to[i] = from[i], rounded once to nearest, ties to even; what is too large becomes infinity, NaN
 * stays NaN. Both types are floating-point; the arrays are apart.
 */
void rn_cast(void *to, enum rn_dtype type, const struct rn_tensor *from);

#endif
