#include "ops/epilogue.h"

#include <string.h>

#include "graph/graph.h"
#include "kernels/kernels.h"

/* The part of r that lies in picture n, of so many floats. */
static struct rn_range of_picture(struct rn_range r, size_t n, size_t floats)
{
    size_t first = n * floats, last = first + floats;
    return (struct rn_range){ r.first > first ? r.first : first, r.last < last ? r.last : last };
}

void rn_epilogue_forward(const struct rn_call *c, const float *x, struct rn_range r)
{
    size_t floats = rn_shape_count(c->node->y);

    for (size_t n = r.first / floats; n * floats < r.last; n++) {
        struct rn_range p = of_picture(r, n, floats);
        float keep = c->keep[n];
        for (size_t i = p.first; i < p.last; i++) {
            float y = keep * x[i] + c->residual[i];
            c->y[i] = c->relu && y <= 0 ? 0 : y;
        }
    }
}

static void scale_gradient(const struct rn_call *c, struct rn_range r)
{
    size_t floats = rn_shape_count(c->node->y);

    for (size_t n = r.first / floats; n * floats < r.last; n++) {
        struct rn_range p = of_picture(r, n, floats);
        for (size_t i = p.first; i < p.last; i++)
            c->dy[i] *= c->keep[n];
    }
}

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
    if (c->keep)
        scale_gradient(c, r);
    if (c->relu || c->keep)
        rn_barrier();
}
