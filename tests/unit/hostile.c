/*
 * Weight files that are broken or made to harm, given to rn-convert itself: each is refused by one
 * sentence that names it, with exit status 2, without an output file, in less than a second of the
 * processor's time and in 64 MB. Nothing in a file is ever run: the ones that try would leave a
 * file in the folder.
 */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "folder.h"
#include "tap.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer)
enum { MEMORY_MAX = 1 << 20, SECONDS_MAX = 30 }; /* KB; sanitizers take more of both */
#else
enum { MEMORY_MAX = 64 << 10, SECONDS_MAX = 1 };
#endif
enum { VALUES = 60000 };

/* ---- one file given to rn-convert ---- */

static char tool[4096];

struct outcome {
    int status;
    double seconds;
    long memory;     /* KB */
    char text[8192]; /* of standard error */
};

static void run(struct outcome *o, const char *path)
{
    const char *out = in_dir("out"), *err = in_dir("err");
    char *argv[] = { tool, "--names", "keep", "-o", (char *)out, (char *)path, NULL };
    posix_spawn_file_actions_t files;
    struct rusage used = { 0 };
    pid_t pid;
    int status = -1;
    *o = (struct outcome){ .status = -1 };
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC,
                                     0666);
    if (!posix_spawn(&pid, tool, &files, NULL, argv, environ) && wait4(pid, &status, 0, &used) > 0)
        o->status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
    posix_spawn_file_actions_destroy(&files);
    o->seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    o->memory = used.ru_maxrss;
    FILE *f = fopen(err, "r");
    if (f) {
        o->text[fread(o->text, 1, sizeof(o->text) - 1, f)] = '\0';
        fclose(f);
    }
}

/* Is it one line that begins with the tool and the file's name and has `says` in it? */
static bool one_sentence(const char *text, const char *path, const char *says)
{
    size_t n = strlen(text), tool_bytes = strlen("rn-convert: ");
    return n > tool_bytes && !strncmp(text, "rn-convert: ", tool_bytes) &&
           !strncmp(text + tool_bytes, path, strlen(path)) && strstr(text, says) &&
           strchr(text, '\n') == text + n - 1;
}

static int cases;

static void refused(const char *what, const void *data, size_t n, const char *says)
{
    struct outcome o;
    const char *path = put("case.pth", data, n);
    run(&o, path);
    bool left = !access(in_dir("out"), F_OK) || !access(in_dir("out.tmp"), F_OK) ||
                !access(in_dir("pwned"), F_OK);
    cases++;
    ok(o.status == 2 && one_sentence(o.text, path, says) && !left && o.seconds < SECONDS_MAX &&
           o.memory < MEMORY_MAX,
       "%s: exit %d, %.2f s, %ld KB%s: %.*s", what, o.status, o.seconds, o.memory,
       left ? ", LEFT A FILE" : "", (int)strcspn(o.text, "\n"), o.text);
    unlink(in_dir("out"));
}

static void accepted(const char *what, const void *data, size_t n)
{
    struct outcome o;
    run(&o, put("case.pth", data, n));
    ok(o.status == 0 && !*o.text, "%s is accepted: %s", what, o.text);
    unlink(in_dir("out"));
}

/* ---- bytes ---- */

struct bytes {
    uint8_t *data;
    size_t n, room;
};

static void add(struct bytes *b, const void *data, size_t n)
{
    if (b->n + n + 1 > b->room) {
        b->room = 2 * b->room + n + 1;
        b->data = realloc(b->data, b->room);
    }
    if (n)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

static void add_number(struct bytes *b, uint64_t v, size_t bytes)
{
    add(b, &v, bytes);
}

/* ---- zip archives ---- */

struct member {
    const char *name;
    const void *data; /* NULL: zeros, which are not stored */
    size_t n;
    const void *packed; /* NULL: stored */
    size_t packed_bytes;
};

static const uint8_t zeros[1 << 16];

/* Of n bytes; without them in memory, as what this program holds counts for the tool it starts. */
static uint32_t crc(const void *data, size_t n)
{
    uLong sum = 0;
    if (data)
        return n ? (uint32_t)crc32_z(0, data, n) : 0;
    for (size_t i = 0; i < n; i += sizeof(zeros))
        sum = crc32_z(sum, zeros, n - i < sizeof(zeros) ? n - i : sizeof(zeros));
    return (uint32_t)sum;
}

static void add_header(struct bytes *b, const struct member *m, bool central, size_t offset)
{
    size_t n = strlen(m->name), packed = m->packed ? m->packed_bytes : m->n;
    add_number(b, central ? 0x02014b50 : 0x04034b50, 4);
    if (central)
        add_number(b, 20, 2);
    add_number(b, 20, 2);
    add_number(b, 0, 2);
    add_number(b, m->packed ? 8 : 0, 2);
    add_number(b, 0, 4);
    add_number(b, crc(m->data, m->n), 4);
    add_number(b, packed, 4);
    add_number(b, m->n, 4);
    add_number(b, n, 2);
    add_number(b, 0, 2);
    if (central) {
        add_number(b, 0, 8);
        add_number(b, 0, 2);
        add_number(b, offset, 4);
    }
    add(b, m->name, n);
}

static struct bytes zip(const struct member m[], int members)
{
    struct bytes b = { 0 };
    size_t offset[8];
    for (int i = 0; i < members; i++) {
        offset[i] = b.n;
        add_header(&b, &m[i], false, 0);
        add(&b, m[i].packed ? m[i].packed : m[i].data, m[i].packed ? m[i].packed_bytes : m[i].n);
    }
    size_t directory = b.n;
    for (int i = 0; i < members; i++)
        add_header(&b, &m[i], true, offset[i]);
    size_t end = b.n;
    add_number(&b, 0x06054b50, 4);
    add_number(&b, 0, 4);
    add_number(&b, (uint64_t)members, 2);
    add_number(&b, (uint64_t)members, 2);
    add_number(&b, end - directory, 4);
    add_number(&b, directory, 4);
    add_number(&b, 0, 2);
    return b;
}

/* ---- pickles, in an archive with one storage of six floats ---- */

static const float floats[6] = { 1, 2, 3, 4, 5, 6 };

static struct bytes archive(const void *pickle, size_t n)
{
    const struct member m[] = { { "a/data.pkl", pickle, n, NULL, 0 },
                                { "a/data/0", floats, sizeof(floats), NULL, 0 },
                                { "a/version", "3\n", 2, NULL, 0 } };
    return zip(m, 3);
}

#define OD "ccollections\nOrderedDict\n)R"
#define STORED(type, key, count) "(U\7storagectorch\n" type "\nU\1" key "U\3cpu" count "tQ"
#define STORAGE STORED("FloatStorage", "0", "K\6")
#define V2 "ctorch._utils\n_rebuild_tensor_v2\n"
#define TENSOR(storage, offset, dims, strides)                                                     \
    V2 "(" storage offset "(" dims "t(" strides "t\x89" OD "tR"
#define GOOD TENSOR(STORAGE, "K\0", "K\2K\3", "K\3K\1")
#define DICT(tensor) "\x80\2}U\1w" tensor "s."
#define P(text) text, sizeof(text) - 1

static const struct {
    const char *what, *pickle;
    size_t n;
    const char *says;
} pickles[] = {
    /* what makes objects or runs code */
    { "REDUCE of os.system", P("\x80\2cos\nsystem\nU\14touch pwned.\x85R."), "names os.system" },
    { "REDUCE of posix.system", P("\x80\2cposix\nsystem\nU\5pwned\x85R."), "posix.system" },
    { "REDUCE of eval", P("\x80\2c__builtin__\neval\nU\0011\x85R."), "__builtin__.eval" },
    { "REDUCE of builtins.exec", P("\x80\2cbuiltins\nexec\nU\0011\x85R."), "builtins.exec" },
    { "getattr", P("\x80\2c__builtin__\ngetattr\n."), "__builtin__.getattr" },
    { "subprocess", P("\x80\2csubprocess\nPopen\n."), "subprocess.Popen" },
    { "torch.load itself", P("\x80\2ctorch\nload\n."), "torch.load" },
    { "_load_from_bytes", P("\x80\2ctorch.storage\n_load_from_bytes\n."), "_load_from_bytes" },
    { "a dotted name", P("\x80\2ctorch\n_utils._rebuild_tensor\n."), "_utils._rebuild_tensor" },
    { "a name past a row's end", P("\x80\2ctorch\nSizes\n."), "torch.Sizes" },
    { "half a row's name", P("\x80\2ctorch\nSiz\n."), "torch.Siz" },
    { "no module", P("\x80\2c\n\n."), "it names ." },
    { "REDUCE of a dtype", P("\x80\2ctorch\nfloat32\n)R."), "REDUCE of torch.float32" },
    { "REDUCE of a storage's type", P("\x80\2ctorch\nFloatStorage\nK\xff\x85R."), "not called" },
    { "REDUCE of a number", P("\x80\2K\1)R."), "no name" },
    { "REDUCE of a tensor", P("\x80\2" GOOD ")R."), "no name" },
    { "REDUCE without a tuple", P("\x80\2ccollections\nOrderedDict\n]R."), "no name" },
    { "INST", P("\x80\2(ios\nsystem\n."), "opcode INST" },
    { "OBJ of a known name", P("\x80\2(ctorch\nSize\no."), "opcode OBJ" },
    { "NEWOBJ", P("\x80\2ccollections\nOrderedDict\n)\x81."), "opcode NEWOBJ" },
    { "NEWOBJ of a number", P("\x80\2K\1)\x81."), "opcode NEWOBJ" },
    { "NEWOBJ_EX", P("\x80\2cargparse\nNamespace\n)}\x92."), "opcode NEWOBJ_EX" },
    { "BUILD of a number", P("\x80\2K\1}b."), "opcode BUILD" },
    { "BUILD of a tensor", P("\x80\2" GOOD "}b."), "opcode BUILD" },
    { "BUILD of a name", P("\x80\2ctorch\nSize\n}b."), "opcode BUILD" },
    { "STACK_GLOBAL", P("\x80\2U\2osU\6system\x93."), "opcode STACK_GLOBAL" },
    { "EXT1", P("\x80\2\x82\1."), "opcode EXT1" },
    { "EXT2", P("\x80\2\x83\1\1."), "opcode EXT2" },
    { "EXT4", P("\x80\2\x84\1\1\1\1."), "opcode EXT4" },
    { "PERSID", P("\x80\2Pstorage\n."), "opcode PERSID" },
    { "an opcode of protocol 0", P("\x80\2I1\n."), "opcode 0x49" },
    { "FRAME", P("\x80\2\x95\0\0\0\0\0\0\0\0."), "opcode FRAME" },
    { "MEMOIZE", P("\x80\2]\x94."), "opcode MEMOIZE" },
    { "POP", P("\x80\2]]0."), "opcode 0x30" },
    { "DUP", P("\x80\2]2."), "opcode 0x32" },
    { "protocol 4", P("\x80\4]."), "protocol 4; torch.save(" },
    { "protocol 255", P("\x80\377]."), "protocol 255" },
    { "protocol 0", P("(lp0\n."), "no pickle of protocol 2" },
    { "PROTO once more", P("\x80\2\x80\2]."), "opcode 0x80" },
    /* stack and memo */
    { "an empty pickle", P(""), "no pickle" },
    { "STOP of nothing", P("\x80\2."), "stack is empty" },
    { "STOP at a mark", P("\x80\2(."), "stack is empty" },
    { "values left", P("\x80\2]]."), "left on its stack" },
    { "a mark left", P("\x80\2(]."), "left on its stack" },
    { "bytes behind STOP", P("\x80\2]. "), "behind its end" },
    { "a second pickle", P("\x80\2].\x80\2cos\nsystem\n."), "behind its end" },
    { "no STOP", P("\x80\2]"), "truncated" },
    { "TUPLE3 of two", P("\x80\2NN\x87."), "stack is empty" },
    { "TUPLE1 of a mark", P("\x80\2(\x85."), "stack is empty" },
    { "TUPLE without a mark", P("\x80\2Nt."), "no mark" },
    { "SETITEMS without a mark", P("\x80\2}NNu."), "no mark" },
    { "SETITEMS of an odd number", P("\x80\2}(Nu."), "a key without a value" },
    { "SETITEM of a list", P("\x80\2]NNs."), "no dict" },
    { "APPEND to a dict", P("\x80\2}Na."), "no list" },
    { "APPENDS to nothing", P("\x80\2(Ne."), "stack is empty" },
    { "a memo that was not put", P("\x80\2h\1."), "no such entry" },
    { "a memo far away", P("\x80\2j\xff\xff\xff\xff."), "no such entry" },
    { "a put far away", P("\x80\2]r\xff\xff\xff\xff."), "memo has a hole" },
    { "a put of nothing", P("\x80\2q\0."), "stack is empty" },
    { "a put of a mark", P("\x80\2(q\0."), "stack is empty" },
    { "a list in itself", P("\x80\2]q\0h\0a."), "it is no dict" },
    { "a dict in itself", P("\x80\2}q\0U\5modelh\0s."), "no tensor" },
    { "a tuple for a dict", P("\x80\2)."), "it is no dict" },
    { "a string past the end", P("\x80\2X\xff\xff\xff\xffw."), "truncated" },
    { "a long past the end", P("\x80\2\x8b\xff\xff\xff\xff."), "truncated" },
    { "a name past the end", P("\x80\2ctorch\nSize"), "truncated" },
    /* tensors */
    { "no tensor", P("\x80\2}U\5epochK\1s."), "no tensor" },
    { "one tensor alone", P("\x80\2" GOOD "."), "without a name" },
    { "a number for its name", P("\x80\2}K\1" GOOD "s."), "whose name is none" },
    { "an empty name", P("\x80\2}U\0" GOOD "s."), "whose name is none" },
    { "a NUL in its name", P("\x80\2}U\3a\0b" GOOD "s."), "whose name is none" },
    { "a name that is no UTF-8", P("\x80\2}U\1\xff" GOOD "s."), "no UTF-8" },
    { "a name twice", P("\x80\2}(U\1w" GOOD "U\1w" GOOD "u."), "two tensors are named w" },
    { "past the end", P(DICT(TENSOR(STORAGE, "K\1", "K\2K\3", "K\3K\1"))), "past the end" },
    { "an offset past the end", P(DICT(TENSOR(STORAGE, "K\7", "K\0", "K\1"))), "past the end" },
    { "strides past the end", P(DICT(TENSOR(STORAGE, "K\0", "K\2K\3", "K\4K\1"))), "past" },
    { "a huge stride",
      P(DICT(TENSOR(STORAGE, "K\0", "K\2", "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f"))), "past" },
    { "a huge size",
      P(DICT(TENSOR(STORAGE, "K\0", "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f", "K\1"))),
      "overflows" },
    { "sizes that overflow",
      P(DICT(TENSOR(STORAGE, "K\0", "J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f",
                    "K\0K\0K\0"))),
      "overflows" },
    { "a view of stride 0", P(DICT(TENSOR(STORAGE, "K\0", "J\0\0\0\x10", "K\0"))), "no weights" },
    { "a negative size", P(DICT(TENSOR(STORAGE, "K\0", "J\xff\xff\xff\xff", "K\1"))), "none" },
    { "a negative stride", P(DICT(TENSOR(STORAGE, "K\0", "K\2", "J\xff\xff\xff\xff"))), "none" },
    { "a negative offset", P(DICT(TENSOR(STORAGE, "J\xff\xff\xff\xff", "K\2", "K\1"))), "none" },
    { "too few strides", P(DICT(TENSOR(STORAGE, "K\0", "K\2K\3", "K\1"))), "strides are none" },
    { "nine dimensions",
      P(DICT(TENSOR(STORAGE, "K\0", "K\1K\1K\1K\1K\1K\1K\1K\1K\1", "K\1K\1K\1K\1K\1K\1K\1K\1K\1"))),
      "9 dimensions" },
    { "a tensor of no storage", P(DICT(TENSOR("N", "K\0", "K\1", "K\1"))), "no storage" },
    { "a tensor of nothing", P("\x80\2" V2 ")R."), "no storage" },
    { "a parameter of nothing", P("\x80\2ctorch._utils\n_rebuild_parameter\n)R."), "of nothing" },
    { "a sparse tensor", P("\x80\2ctorch._utils\n_rebuild_sparse_tensor\n."), "sparse" },
    { "a quantised tensor", P("\x80\2ctorch._utils\n_rebuild_qtensor\n."), "qtensor" },
    { "complex numbers", P("\x80\2ctorch\nComplexFloatStorage\n."), "ComplexFloatStorage" },
    { "more elements than the storage",
      P(DICT(TENSOR(STORED("FloatStorage", "0", "K\7"), "K\0", "K\1", "K\1"))), "24 bytes, not 7" },
    { "fewer elements than the storage",
      P(DICT(TENSOR(STORED("FloatStorage", "0", "K\5"), "K\0", "K\1", "K\1"))), "24 bytes, not 5" },
    { "a storage of another size",
      P(DICT(TENSOR(STORED("DoubleStorage", "0", "K\6"), "K\0", "K\1", "K\1"))), "of F64" },
    { "a storage that is not there",
      P(DICT(TENSOR(STORED("FloatStorage", "1", "K\6"), "K\0", "K\1", "K\1"))),
      "no storage data/1" },
    { "a storage that nothing refers to", P(DICT(TENSOR("K\1", "K\0", "K\1", "K\1"))),
      "no storage" },
    { "a persistent id of two", P("\x80\2U\7storageN\x86Q."), "no storage" },
    { "a persistent id of a module", P("\x80\2(U\6modulectorch\nFloatStorage\nU\0010U\1xK\6tQ."),
      "no storage" },
    { "a persistent id of no type", P("\x80\2(U\7storageNU\0010U\1xK\6tQ."), "no storage" },
    { "a persistent id of a dtype", P("\x80\2(U\7storagectorch\nfloat32\nU\0010U\1xK\6tQ."),
      "no storage" },
    { "a negative number of elements",
      P("\x80\2(U\7storagectorch\nFloatStorage\nU\0010U\1xJ\xff\xff\xff\xfftQ."), "no storage" },
    { "a view past its storage",
      P("\x80\2(U\7storagectorch\nFloatStorage\nU\0010U\1xK\6(U\1vK\4K\3ttQ."), "past the end" },
    { "an OrderedDict of numbers", P("\x80\2ccollections\nOrderedDict\n](K\1K\2e\x85R."),
      "no pairs" },
    { "a whole module", P("\x80\2ctorch.nn.modules.conv\nConv2d\n)\x81}b."), "a whole module" },
    { "a class around modules", P("\x80\2cresnet\nResNet\nU\x16torch.nn.modules.conv.x\x81."),
      "torch.save(model.state_dict()" },
};

/* Pickles that are long: `head`, `times` the middle, `tail`. */
static void refused_long(const char *what, const char *head, const char *middle, size_t times,
                         const char *tail, const char *says)
{
    struct bytes pickle = { 0 };
    add(&pickle, head, strlen(head));
    for (size_t i = 0; i < times; i++)
        add(&pickle, middle, strlen(middle));
    add(&pickle, tail, strlen(tail));
    struct bytes b = archive(pickle.data, pickle.n);
    refused(what, b.data, b.n, says);
    free(b.data);
    free(pickle.data);
}

static void test_pickles(void)
{
    struct bytes b = archive(P(DICT(GOOD)));
    accepted("a state dict", b.data, b.n);
    free(b.data);
    for (size_t i = 0; i < sizeof(pickles) / sizeof(pickles[0]); i++) {
        b = archive(pickles[i].pickle, pickles[i].n);
        refused(pickles[i].what, b.data, b.n, pickles[i].says);
        free(b.data);
    }
    refused_long("lists in lists", "\x80\2", "](", 70000, "", "nested too deep");
    refused_long("marks", "\x80\2", "(", 70000, "", "too many");
    refused_long("tuples in tuples", "\x80\2N", "\x85", 70000, ".", "nested too deep");
    refused_long("dicts in dicts", "\x80\2", "}U\1x", 200, "", "truncated");
    char *many = calloc(1, 2 * VALUES + 3); /* a tuple of numbers, again and again */
    memset(many, '(', 1);
    for (int i = 0; i < VALUES; i++)
        memcpy(many + 1 + 2 * i, "K\1", 2);
    many[2 * VALUES + 1] = 't';
    refused_long("more values than memory", "\x80\2", many, 40, ".", "more memory than the limit");
    free(many);
}

/* ---- archives with something wrong ---- */

/* The bytes `n` at `at` behind the nth place of `magic` become `to`. */
struct patch {
    const char *what, *magic;
    int nth;
    size_t at, n;
    uint64_t to;
    const char *says;
};

static const char local[] = "PK\3\4", central[] = "PK\1\2", end_record[] = "PK\5\6";

static const struct patch patches[] = {
    { "a wrong CRC in the directory", central, 1, 16, 4, 1, "not what the directory says" },
    { "a wrong CRC in the header", local, 1, 14, 4, 1, "not what the directory says" },
    { "damaged data", local, 1, 30 + 8, 1, 9, "CRC differs" },
    { "an encrypted member", central, 1, 8, 2, 1, "encrypted" },
    { "strange flags", central, 1, 8, 2, 0x2000, "not read" },
    { "flags that differ", local, 1, 6, 2, 0x800, "not what the directory says" },
    { "bzip2", central, 1, 10, 2, 12, "another method" },
    { "deflated in one header", local, 1, 8, 2, 8, "not what the directory says" },
    { "of two sizes", central, 1, 24, 4, 25, "two sizes" },
    { "another size in the header", local, 1, 22, 4, 25, "not what the directory says" },
    { "a member past the end", central, 1, 42, 4, 0xffffff, "what stands behind its data" },
    { "two members in one place", central, 1, 42, 4, 0, "not where the directory says" },
    { "a member inside another", central, 1, 42, 4, 9, "not where the directory says" },
    { "4 GB without zip64", central, 1, 24, 4, 0xffffffff, "damaged" },
    { "no local header", local, 1, 0, 4, 0, "not where" },
    { "another name in the header", local, 1, 30, 1, 'b', "not what the directory says" },
    { "a longer name in the header", local, 1, 26, 2, 9, "reaches into" },
    { "a name past the end", local, 1, 26, 2, 0xffff, "reaches into" },
    { "a name past the directory", central, 1, 28, 2, 0xffff, "directory is damaged" },
    { "a comment past the directory", central, 2, 32, 2, 9, "directory is damaged" },
    { "no row", central, 1, 0, 4, 0, "directory is damaged" },
    { "a member on another disk", central, 1, 34, 2, 1, "row in the directory" },
    { "fewer members", end_record, 0, 8, 4, 0x00020002, "more in it than it says" },
    { "more members", end_record, 0, 8, 4, 0x00040004, "smaller than it says" },
    { "far more members", end_record, 0, 8, 4, 0xffffffff, "smaller than it says" },
    { "two numbers of members", end_record, 0, 8, 2, 2, "several parts" },
    { "a second disk", end_record, 0, 4, 2, 1, "several parts" },
    { "a directory elsewhere", end_record, 0, 16, 4, 0, "not where it says" },
    { "a directory past the end", end_record, 0, 16, 4, 0xffffffff, "not where it says" },
    { "a directory of another size", end_record, 0, 12, 4, 1, "not where it says" },
    { "a comment at the end", end_record, 0, 20, 2, 1, "behind its end" },
    { "no end", end_record, 0, 0, 4, 0, "behind its end" },
};

static void test_patches(void)
{
    for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
        const struct patch *p = &patches[i];
        struct bytes b = archive(P(DICT(GOOD)));
        uint8_t *at = b.data;
        for (int nth = p->nth; (at = memmem(at, (size_t)(b.data + b.n - at), p->magic, 4)) && nth;
             nth--)
            at += 4;
        memcpy(at + p->at, &p->to, p->n);
        refused(p->what, b.data, b.n, p->says);
        free(b.data);
    }
}

static void refused_members(const char *what, const struct member m[], int members,
                            const char *says)
{
    struct bytes b = zip(m, members);
    refused(what, b.data, b.n, says);
    free(b.data);
}

/* What raw deflate makes of n zeros. */
static struct bytes deflate_zeros(size_t n)
{
    struct bytes b = { calloc(1, n / 500 + 1000), n / 500 + 1000, 0 };
    z_stream z = { .next_out = b.data, .avail_out = (unsigned)b.n };
    deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
    for (size_t left = n; left; left -= z.avail_in) {
        z.next_in = (uint8_t *)(uintptr_t)zeros;
        z.avail_in = (unsigned)(left < sizeof(zeros) ? left : sizeof(zeros));
        unsigned given = z.avail_in;
        deflate(&z, left <= sizeof(zeros) ? Z_FINISH : Z_NO_FLUSH);
        z.avail_in = given;
    }
    b.n = z.total_out;
    deflateEnd(&z);
    return b;
}

#define PICKLE                                                                                     \
    {                                                                                              \
        "a/data.pkl", P(DICT(GOOD)), NULL, 0                                                       \
    }
#define BLOCK                                                                                      \
    {                                                                                              \
        "a/data/0", floats, sizeof(floats), NULL, 0                                                \
    }

static void test_members(void)
{
    static const struct {
        const char *what;
        struct member m;
        const char *says;
    } third[] = {
        { "a member twice", BLOCK, "two members are named" },
        { "the pickle twice", PICKLE, "two members are named" },
        { "a storage of nobody", { "a/data/1", "x", 1, NULL, 0 }, "nothing refers to it" },
        { "a strange member", { "a/evil.py", "x", 1, NULL, 0 }, "nothing refers to it" },
        { "another folder", { "b/data/1", "x", 1, NULL, 0 }, "outside" },
        { "a name with ..", { "a/../../etc/passwd", "x", 1, NULL, 0 }, "none to trust" },
        { "a name that is ..", { "..", "x", 1, NULL, 0 }, "none to trust" },
        { "a name from the root", { "/etc/passwd", "x", 1, NULL, 0 }, "none to trust" },
        { "a name with a backslash", { "a\\b", "x", 1, NULL, 0 }, "none to trust" },
        { "a name with an escape", { "a/\x1b[2J", "x", 1, NULL, 0 }, "none to trust" },
        { "a name with a newline", { "a/\nb", "x", 1, NULL, 0 }, "none to trust" },
        { "a name that is no UTF-8", { "a/\xff", "x", 1, NULL, 0 }, "none to trust" },
        { "an empty name", { "", "x", 1, NULL, 0 }, "none to trust" },
        { "big-endian", { "a/byteorder", "big", 3, NULL, 0 }, "big-endian" },
        { "TorchScript", { "a/constants.pkl", "x", 1, NULL, 0 }, "TorchScript" },
        { "TorchScript's code", { "a/code/__torch__.py", "x", 1, NULL, 0 }, "TorchScript" },
        { "metadata that are no JSON", { "a/rn.metadata", "x", 1, NULL, 0 }, "no JSON" },
        { "metadata that are no object", { "a/rn.metadata", "[]", 2, NULL, 0 }, "no object" },
        { "metadata of numbers", { "a/rn.metadata", "{\"a\":1}", 7, NULL, 0 }, "no string" },
        { "rn.spec without rn.hash",
          { "a/rn.metadata", "{\"rn.spec\":\"x\"}", 15, NULL, 0 },
          "no rn.hash" },
        { "rn.hash of others", { "a/rn.metadata", "{\"rn.hash\":\"x\"}", 15, NULL, 0 }, "damaged" },
    };
    for (size_t i = 0; i < sizeof(third) / sizeof(third[0]); i++)
        refused_members(third[i].what, (struct member[]){ PICKLE, BLOCK, third[i].m }, 3,
                        third[i].says);
    refused_members("no folder", (struct member[]){ { "data.pkl", "x", 1, NULL, 0 } }, 1,
                    "neither PyTorch's");
    refused_members("no pickle", (struct member[]){ { "a/x", "x", 1, NULL, 0 } }, 1,
                    "without a data.pkl");
    refused_members("no members", NULL, 0, "an empty zip archive");
    struct bytes z = deflate_zeros(sizeof(floats));
    refused_members("a deflated storage",
                    (struct member[]){ PICKLE, { "a/data/0", floats, 24, z.data, z.n } }, 2,
                    "compressed");
    free(z.data);
    struct bytes b = archive(P(DICT(GOOD)));
    add(&b, "x", 1);
    refused("a byte behind the end", b.data, b.n, "behind its end");
    free(b.data);
}

/* ---- .npz ---- */

static const struct {
    const char *what, *dict;
    size_t data; /* bytes behind the header */
    const char *says;
} arrays[] = {
    { "objects", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, "Python objects" },
    { "objects of 8 bytes", "{'descr': '<O8', 'fortran_order': False, 'shape': (1,), }", 8,
      "Python objects" },
    { "records", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4,
      "records" },
    { "big-endian", "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4, "big-endian" },
    { "text", "{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", 16, "type '<U4'" },
    { "complex", "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "type '<c8'" },
    { "no type", "{'fortran_order': False, 'shape': (1,), }", 4, "lacks a key" },
    { "a key twice", "{'shape': (1,), 'shape': (1,), }", 4, "twice" },
    { "a strange key", "{'descr': '<f4', 'evil': 1}", 4, "strange" },
    { "an expression", "{'descr': __import__('os').system('x')}", 4, "no type" },
    { "a negative size", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4,
      "shape is none" },
    { "an order of no kind", "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", 4,
      "order" },
    { "more than its data", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4,
      "needs 8 bytes, has 4" },
    { "fewer than its data", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 8,
      "needs 4 bytes, has 8" },
    { "an overflow",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 4,
      "overflows" },
    { "a huge number",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4, "none" },
    { "nine dimensions", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
      4, "more than 8" },
    { "no dict", "[]", 4, "no dict" },
    { "an open dict", "{'descr': '<f4', 'shape': (1,)", 4, "no dict" },
    { "something behind the dict", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4,
      "more behind" },
};

static struct bytes array(const char *dict, size_t data, unsigned length)
{
    struct bytes b = { 0 };
    add(&b, "\x93NUMPY\1\0", 8);
    add_number(&b, length, 2);
    add(&b, dict, strlen(dict));
    add(&b, zeros, data);
    return b;
}

static void refused_array(const char *what, struct bytes a, const char *says)
{
    refused_members(what, (struct member[]){ { "w.npy", a.data, a.n, NULL, 0 } }, 1, says);
    free(a.data);
}

static void test_arrays(void)
{
    const char *dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
    unsigned n = (unsigned)strlen(dict);
    struct bytes a = array(dict, 4, n);
    struct bytes z = zip((struct member[]){ { "w.npy", a.data, a.n, NULL, 0 } }, 1);
    accepted("an array", z.data, z.n);
    free(z.data);
    free(a.data);
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        refused_array(arrays[i].what,
                      array(arrays[i].dict, arrays[i].data, (unsigned)strlen(arrays[i].dict)),
                      arrays[i].says);
    refused_array("a header past the end", array(dict, 4, 0xffff), "longer than the array");
    refused_array("another magic number", archive("x", 1), "does not begin");
    a = array(dict, 4, n);
    a.data[6] = 9;
    refused_array("version 9", a, "version");
    a = array(dict, 4, n);
    refused_members(
        "a member that is no array",
        (struct member[]){ { "w.npy", a.data, a.n, NULL, 0 }, { "x", "x", 1, NULL, 0 } }, 2,
        "no array");
    free(a.data);
}

/* A deflated member of `n` zeros that is said to have `said`. */
static void refused_zeros(const char *what, size_t n, size_t said, const char *says)
{
    struct bytes z = deflate_zeros(n);
    refused_members(what, (struct member[]){ { "w.npy", NULL, said, z.data, z.n } }, 1, says);
    free(z.data);
}

static void test_bombs(void)
{
    refused_zeros("a bomb", 64 << 20, 64 << 20, "unpacks to more than the limit");
    refused_zeros("a bomb that says it is small", 64 << 20, 100, "deflated data are damaged");
    refused_zeros("less than it says", 100, 1 << 20, "deflated data are damaged");
    refused_members("no deflated data", (struct member[]){ { "w.npy", "x", 1, "\xff\xff", 2 } }, 1,
                    "deflated data are damaged");
}

/* ---- files from before 1.6 ---- */

#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define VERSION "\x80\2M\xe9\3."
#define FACTS "\x80\2}U\15little_endian\x88s."
#define HEAD MAGIC VERSION FACTS
#define KEYS                                                                                       \
    "\x80\2]U\1"                                                                                   \
    "0a."
#define COUNT "\6\0\0\0\0\0\0\0"
#define DATA "123456789012345678901234"

static const struct {
    const char *what, *bytes;
    size_t n;
    const char *says;
} legacy[] = {
    { "any pickle", P("\x80\2]."), "not torch.save's" },
    { "a newer pickle", P("\x80\4\x95\1\0\0\0\0\0\0\0N."), "protocol 4; torch.save(" },
    { "os.system alone", P("\x80\2cos\nsystem\nU\14touch pwned.\x85R."), "not torch.save's" },
    { "the magic alone", P(MAGIC), "no pickle" },
    { "another version", P(MAGIC "\x80\2M\xea\3." FACTS), "version" },
    { "a version of no number", P(MAGIC "\x80\2N." FACTS), "version" },
    { "a big-endian machine", P(MAGIC VERSION "\x80\2}U\15little_endian\x89s."), "big-endian" },
    { "no byte order", P(MAGIC VERSION "\x80\2}."), "byte order" },
    { "os.system behind the head", P(HEAD "\x80\2cos\nsystem\n)R."), "names os.system" },
    { "no keys", P(HEAD DICT(GOOD)), "no pickle" },
    { "keys of no list", P(HEAD DICT(GOOD) "\x80\2}." COUNT DATA), "list of storages" },
    { "a key that is no string", P(HEAD DICT(GOOD) "\x80\2]K\0a." COUNT DATA), "list of" },
    { "a key of nobody",
      P(HEAD DICT(GOOD) "\x80\2]U\1"
                        "1a." COUNT DATA),
      "nothing refers" },
    { "a key too few", P(HEAD DICT(GOOD) "\x80\2]."), "lacks one" },
    { "a key twice",
      P(HEAD DICT(GOOD) "\x80\2](U\1"
                        "0U\1"
                        "0e." COUNT DATA COUNT DATA),
      "there twice" },
    { "another number of elements", P(HEAD DICT(GOOD) KEYS "\7\0\0\0\0\0\0\0" DATA "1234"),
      "another number" },
    { "no number of elements", P(HEAD DICT(GOOD) KEYS "\6\0\0"), "truncated" },
    { "too few data", P(HEAD DICT(GOOD) KEYS COUNT "123"), "truncated" },
    { "too many data", P(HEAD DICT(GOOD) KEYS COUNT DATA "x"), "1 bytes behind" },
    { "tensors that do not agree",
      P(HEAD "\x80\2}(U\1w" GOOD "U\1v" TENSOR(STORED("IntStorage", "0", "K\6"), "K\0", "K\6",
                                               "K\1") "u." KEYS COUNT DATA),
      "do not agree" },
};

static void test_legacy(void)
{
    accepted("a file from before 1.6", P(HEAD DICT(GOOD) KEYS COUNT DATA));
    for (size_t i = 0; i < sizeof(legacy) / sizeof(legacy[0]); i++)
        refused(legacy[i].what, legacy[i].bytes, legacy[i].n, legacy[i].says);
}

/* ---- safetensors, and what is no weight file ---- */

#define A(offsets) "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets "}"
#define B(offsets) ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets "}}"

static const struct {
    const char *what;
    uint64_t length; /* 0: that of the header */
    const char *header;
    size_t data;
    const char *says;
} tensors[] = {
    { "an overlap", 0, A("[0,4]") B("[3,7]"), 7, "begins at 3" },
    { "the same data twice", 0, A("[0,4]") B("[0,4]"), 4, "begins at 0" },
    { "a hole", 0, A("[0,4]") B("[5,9]"), 9, "begins at 5" },
    { "a tensor out of the file", 0, A("[0,4]") B("[4,8]"), 6, "truncated" },
    { "far out of the file", 0, A("[0,4]") B("[9223372036854775800,9223372036854775804]"), 8,
      "begins at" },
    { "bytes behind", 0, A("[0,4]") B("[4,8]"), 9, "1 bytes behind" },
    { "a tensor twice", 0, A("[0,4]") ",\"a\":{}}", 4, "duplicate" },
    { "a header past the end", 1 << 20, "{}", 0, "truncated" },
    { "a header over 100 MB", 100000001, "{}", 0, "limit" },
    { "a header of 2^63", 1ull << 63, "{}", 0, "limit" },
    { "a header of 2^64 - 1", UINT64_MAX, "{}", 0, "limit" },
};

static void test_safetensors(void)
{
    for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); i++) {
        struct bytes b = { 0 };
        size_t n = strlen(tensors[i].header);
        add_number(&b, tensors[i].length ? tensors[i].length : n, 8);
        add(&b, tensors[i].header, n);
        add(&b, zeros, tensors[i].data);
        refused(tensors[i].what, b.data, b.n, tensors[i].says);
        free(b.data);
    }
    struct bytes deep = { 0 };
    add_number(&deep, 8 << 20, 8);
    add(&deep, "{\"a\":", 5);
    for (size_t i = 5; i < 8 << 20; i++)
        add_number(&deep, i == (8 << 20) - 1 ? '}' : '[', 1);
    refused("lists in lists in JSON", deep.data, deep.n, "no JSON");
    free(deep.data);
}

static void test_strangers(void)
{
    static const struct {
        const char *what, *bytes, *says;
    } strangers[] = {
        { "nothing", "", "it is empty" },
        { "the first bytes of an archive", "PK\3\4", "truncated" },
        { "the first byte of an archive", "P", "not a weight file" },
        { "a web page", "<!DOCTYPE html><html>", "web page" },
        { "an LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:", "git LFS" },
        { "JSON", "{\"error\": \"not found\"}", "JSON" },
        { "HDF5", "\x89HDF\r\n\x1a\n", "HDF5" },
        { "gzip", "\x1f\x8b\x08", "gzip" },
        { "a single array", "\x93NUMPY\1", "NumPy array" },
        { "text", "weights", "not a weight file" },
    };
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        refused(strangers[i].what, strangers[i].bytes, strlen(strangers[i].bytes),
                strangers[i].says);
}

/* ---- files that end too early ---- */

static void test_truncated(const char *file, int steps)
{
    struct rn_map map;
    char what[256];
    if (!ok(!rn_map_open(&map, file), "%s is read", file))
        return;
    for (int i = 0; i < steps; i++) {
        size_t n = (map.size - 1) * (size_t)i / (size_t)(steps - 1);
        snprintf(what, sizeof(what), "%s cut at %zu", strrchr(file, '/') + 1, n);
        refused(what, map.data, n, "");
    }
    rn_map_close(&map);
}

int main(int argc, char **argv)
{
    (void)argc;
    snprintf(tool, sizeof(tool), "%s", argv[0]);
    for (int i = 0; i < 3 && strrchr(tool, '/'); i++)
        *strrchr(tool, '/') = '\0'; /* BUILD/tests/unit/hostile */
    strcat(tool, "/rn-convert");
    folder_make("hostile");
    test_pickles();
    test_patches();
    test_members();
    test_arrays();
    test_bombs();
    test_legacy();
    test_safetensors();
    test_strangers();
    test_truncated("tests/golden/foreign/types.pth", 12);
    test_truncated("tests/golden/foreign/views-old.pth", 12);
    test_truncated("tests/golden/foreign/deflated.npz", 12);
    ok(cases >= 120, "%d files", cases);
    ok(folder_remove(), "the folder is removed");
    return done();
}
