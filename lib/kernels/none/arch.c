/* The ladder of a machine we have no vector kernels for: the reference alone. */
#include "kernels/kernels.h"

const struct rn_isa rn_isas[] = { { 0 } };
