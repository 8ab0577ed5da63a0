/* Zip archives on their way out: members stored and aligned, zip64 where numbers need it. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/zip.h"

enum {
    CENTRAL = 46,
    END = 22,
    END64 = 56 + 20, /* zip64's record and its locator */
    SIZES64 = 4 + 16,
    ROW64 = 4 + 24,
    NAME_MAX_BYTES = 0xffff - RN_ALIGN - 64,
    UTF8 = 0x800,
    VERSION = 20,
    VERSION64 = 45,
    DATE = 1 << 5 | 1 /* the first day that zip knows */
};

struct rn_zip_entry {
    char *name;
    uint64_t size, offset;
    uint32_t crc;
};

/* Appends a number of `bytes` bytes to a header. */
static void add(uint8_t **p, uint64_t v, int bytes)
{
    memcpy(*p, &v, (size_t)bytes);
    *p += bytes;
}

/* A number in a narrow field: all ones say that zip64's field has it. */
static uint64_t narrow(bool wide, uint64_t v, uint64_t ones)
{
    return wide ? ones : v;
}

/* What local header and row of the directory have in common. */
static void add_common(uint8_t **p, const struct rn_zip_entry *e, bool wide)
{
    add(p, wide ? VERSION64 : VERSION, 2);
    add(p, UTF8, 2);
    add(p, 0, 2); /* stored */
    add(p, 0, 2); /* midnight */
    add(p, DATE, 2);
    add(p, e->crc, 4);
    add(p, narrow(wide, e->size, UINT32_MAX), 4);
    add(p, narrow(wide, e->size, UINT32_MAX), 4);
    add(p, strlen(e->name), 2);
}

/* The header, the name, and as much of an extra field as makes the data begin at a multiple. */
static int put_header(struct rn_zip_writer *z, const struct rn_zip_entry *e)
{
    uint8_t head[RN_ZIP_LOCAL], extra[SIZES64 + 4 + RN_ALIGN] = { 0 }, *p = head, *q = extra;
    bool wide = e->size >= z->wide;
    size_t n = strlen(e->name), before = RN_ZIP_LOCAL + n + (wide ? SIZES64 : 0) + 4;
    size_t pad = (size_t)(-(z->at + before) % RN_ALIGN);
    if (wide) {
        add(&q, 1, 2);
        add(&q, SIZES64 - 4, 2);
        add(&q, e->size, 8);
        add(&q, e->size, 8);
    }
    add(&q, 'F' | 'B' << 8, 2); /* PyTorch's own, for the same purpose */
    add(&q, pad, 2);
    q += pad;
    add(&p, 0x04034b50, 4);
    add_common(&p, e, wide);
    add(&p, (uint64_t)(q - extra), 2);
    int status = rn_writer_write(z->out, head, sizeof(head));
    if (!status)
        status = rn_writer_write(z->out, e->name, n);
    if (!status)
        status = rn_writer_write(z->out, extra, (size_t)(q - extra));
    z->at += before + pad;
    return status;
}

void rn_zip_begin(struct rn_zip_writer *z, struct rn_writer *out)
{
    *z = (struct rn_zip_writer){ .out = out, .wide = UINT32_MAX };
}

int rn_zip_put(struct rn_zip_writer *z, const char *name, const struct iovec part[], int parts)
{
    if (strlen(name) > NAME_MAX_BYTES)
        return rn_fail(RN_EUSAGE, "a name of %zu bytes is too long for a zip archive",
                       strlen(name));
    if (!rn_zip_name_good(name))
        return rn_fail(RN_EUSAGE, "%.200s is no name for a member of a zip archive", name);
    if (rn_array_grow(&z->entry, z->entries, &z->room, sizeof(*z->entry)))
        return RN_EMEM;
    struct rn_zip_entry *e = &z->entry[z->entries];
    *e = (struct rn_zip_entry){ .name = rn_strdup(name), .offset = z->at };
    if (!e->name)
        return RN_EMEM;
    z->entries++;
    for (int i = 0; i < parts; i++) {
        if (part[i].iov_len) /* for NULL crc32_z() would begin again */
            e->crc = (uint32_t)crc32_z(e->crc, part[i].iov_base, part[i].iov_len);
        e->size += part[i].iov_len;
    }
    int status = put_header(z, e);
    for (int i = 0; i < parts && !status; i++)
        if (part[i].iov_len)
            status = rn_writer_write(z->out, part[i].iov_base, part[i].iov_len);
    z->at += e->size;
    return status;
}

static int put_row(struct rn_zip_writer *z, const struct rn_zip_entry *e)
{
    uint8_t row[CENTRAL + ROW64] = { 0 }, extra[ROW64], *p = row, *q = extra;
    bool wide = e->size >= z->wide || e->offset >= z->wide;
    size_t n = strlen(e->name);
    add(&p, 0x02014b50, 4);
    add(&p, wide ? VERSION64 : VERSION, 2); /* made by */
    add_common(&p, e, wide);
    if (wide) {
        add(&q, 1, 2);
        add(&q, ROW64 - 4, 2);
        add(&q, e->size, 8);
        add(&q, e->size, 8);
        add(&q, e->offset, 8);
    }
    add(&p, (uint64_t)(q - extra), 2);
    p += 10; /* no comment, first part, no attributes */
    add(&p, narrow(wide, e->offset, UINT32_MAX), 4);
    int status = rn_writer_write(z->out, row, CENTRAL);
    if (!status)
        status = rn_writer_write(z->out, e->name, n);
    if (!status)
        status = rn_writer_write(z->out, extra, (size_t)(q - extra));
    z->at += CENTRAL + n + (size_t)(q - extra);
    return status;
}

static void add_end64(uint8_t **p, uint64_t entries, uint64_t size, uint64_t begin)
{
    add(p, 0x06064b50, 4);
    add(p, 44, 8);
    add(p, VERSION64, 2);
    add(p, VERSION64, 2);
    add(p, 0, 8);
    add(p, entries, 8);
    add(p, entries, 8);
    add(p, size, 8);
    add(p, begin, 8);
    add(p, 0x07064b50, 4);
    add(p, 0, 4);
    add(p, begin + size, 8);
    add(p, 1, 4);
}

static int put_end(struct rn_zip_writer *z, uint64_t begin)
{
    uint8_t end[END64 + END] = { 0 }, *p = end;
    uint64_t size = z->at - begin;
    bool wide = z->entries >= 0xffff || size >= z->wide || begin >= z->wide;
    if (wide)
        add_end64(&p, z->entries, size, begin);
    add(&p, 0x06054b50, 4);
    add(&p, 0, 4);
    add(&p, narrow(wide, z->entries, 0xffff), 2);
    add(&p, narrow(wide, z->entries, 0xffff), 2);
    add(&p, narrow(wide, size, UINT32_MAX), 4);
    add(&p, narrow(wide, begin, UINT32_MAX), 4);
    add(&p, 0, 2); /* no comment */
    return rn_writer_write(z->out, end, (size_t)(p - end));
}

static int compare_names(const void *a, const void *b)
{
    const struct rn_zip_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int check_names(const struct rn_zip_writer *z)
{
    const struct rn_zip_entry **by_name = rn_alloc(z->entries, sizeof(*by_name));
    if (!by_name)
        return RN_EMEM;
    for (size_t i = 0; i < z->entries; i++)
        by_name[i] = &z->entry[i];
    qsort(by_name, z->entries, sizeof(*by_name), compare_names);
    int status = 0;
    for (size_t i = 1; i < z->entries && !status; i++)
        if (!strcmp(by_name[i]->name, by_name[i - 1]->name))
            status = rn_fail(RN_EUSAGE, "two are named %.200s", by_name[i]->name);
    rn_free(by_name);
    return status;
}

int rn_zip_end(struct rn_zip_writer *z, int status)
{
    uint64_t begin = z->at;
    if (!status)
        status = check_names(z);
    for (size_t i = 0; i < z->entries && !status; i++)
        status = put_row(z, &z->entry[i]);
    if (!status)
        status = put_end(z, begin);
    for (size_t i = 0; i < z->entries; i++)
        rn_free(z->entry[i].name);
    rn_free(z->entry);
    *z = (struct rn_zip_writer){ 0 };
    return status;
}
