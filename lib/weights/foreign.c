/*
 * The longer table of weight formats, with those of other programs. Only a program that calls these
 * two functions is linked with them.
 */
#include <string.h>

#include "base/err.h"
#include "weights/format.h"

static const struct rn_format *const formats[] = { &rn_format_safetensors, &rn_format_npz,
                                                   &rn_format_pth, NULL };

int rn_weights_import(struct rn_weights **out, const char *path)
{
    return rn_formats_read(formats, out, path);
}

int rn_weights_export(const struct rn_weights *w, const char *path, const char *format)
{
    return rn_formats_write(formats, w, path, format);
}

const char *rn_weights_format(const char *name)
{
    for (const struct rn_format *const *f = formats; *f; f++)
        if (!strcmp((*f)->name, name) || ((*f)->also && !strcmp((*f)->also, name)))
            return (*f)->name;
    rn_fail(RN_EUSAGE, "no weight format is called %s: it is safetensors, npz or pth (pt)", name);
    return NULL;
}
