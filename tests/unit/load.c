/*
 * rn_session_open(): a session straight from a mapped file gives the bits of one that was made from
 * a model in memory, on any number of threads; and whatever is damaged in the file is named.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "infer/session.h"
#include "tap.h"
#include "weights/modelfile.h"

enum { CLASSES = 7, SIDE = 40, PICTURE = SIDE * SIDE * 2 };

/* Large enough that some weights are dropped behind (256 KiB), some of them by Winograd. */
static const char spec[] = "resnet50:stages=2x64+2x512,stem-width=32";

static char folder[] = "/tmp/rn-load-XXXXXX";
static char whole[64], changed[64];
static float x[PICTURE];
static uint8_t *bytes;
static size_t size;

static bool save(const char *path, const uint8_t *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    return f && fwrite(data, 1, n, f) == n && !fclose(f);
}

/* Logits by way of rn_session_open(); false when it fails. */
static bool logits_of(const char *path, int threads, float *logits)
{
    struct rn_session *s = NULL;
    struct rn_model *m = NULL;
    int status = rn_session_open(&s, &m, path, 1, threads);
    if (!status)
        rn_session_run(s, x, 1, logits);
    rn_session_free(s);
    rn_model_free(m);
    return !status;
}

static void test_threads(const float *right)
{
    static const int threads[] = { 1, 2, 3, 7 };
    float logits[CLASSES];
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        ok(logits_of(whole, threads[i], logits) && !memcmp(logits, right, sizeof logits),
           "the same bits, loaded by %d threads", threads[i]);
}

/* One byte more in the header: no tensor is aligned. */
static void test_misaligned(const float *right)
{
    float logits[CLASSES];
    uint64_t header;
    uint8_t *copy = malloc(size + 1);
    memcpy(&header, bytes, sizeof header);
    memcpy(copy, bytes, 8 + header);
    copy[8 + header] = ' ';
    memcpy(copy + 9 + header, bytes + 8 + header, size - 8 - header);
    header++;
    memcpy(copy, &header, sizeof header);
    ok(save(changed, copy, size + 1) && logits_of(changed, 2, logits) &&
           !memcmp(logits, right, sizeof logits),
       "the same bits of a file that aligns nothing");
    free(copy);
}

static void refused(const char *what, const char *word)
{
    struct rn_session *s;
    struct rn_model *m;
    int status = rn_session_open(&s, &m, changed, 1, 2);
    ok(status == RN_EFORMAT && !s && !m && strstr(rn_error(), word), "%s: %s", what, rn_error());
}

/* A flipped bit in the middle of tensors all over the file, a cut, a damaged header. */
static void test_damage(void)
{
    struct rn_weights *w;
    if (!ok(!rn_weights_open(&w, whole), "the file is read"))
        return;
    for (int i = 0; i < w->tensors; i += i < 2 ? 1 : 7) {
        const struct rn_tensor *t = &w->tensor[i];
        char word[128];
        size_t at = (size_t)((const uint8_t *)t->data - w->map.data) + t->bytes / 2;
        snprintf(word, sizeof word, "tensor %s is damaged", t->name);
        bytes[at] ^= 4;
        ok(save(changed, bytes, size), "a bit of %s is flipped", t->name);
        refused("which is said", word);
        bytes[at] ^= 4;
    }
    rn_weights_close(w);
    ok(save(changed, bytes, size / 2), "half a file");
    refused("is refused", "truncated");
    bytes[20] ^= 1;
    ok(save(changed, bytes, size), "a flipped bit in the header");
    refused("is refused", "changed.safetensors");
    bytes[20] ^= 1;
}

/* A checkpoint's tensors beside the model's are looked at, too. */
static void test_beside(const struct rn_model *m, const float *right)
{
    struct rn_weights w;
    struct rn_map map;
    float velocity[] = { 1, 2, 3 }, logits[CLASSES];
    bool good = !rn_gather_model(&w, m) &&
                !rn_gather_tensor(&w, "optim.velocity", RN_F32, 1, (int[]){ 3 }, velocity) &&
                !rn_gather_write(&w, changed);
    rn_gather_release(&w);
    ok(good && logits_of(changed, 2, logits) && !memcmp(logits, right, sizeof logits),
       "a checkpoint is opened as a model");
    if (!ok(!rn_map_open(&map, changed), "it is read"))
        return;
    uint8_t *copy = malloc(map.size);
    size_t n = map.size;
    memcpy(copy, map.data, n);
    rn_map_close(&map);
    for (size_t i = 0; i + sizeof velocity <= n; i++)
        if (!memcmp(copy + i, velocity, sizeof velocity))
            copy[i] ^= 1;
    ok(save(changed, copy, n), "and damaged beside the model");
    refused("which is said", "tensor optim.velocity is damaged");
    free(copy);
}

/* The model's values are its own: the file stays as it is. */
static void test_private(void)
{
    struct rn_session *s;
    struct rn_model *m;
    struct rn_map map;
    if (!ok(!rn_session_open(&s, &m, whole, 1, 2), "opened again"))
        return;
    rn_model_init(m, RN_INIT_DEFAULT, 99);
    ok(!rn_map_open(&map, whole) && map.size == size && !memcmp(map.data, bytes, size),
       "new values for the model leave its file alone");
    rn_map_close(&map);
    rn_session_free(s);
    rn_model_free(m);
}

/* The way by memory: what all else is held against. */
static bool reference(struct rn_model *m, float *right)
{
    struct rn_session *s;
    struct rn_map map;
    for (int i = 0; i < PICTURE; i++)
        x[i] = (float)(i * 37 % 101) / 50 - 1;
    if (rn_model_write(m, whole) || rn_session_new(&s, m, 1, 1) || rn_map_open(&map, whole))
        return false;
    rn_session_run(s, x, 1, right);
    rn_session_free(s);
    bytes = malloc(size = map.size);
    memcpy(bytes, map.data, size);
    rn_map_close(&map);
    return true;
}

int main(void)
{
    struct rn_model *m;
    float right[CLASSES];
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    sprintf(whole, "%s/whole.safetensors", folder);
    sprintf(changed, "%s/changed.safetensors", folder);
    if (ok(!rn_model_new(&m, spec, 2, SIDE, SIDE, CLASSES), "%s", spec)) {
        rn_model_init(m, RN_INIT_DEFAULT, 5);
        if (ok(reference(m, right), "a model is written, and run from memory")) {
            test_threads(right);
            test_misaligned(right);
            test_damage();
            test_beside(m, right);
            test_private();
        }
    }
    rn_model_free(m);
    free(bytes);
    unlink(whole);
    unlink(changed);
    rmdir(folder);
    return done();
}
