/*
 * From names and shapes to a spec. A guess reads the structure off the tensors; the network of the
 * guess is then built, and counts only when each of its parameters has its tensor, of the right
 * shape, and no tensor that matters is left over.
 */
#ifndef RN_WEIGHTS_RECOGNISE_H
#define RN_WEIGHTS_RECOGNISE_H

#include "model/spec.h"
#include "weights/format.h"
#include "weights/names.h"

/* A file's tensors by the names that a dialect gives them. */
struct rn_seen {
    char name[RN_FOREIGN_MAX];
    const struct rn_tensor *t;
    bool used;
};
struct rn_view {
    struct rn_seen *item; /* [n], in byte order of names */
    int n;
};

/* Returns 0, RN_EFORMAT (a name that no network has, or two that become one) or RN_EMEM; in any
 * case v is to be released. */
int rn_view_init(struct rn_view *v, const struct rn_weights *w, const struct rn_dialect *d,
                 const char *path);
void rn_view_release(struct rn_view *v);

struct rn_seen *rn_view_seen(const struct rn_view *v, const char *name); /* or NULL */

/* NULL: none of this name. The second puts it together as printf() does. */
const struct rn_tensor *rn_view_find(const struct rn_view *v, const char *name);
const struct rn_tensor *rn_view_get(const struct rn_view *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The spec of a network of basic or bottleneck blocks, post- or pre-activation, by the tensors'
 * names and shapes: the row that differs from it in the fewest keys. What shapes can't tell is as
 * in that row: the stride on the 3x3, option A (shortcut=pad) where a shortcut without weights
 * changes the shape, average pool, PyTorch's padding and batch norm. Returns 0, or RN_EFORMAT.
 */
int rn_guess_spec(struct rn_spec *s, const struct rn_view *v, const char *path);

/*
 * Which tensor of w is which parameter of the graph, by order and shape alone: the orders of
 * torchvision's files, of running (shortcut first) and of d2l's (convolutions before batch norms)
 * are tried.
 *   tensor  out  [g->params] indices into w; -1 for counters that w lacks
 * Returns true when an order fits and no other gives another answer.
 */
struct rn_graph;
bool rn_order_fits(int *tensor, const struct rn_graph *g, const struct rn_weights *w);

/*
 * Makes w a file of the model m: its description, and parameter i from tensor[i] of w, cast to the
 * type that it has in our files. NULL is a counter, which begins at 0, or with `fresh_head` a
 * parameter of the classifier, which is initialised. Returns 0 or RN_EMEM.
 */
struct rn_model;
int rn_adopt(struct rn_weights *w, const struct rn_model *m, const struct rn_tensor *const tensor[],
             bool fresh_head);

/* Is t a batch norm's count of batches, which no output depends on? */
bool rn_is_counter(const struct rn_tensor *t);

#endif
