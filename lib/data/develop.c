/* Developing pictures: what happens to one between the source and the batch. */
#include "data/develop.h"

#include "base/err.h"
#include "base/mem.h"

void rn_developer_release(struct rn_developer *d)
{
    rn_picture_release(&d->picture);
    rn_resizer_free(d->resizer);
    rn_free(d->pixel);
    *d = (struct rn_developer){ 0 };
}

/* Pixels for the item: those it brought, or decoded ones. */
static int decode(struct rn_developer *d, struct rn_item *it, const struct rn_decode *how, int C)
{
    struct rn_picture *p = &d->picture;
    struct rn_decode wanted = *how;
    if (it->image.pixel)
        return 0;
    int status = it->file ? rn_item_load(it) : 0;
    wanted.C = C;
    status = status ? status : rn_picture_decode(p, &wanted, it->name, it->data, it->n);
    it->image = (struct rn_image){ p->H, p->W, p->C, p->pixel };
    return status;
}

/* Makes pictures of H x W fit the network: once, where all are of one size. */
static int fit(struct rn_developer *d, const struct rn_prep *p, int H, int W)
{
    if (H == d->H && W == d->W)
        return 0;
    rn_resizer_free(d->resizer);
    d->resizer = NULL;
    d->H = d->W = 0;
    if (H != p->H || W != p->W) {
        int status = rn_resizer_new(&d->resizer, p->C, H, W, p->H, p->W);
        if (status)
            return status;
    }
    d->H = H;
    d->W = W;
    if (d->resizer && !d->pixel)
        d->pixel = rn_alloc((size_t)p->H * (size_t)p->W, (size_t)p->C);
    return d->resizer && !d->pixel ? RN_EMEM : 0;
}

int rn_develop(struct rn_developer *d, struct rn_item *it, const struct rn_decode *how,
               const struct rn_prep *prep, struct rn_shift shift, float *out)
{
    int status = decode(d, it, how, prep->C);
    if (status)
        return status;
    if (it->image.C != prep->C) {
        return rn_fail(RN_EFORMAT, "%s: has %d channels, the network takes %d", it->name,
                       it->image.C, prep->C);
    }
    status = fit(d, prep, it->image.H, it->image.W);
    if (status)
        return status;
    if (d->resizer)
        rn_resizer_run(d->resizer, it->image.pixel, d->pixel);
    rn_augment_apply(prep, shift, d->resizer ? d->pixel : it->image.pixel, out);
    return 0;
}
