/*
 * What an op fuses behind itself, y = relu(keep[n] * op(x) + residual): keep is stochastic depth's
 * factor of picture n, of training alone, and 1 where the call has none.
 */
#ifndef RN_OPS_EPILOGUE_H
#define RN_OPS_EPILOGUE_H

#include "graph/op.h"
#include "ops/team.h"

/* y = relu(keep[n] * x + residual), of the floats r of the batch; for calls with keep and residual.
 * x may be c->y. */
void rn_epilogue_forward(const struct rn_call *c, const float *x, struct rn_range r);

/*
 * Masks the gradient dy in place, hands it to the residual branch and leaves keep[n] times of it in
 * dy. When it returns the whole of dy may be read by any thread.
 */
void rn_epilogue_backward(const struct rn_call *c, int thread, int threads);

/* What it reads, beside the gradient: rn_op.reads(). */
static inline int rn_epilogue_reads(bool relu)
{
    return relu ? RN_READS_Y : 0;
}

#endif
