/* dy -> dy masked by the ReLU (in place), and its copy into the residual's gradient. */
#include "ops/epilogue.h"

#include <string.h>

#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/team.h"

void rn_epilogue_backward(const struct rn_call *c, int thread, int threads)
{
    struct rn_range r = rn_share((size_t)c->N * rn_shape_count(c->node->y), thread, threads);
    size_t n = r.last - r.first;
    float *dy = c->dy + r.first;

    if (c->relu)
        c->k->relu_grad(dy, dy, c->y + r.first, n, false);
    if (c->dres && c->dres_add)
        c->k->add(c->dres + r.first, c->dres + r.first, dy, n, false);
    else if (c->dres)
        memcpy(c->dres + r.first, dy, n * sizeof *dy);
    if (c->relu)
        rn_barrier();
}
