/* PyTorch's .pth (.pt, .th, .ckpt): which of its two kinds a file is. */
#include "weights/pth.h"

#include <string.h>

/* A zip archive, or a pickle of any protocol. */
static bool probe(const uint8_t *head, size_t n)
{
    return (n >= 4 && !memcmp(head, "PK\3\4", 4)) ||
           (n > 1 && head[0] == 0x80 && head[1] && head[1] < 6);
}

static int read_file(struct rn_weights *w, const char *path)
{
    return w->map.data[0] == 'P' ? rn_pth_read_zip(w, path) : rn_pth_read_legacy(w, path);
}

const struct rn_format rn_format_pth = {
    .name = "pth", .also = "pt", .probe = probe, .read = read_file, .write = rn_pth_write
};
