/*
 * The backward of what an op fuses behind itself, y = relu(op(x) + residual): masks the gradient in
 * place and hands it to the residual branch. When it returns the whole of dy may be read by any
 * thread.
 */
#ifndef RN_OPS_EPILOGUE_H
#define RN_OPS_EPILOGUE_H

#include "graph/op.h"

void rn_epilogue_backward(const struct rn_call *c, int thread, int threads);

#endif
