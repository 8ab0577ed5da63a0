/* Pictures on their way: the memory of names and bytes, and reading picture files. */
#include "data/item.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum {
    PIECE = 1 << 16,
    MAGIC = 16,           /* bytes that tell a picture */
    ENCODED_MAX = 1 << 30 /* bytes of a file: more than any picture needs, less than a device has */
};

void rn_item_release(struct rn_item *it)
{
    rn_free(it->name);
    rn_free(it->data);
    *it = (struct rn_item){ 0 };
}

static int name_room(struct rn_item *it, size_t n)
{
    it->label = -1;
    it->file = it->sparse = false;
    it->image = (struct rn_image){ 0 };
    it->n = 0;
    char *name = rn_grow(it->name, &it->name_room, 0, n);
    it->name = name ? name : it->name;
    return name ? 0 : RN_EMEM;
}

int rn_item_begin(struct rn_item *it, const char *prefix, long number)
{
    enum { NUMBER = 24 }; /* bytes of "#NUMBER" */
    if (name_room(it, strlen(prefix) + NUMBER))
        return RN_EMEM;
    snprintf(it->name, it->name_room, number < 0 ? "%s" : "%s#%ld", prefix, number);
    return 0;
}

int rn_item_begin_member(struct rn_item *it, const char *prefix, const char *member)
{
    if (name_room(it, strlen(prefix) + strlen(member) + 2))
        return RN_EMEM;
    snprintf(it->name, it->name_room, "%s#%s", prefix, member);
    return 0;
}

int rn_item_reserve(struct rn_item *it, size_t n)
{
    uint8_t *data = rn_grow(it->data, &it->room, it->n, n);
    it->data = data ? data : it->data;
    return data ? 0 : RN_EMEM;
}

/* All of fd, or as much as tells that it is no picture. */
static int read_all(struct rn_item *it, int fd, size_t expected)
{
    for (;;) {
        bool told = it->n >= MAGIC;
        if (rn_item_reserve(it, it->n + (expected > it->n ? expected - it->n : 0) + PIECE))
            return RN_EMEM;
        ssize_t got = read(fd, it->data + it->n, it->room - it->n);
        if (got < 0 && errno != EINTR)
            return rn_fail_errno("%s", it->name);
        if (got == 0)
            return 0;
        it->n += got > 0 ? (size_t)got : 0;
        if (!told && it->n >= MAGIC && !rn_image_kind(it->data, it->n))
            return 0;
        if (it->n > ENCODED_MAX)
            return rn_fail(RN_EFORMAT, "%s: more than %d bytes are no picture", it->name,
                           ENCODED_MAX);
    }
}

int rn_item_load(struct rn_item *it)
{
    struct stat st;
    int fd = open(it->name, O_RDONLY | O_CLOEXEC), status;
    it->n = 0;
    if (fd < 0)
        return rn_fail_errno("%s", it->name);
    if (fstat(fd, &st)) {
        status = rn_fail_errno("%s", it->name);
    } else if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        status = rn_fail_errno("%s", it->name);
    } else {
        size_t size = S_ISREG(st.st_mode) && st.st_size <= ENCODED_MAX ? (size_t)st.st_size : 0;
        status = read_all(it, fd, size);
    }
    close(fd);
    return status;
}
