/* Zip archives, read strictly from memory (see zip.h). */
#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "weights/number.h"

enum {
    CENTRAL = 46,
    END = 22,
    LOCATOR = 20,
    END64 = 56,
    DESCRIPTOR = 16,
    DESCRIPTOR64 = 24,
    MEMBERS_MAX = 100000,
    ENCRYPTED = 1, /* flags: */
    DESCRIBED = 8, /* sizes and CRC stand behind the data */
    UTF8 = 0x800,  /* the name is UTF-8 */
    EFFORT = 6,    /* how well it is deflated */
    STORED = 0,    /* methods: */
    DEFLATED = 8,
    EXTRA_ZIP64 = 1
};

/* An archive while it is read. */
struct archive {
    const uint8_t *data;
    size_t size;
    const char *path;
    size_t entries, directory, end; /* members; the directory: begin, end */
};

/* A row of the directory, or of a local header, which knows no offset. */
struct row {
    struct rn_zip_member m;
    unsigned flags, method;
    uint64_t packed, size, offset;
    const uint8_t *raw_name;
    size_t name_bytes;
};

static int fail(const struct archive *a, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: zip archive: %s", a->path, what);
}

static int fail_member(const struct archive *a, const struct row *r, const char *what)
{
    return rn_fail(RN_EFORMAT, "%s: zip member %.*s: %s", a->path,
                   (int)(r->name_bytes < 200 ? r->name_bytes : 200), (const char *)r->raw_name,
                   what);
}

/* ---- the end ---- */

/* Does the 32-bit (or 16-bit) field say what the 64-bit one does, or "look there"? */
static bool agrees(uint64_t narrow, uint64_t wide, uint64_t ones)
{
    return narrow == wide || narrow == ones;
}

/* zip64's record, directly before its locator, which is directly before the end record. */
static int find_end64(struct archive *a, const uint8_t *end)
{
    const uint8_t *locator = end - LOCATOR, *r = locator - END64;
    if (rn_u64(locator + 8) != (uint64_t)(r - a->data) || rn_u32(locator + 4) ||
        rn_u32(locator + 16) != 1 || memcmp(r, "PK\6\6", 4) || rn_u64(r + 4) != END64 - 12 ||
        rn_u32(r + 16) || rn_u32(r + 20) || rn_u64(r + 24) != rn_u64(r + 32))
        return fail(a, "its zip64 record is damaged");
    uint64_t entries = rn_u64(r + 32), size = rn_u64(r + 40), offset = rn_u64(r + 48);
    if (!agrees(rn_u16(end + 10), entries, 0xffff) || !agrees(rn_u32(end + 12), size, UINT32_MAX) ||
        !agrees(rn_u32(end + 16), offset, UINT32_MAX))
        return fail(a, "its two end records do not agree");
    a->entries = entries;
    a->directory = offset;
    a->end = (size_t)(r - a->data);
    return size != a->end - offset ? fail(a, "its directory is not where it says") : 0;
}

static int find_end(struct archive *a)
{
    const uint8_t *end = a->size < END ? NULL : a->data + a->size - END;
    if (!end || memcmp(end, "PK\5\6", 4) || rn_u16(end + 20))
        return fail(a, "truncated, or something stands behind its end");
    if (rn_u32(end + 4) || rn_u16(end + 8) != rn_u16(end + 10))
        return fail(a, "it is one of several parts");
    int status = 0;
    if (a->size >= END + LOCATOR + END64 && !memcmp(end - LOCATOR, "PK\6\7", 4)) {
        status = find_end64(a, end);
    } else {
        a->entries = rn_u16(end + 10);
        a->directory = rn_u32(end + 16);
        a->end = a->size - END;
        if (rn_u32(end + 12) != a->end - a->directory)
            status = fail(a, "its directory is not where it says");
    }
    if (!status && (a->directory > a->end || a->entries > (a->end - a->directory) / CENTRAL))
        status = fail(a, "its directory is smaller than it says");
    if (!status && a->entries > MEMBERS_MAX)
        status = rn_fail(RN_EFORMAT, "%s: zip archive: %zu members, the limit is %d", a->path,
                         a->entries, MEMBERS_MAX);
    return status;
}

/* ---- rows of the directory ---- */

/* Takes the numbers whose narrow fields are all ones from zip64's extra field; false: they are not
 * there, or the extra fields are damaged. */
static bool widen(struct row *r, const uint8_t *extra, size_t n)
{
    uint64_t *field[] = { &r->size, &r->packed, &r->offset };
    size_t wanted = 0;
    for (int i = 0; i < 3; i++)
        wanted += *field[i] == UINT32_MAX;
    while (n) {
        if (n < 4 || n - 4 < rn_u16(extra + 2))
            return false;
        size_t length = rn_u16(extra + 2), at = 4;
        for (int i = 0; i < 3 && wanted && rn_u16(extra) == EXTRA_ZIP64; i++)
            if (*field[i] == UINT32_MAX) {
                if (4 + length - at < 8)
                    return false;
                *field[i] = rn_u64(extra + at);
                at += 8;
                wanted--;
            }
        extra += 4 + length;
        n -= 4 + length;
    }
    return !wanted;
}

bool rn_zip_name_good(const char *name)
{
    if (!*name || *name == '/')
        return false;
    for (const char *p = name; *p;) {
        size_t k = rn_utf8_length(p);
        if (!k || (unsigned char)*p < ' ' || *p == 0x7f || *p == '\\')
            return false;
        if ((p == name || p[-1] == '/') && !strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
            return false;
        p += k;
    }
    return true;
}

static int check_row(const struct archive *a, const struct row *r)
{
    if (r->flags & ENCRYPTED)
        return fail_member(a, r, "it is encrypted");
    if (r->flags & ~(unsigned)(EFFORT | DESCRIBED | UTF8))
        return fail_member(a, r, "it has features of zip that are not read");
    if (r->method != STORED && r->method != DEFLATED)
        return fail_member(a, r, "it is compressed by another method than deflate");
    if (r->method == STORED && r->packed != r->size)
        return fail_member(a, r, "it is stored, but of two sizes");
    if (strlen(r->m.name) != r->name_bytes || !rn_zip_name_good(r->m.name))
        return fail_member(a, r, "its name is none to trust");
    return 0;
}

/* The row at *p, which it moves on; the name goes to *names. */
static int read_row(struct archive *a, struct row *r, const uint8_t **p, char **names)
{
    const uint8_t *c = *p;
    size_t left = (size_t)(a->data + a->end - c);
    if (left < CENTRAL || memcmp(c, "PK\1\2", 4))
        return fail(a, "its directory is damaged");
    size_t n = rn_u16(c + 28), extra = rn_u16(c + 30), comment = rn_u16(c + 32);
    if (left - CENTRAL < n + extra + comment)
        return fail(a, "its directory is damaged");
    *r = (struct row){ .flags = rn_u16(c + 8),
                       .method = rn_u16(c + 10),
                       .packed = rn_u32(c + 20),
                       .size = rn_u32(c + 24),
                       .offset = rn_u32(c + 42),
                       .raw_name = c + CENTRAL,
                       .name_bytes = n };
    if (!widen(r, c + CENTRAL + n, extra) || rn_u16(c + 34))
        return fail_member(a, r, "its row in the directory is damaged");
    r->m = (struct rn_zip_member){ *names,  NULL,           r->packed,
                                   r->size, rn_u32(c + 16), r->method == DEFLATED };
    memcpy(*names, r->raw_name, n); /* the NUL behind is there already */
    *names += n + 1;
    *p = c + CENTRAL + n + extra + comment;
    return check_row(a, r);
}

/* ---- local headers ---- */

/* Where flags say so, sizes and CRC are zero (or given ahead) before the data. */
static bool same_local(const uint8_t *p, const struct row *r)
{
    struct row local = { .packed = rn_u32(p + 18), .size = rn_u32(p + 22) };
    size_t n = rn_u16(p + 26);
    uint32_t crc = rn_u32(p + 14);
    if (rn_u16(p + 6) != r->flags || rn_u16(p + 8) != r->method || n != r->name_bytes ||
        memcmp(p + RN_ZIP_LOCAL, r->raw_name, n) ||
        !widen(&local, p + RN_ZIP_LOCAL + n, rn_u16(p + 28)))
        return false;
    if (r->flags & DESCRIBED && !local.packed && !local.size && !crc)
        return true;
    return local.packed == r->packed && local.size == r->size && crc == r->m.crc;
}

/* What stands between the data and the next member. */
static bool same_tail(const uint8_t *p, uint64_t n, const struct row *r)
{
    if (!(r->flags & DESCRIBED))
        return n == 0;
    if ((n != DESCRIPTOR && n != DESCRIPTOR64) || memcmp(p, "PK\7\10", 4) ||
        rn_u32(p + 4) != r->m.crc)
        return false;
    if (n == DESCRIPTOR)
        return rn_u32(p + 8) == r->packed && rn_u32(p + 12) == r->size;
    return rn_u64(p + 8) == r->packed && rn_u64(p + 16) == r->size;
}

/* The member fills the archive from `begin` to `next`. */
static int check_local(const struct archive *a, struct row *r, uint64_t begin, uint64_t next)
{
    const uint8_t *p = a->data + begin;
    if (r->offset != begin)
        return fail_member(a, r, "a hole before it, or it overlaps the one before");
    if (next > a->directory || next <= begin || next - begin < RN_ZIP_LOCAL ||
        memcmp(p, "PK\3\4", 4))
        return fail_member(a, r, "it is not where the directory says");
    uint64_t head = (uint64_t)RN_ZIP_LOCAL + rn_u16(p + 26) + rn_u16(p + 28), room = next - begin;
    if (head > room || r->packed > room - head)
        return fail_member(a, r, "it reaches into what is behind it");
    if (!same_local(p, r))
        return fail_member(a, r, "its header is not what the directory says");
    if (!same_tail(p + head + r->packed, room - head - r->packed, r))
        return fail_member(a, r, "what stands behind its data is not what the directory says");
    r->m.data = p + head;
    if (!r->m.deflated && (uint32_t)crc32_z(0, r->m.data, r->m.packed) != r->m.crc)
        return fail_member(a, r, "it is damaged (CRC differs)");
    return 0;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int compare_names(const void *a, const void *b)
{
    const struct rn_zip_member *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* ---- all of it ---- */

static int read_rows(struct archive *a, struct row *row, char *names)
{
    const uint8_t *p = a->data + a->directory;
    int status = 0;
    for (size_t i = 0; i < a->entries && !status; i++)
        status = read_row(a, &row[i], &p, &names);
    if (!status && p != a->data + a->end)
        status = fail(a, "its directory has more in it than it says");
    return status;
}

static int place(struct rn_zip *z, const struct archive *a, struct row *row)
{
    uint64_t begin = 0;
    qsort(row, a->entries, sizeof(*row), compare_offsets);
    for (size_t i = 0; i < a->entries; i++) {
        uint64_t next = i + 1 < a->entries ? row[i + 1].offset : a->directory;
        int status = check_local(a, &row[i], begin, next);
        if (status)
            return status;
        z->member[i] = row[i].m;
        z->by_name[i] = &z->member[i];
        begin = next;
    }
    z->members = a->entries;
    if (begin != a->directory)
        return fail(a, "something stands before its directory");
    qsort(z->by_name, z->members, sizeof(*z->by_name), compare_names);
    for (size_t i = 1; i < z->members; i++)
        if (!strcmp(z->by_name[i]->name, z->by_name[i - 1]->name))
            return rn_fail(RN_EFORMAT, "%s: zip archive: two members are named %.200s", a->path,
                           z->by_name[i]->name);
    return 0;
}

int rn_zip_read(struct rn_zip *z, const uint8_t *data, size_t n, const char *path)
{
    struct archive a = { data, n, path, 0, 0, 0 };
    *z = (struct rn_zip){ 0 };
    int status = find_end(&a);
    if (status)
        return status;
    struct row *row = rn_alloc(a.entries, sizeof(*row));
    z->member = rn_alloc(a.entries, sizeof(*z->member));
    z->by_name = rn_alloc(a.entries, sizeof(*z->by_name));
    z->names = rn_alloc(a.end - a.directory, 1); /* a row is longer than its name and a NUL */
    status = row && z->member && z->by_name && z->names ? read_rows(&a, row, z->names) : RN_EMEM;
    if (!status)
        status = place(z, &a, row);
    rn_free(row);
    if (status)
        rn_zip_release(z);
    return status;
}

void rn_zip_release(struct rn_zip *z)
{
    rn_free(z->member);
    rn_free(z->by_name);
    rn_free(z->names);
    *z = (struct rn_zip){ 0 };
}

static int compare_name(const void *name, const void *member)
{
    const struct rn_zip_member *const *m = member;
    return strcmp(name, (*m)->name);
}

const struct rn_zip_member *rn_zip_find(const struct rn_zip *z, const char *name)
{
    const struct rn_zip_member *const *m =
        bsearch(name, z->by_name, z->members, sizeof(*z->by_name), compare_name);
    return m ? *m : NULL;
}
