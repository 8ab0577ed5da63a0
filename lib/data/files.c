/* Picture files as a source: read by whoever develops them. */
#include "data/files.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

int rn_files_add(struct rn_files *f, const char *path, size_t n, int label)
{
    size_t count = (size_t)f->count;
    char *text = rn_grow(f->text, &f->room, f->used, f->used + n + 1);
    if (!text)
        return RN_EMEM;
    f->text = text;
    if (rn_array_grow(&f->at, count, &f->at_room, sizeof *f->at) ||
        rn_array_grow(&f->label, count, &f->label_room, sizeof *f->label))
        return RN_EMEM;
    f->at[count] = f->used;
    f->label[count] = label;
    memcpy(f->text + f->used, path, n);
    f->text[f->used + n] = 0;
    f->used += n + 1;
    f->count++;
    return 0;
}

static int read_file(struct rn_source *s, long index, struct rn_item *it)
{
    const struct rn_files *f = s->impl;
    if (index >= f->count)
        return 0;
    if (rn_item_begin(it, f->text + f->at[index], -1))
        return RN_EMEM;
    it->file = true;
    it->label = f->label[index];
    return 1;
}

static int label_of(const struct rn_source *s, long index)
{
    const struct rn_files *f = s->impl;
    return f->label[index];
}

void rn_files_release(struct rn_files *f)
{
    rn_free(f->text);
    rn_free(f->at);
    rn_free(f->label);
    *f = (struct rn_files){ 0 };
}

static void close_files(struct rn_source *s)
{
    struct rn_files *f = s->impl;
    if (f)
        rn_files_release(f);
    rn_free(f);
}

static const struct rn_source_kind files = {
    .name = "files", .read = read_file, .label = label_of, .close = close_files
};

void rn_files_become(struct rn_source *s, struct rn_files *f)
{
    s->kind = &files;
    s->impl = f;
    s->count = f->count;
    s->random = true;
}
