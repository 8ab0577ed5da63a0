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
    if (it->sparse)
        return rn_fail(RN_EFORMAT, "%s: is stored with holes (a sparse file), which is not read",
                       it->name);
    int status = it->file ? rn_item_load(it) : 0;
    wanted.C = C;
    status = status ? status : rn_picture_decode(p, &wanted, it->name, it->data, it->n);
    it->image = (struct rn_image){ p->H, p->W, p->C, p->pixel };
    return status;
}

/* What is seen of a picture of H x W: by the prep, or by the dice. */
static struct rn_view view(const struct rn_prep *prep, const struct rn_dice *d, int H, int W)
{
    if (d->augment->area > 0)
        return rn_augment_view(d->augment, prep, H, W, d->seed, d->epoch, d->sample);
    return rn_view_of(prep, H, W);
}

/* Makes pictures of H x W fit the network: once, where all are of one size and view. */
static int fit(struct rn_developer *d, const struct rn_prep *p, int H, int W, struct rn_view v)
{
    if (H == d->H && W == d->W && rn_view_same(&v, &d->view))
        return 0;
    rn_resizer_free(d->resizer);
    d->resizer = NULL;
    d->H = d->W = 0;
    if (!rn_view_is_whole(&v, H, W, p->H, p->W)) {
        int status = rn_resizer_view(&d->resizer, p->C, H, W, &v, p->H, p->W);
        if (status)
            return status;
    }
    d->view = v;
    d->H = H;
    d->W = W;
    if (d->resizer && !d->pixel)
        d->pixel = rn_alloc((size_t)p->H * (size_t)p->W, (size_t)p->C);
    return d->resizer && !d->pixel ? RN_EMEM : 0;
}

int rn_develop(struct rn_developer *d, struct rn_item *it, const struct rn_decode *how,
               const struct rn_prep *prep, const struct rn_dice *dice, const uint8_t **pixel)
{
    int status = decode(d, it, how, prep->C);
    if (status)
        return status;
    const struct rn_image *im = &it->image;
    if (im->C != prep->C) {
        return rn_fail(RN_EFORMAT, "%s: has %d channels, the network takes %d", it->name, im->C,
                       prep->C);
    }
    status = fit(d, prep, im->H, im->W, view(prep, dice, im->H, im->W));
    if (status)
        return status;
    if (d->resizer)
        rn_resizer_run(d->resizer, im->pixel, d->pixel);
    *pixel = d->resizer ? d->pixel : im->pixel;
    return 0;
}
