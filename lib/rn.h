/*
 * rn.h: the public interface of librn.a, residual networks on CPUs.
 *
 * Functions that can fail return 0 or a negative enum rn_status and leave one sentence in
 * rn_error(). Objects are made by `new` or `open` and given back by `free` or `close`, which accept
 * NULL. Pictures are [H][W][C] floats, channels innermost. Nothing here prints or exits.
 *
 * A whole program: the picture on stdin (rows of R G B bytes, as large as the model's input) named.
 * cc classify.c $(pkg-config --static --cflags --libs rn)
 *
 *     #include <rn.h>
 *     #include <stdlib.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct rn_model *m = NULL;
 *         struct rn_session *s = NULL;
 *         if (argc != 2 || rn_model_open(&m, argv[1]) || rn_session_new(&s, m, 1, 1)) {
 *             fprintf(stderr, "%s\n", argc == 2 ? rn_error() : "usage: classify MODEL <RGB");
 *             return 2;
 *         }
 *         const struct rn_prep *p = rn_model_prep(m);
 *         size_t n = (size_t)p->H * p->W * p->C;
 *         int classes = rn_model_classes(m), best;
 *         unsigned char *rgb = calloc(n, 1);
 *         float *x = calloc(n, sizeof *x), *y = calloc(2 * classes, sizeof *y);
 *         if (!rgb || !x || !y || fread(rgb, 1, n, stdin) != n)
 *             return 2;
 *         for (size_t i = 0; i < n; i++)
 *             x[i] = (rgb[i] / 255.0f - p->mean[i % p->C]) / p->std[i % p->C];
 *         rn_session_run(s, x, 1, y);
 *         rn_topk(y, classes, 1, &best);
 *         rn_softmax(y, classes, y + classes); // probabilities behind the logits
 *         const char *label = rn_model_label(m, best);
 *         printf("%d\t%s\t%.3f\n", best, label ? label : "", y[classes + best]);
 *         free(rgb), free(x), free(y);
 *         rn_session_free(s);
 *         rn_model_free(m);
 *         return 0;
 *     }
 */
#ifndef RN_H
#define RN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RN_VERSION "0.1.0"

enum rn_status {
    RN_OK = 0,
    RN_EMEM = -1,     /* memory is short, or a size overflows */
    RN_EIO = -2,      /* a file can't be opened, read or written */
    RN_EFORMAT = -3,  /* a file's content is not what its format demands */
    RN_EUSAGE = -4,   /* an argument, a spec or a combination of them makes no sense */
    RN_ESTOP = -5,    /* stopped by a signal, after a checkpoint */
    RN_EDIVERGE = -6, /* the training loss is not finite */
    RN_EPARTLY = -7,  /* done, but some pictures were broken and left out */
};

/* One sentence about the last error in this thread, without newline; "" when there was none. */
const char *rn_error(void);

/* Insertions, deletions and replacements between two words (Levenshtein): to name the nearest known
 * one. */
int rn_edit_distance(const char *a, const char *b);

/* Bytes of the UTF-8 character that s, a string, begins with (1 for its end); 0: it is none. */
size_t rn_utf8_length(const char *s);

/* ---- the machine ---- */

/* Threads to use unless told: OMP_NUM_THREADS, else the affinity mask cut by the cgroup's CPU
 * quota; at least 1. */
int rn_threads_default(void);

/*
 * Chooses the instruction set of everything made from now on: a name of rn_isa_names(), or NULL for
 * RN_ISA from the environment and, without it, the best one here. Returns 0, or RN_EUSAGE for a
 * name this machine can't run.
 */
int rn_isa_select(const char *name);
const char *rn_isa_name(void); /* the one in force */

/* Fills names[] with the instruction sets this machine runs, weakest first; returns how many there
 * are (at most max). */
int rn_isa_names(const char *names[], int max);

/* ---- how a picture becomes the input of a network ---- */

enum { RN_CHANNELS_MAX = 16 }; /* channels that mean and std are kept for */

struct rn_prep {
    int C, H, W;                 /* the network's input */
    float mean[RN_CHANNELS_MAX]; /* input = (pixel / 255 - mean) / std, by channel */
    float std[RN_CHANNELS_MAX];
    /* "squash": to H x W without keeping the aspect (d2l's Resize); "short=N,crop=M": the short side
     * to N pixels, of that the M x M in the middle, where H and W are M (torchvision's Resize and
     * CenterCrop). */
    char resize[32];
};

/* ---- models ---- */

struct rn_model;

enum rn_init {
    RN_INIT_DEFAULT,
    RN_INIT_XAVIER,
    RN_INIT_KAIMING
};                                        /* DEFAULT: what the family's authors use */
extern const char *const rn_init_names[]; /* of them, as --init spells them; ended by NULL */

/*
 * A network by its spec string, its parameters zero until rn_model_init() or a weight file fills
 * them.
 *   C, H, W  input channels, rows, columns; 0: what the spec says, else the variant's default
 *   classes  0: what the spec says, else the variant's default
 * Returns 0, RN_EUSAGE (the sentence names key or node) or RN_EMEM. The caller frees with
 * rn_model_free().
 */
int rn_model_new(struct rn_model **out, const char *spec, int C, int H, int W, int classes);
/* The same without parameters' values, for a look at its layers and memory: small and quick. */
int rn_model_shape(struct rn_model **out, const char *spec, int C, int H, int W);
void rn_model_free(struct rn_model *m);

/* Random parameters of `kind`, the same for the same seed (on one C library's log and cos). */
void rn_model_init(struct rn_model *m, enum rn_init kind, uint64_t seed);

/*
 * Makes every residual block begin as the identity (of its shortcut): the scale and shift of the
 * batch norm that ends its branch become 0, or the weights of the convolution where that ends it.
 * Returns how many; a branch that ends otherwise is left as it is.
 */
int rn_model_zero_residual(struct rn_model *m);

/*
 * The network `spec`, which is m's with more blocks in its stages, its new blocks the identity and
 * all else as in m: the same outputs, to be trained further.
 *   at    in  the new blocks stand behind this block of their stage, from 0; -1: behind the last
 *   seed  in  of the new blocks' random weights; those that end their branches are zero
 * Returns 0, RN_EUSAGE (another network, or blocks that can't be the identity) or RN_EMEM.
 */
int rn_model_grow(struct rn_model **out, const struct rn_model *m, const char *spec, int at,
                  uint64_t seed);
/* m with its grouped convolutions dense, block-diagonal: the same outputs, but for rounding. Returns
 * 0, RN_EUSAGE (no grouped convolution) or RN_EMEM. */
int rn_model_ungroup(struct rn_model **out, const struct rn_model *m);

/* A model from a weight file ("-": stdin) that carries rn.spec. Returns 0, RN_EIO, RN_EFORMAT or
 * RN_EMEM. */
int rn_model_open(struct rn_model **out, const char *path);

/* Writes the model as a safetensors file, whole or not at all ("-": stdout). Returns 0, RN_EIO or
 * RN_EMEM. */
int rn_model_write(const struct rn_model *m, const char *path);

bool rn_spec_valid(const char *text); /* does it parse as a spec? rn_error() says why not */
const char *
rn_spec_row(int i); /* names of all networks and blocks, i from 0; NULL behind the last */
const char *rn_model_spec(const struct rn_model *m); /* canonical spec string */
const struct rn_prep *rn_model_prep(const struct rn_model *m);
int rn_model_classes(const struct rn_model *m);
const char *rn_model_label(const struct rn_model *m,
                           int i); /* class name, or NULL when the model has none */
const char *rn_model_provenance(const struct rn_model *m); /* a JSON object, or NULL */

/* One layer of a network, in the order they run. Strings live as long as the model. */
struct rn_layer {
    const char *name;  /* layer1.0.conv1 */
    const char *op;    /* convolution, batch norm, ReLU, add, ... */
    char what[64];     /* 3x3, 64, stride 2 */
    const char *stage; /* stem, stage 1, ..., head */
    const char *block; /* layer1.0; "" outside blocks */
    int H, W, C;       /* output */
    int inputs, in[2]; /* layers it reads; -1: the network's input */
    int field;         /* rows of the picture that an output pixel depends on, where they exist */
    uint64_t params;   /* trainable */
    uint64_t buffers;  /* running statistics */
    uint64_t macs;     /* multiply-accumulates of one picture (convolutions and linear layers) */
};
int rn_model_layers(const struct rn_model *m);
void rn_model_layer(const struct rn_model *m, int i, struct rn_layer *out);

/* ---- weight files: named tensors and string metadata ---- */

enum rn_dtype {
    RN_F64,
    RN_F32,
    RN_F16,
    RN_BF16,
    RN_I64,
    RN_I32,
    RN_I16,
    RN_I8,
    RN_U64,
    RN_U32,
    RN_U16,
    RN_U8,
    RN_BOOL
};
enum { RN_RANK_MAX = 8 };

struct rn_tensor {
    const char *name;
    enum rn_dtype dtype;
    int rank;
    size_t dim[RN_RANK_MAX];
    const void *data; /* row-major, little endian, aligned to at least 1 byte */
    size_t bytes;
};

struct rn_weights;
int rn_weights_open(struct rn_weights **out,
                    const char *path); /* any format of the table, told by its bytes; "-": stdin */
void rn_weights_close(struct rn_weights *w);
int rn_weights_count(const struct rn_weights *w);
const struct rn_tensor *rn_weights_tensor(const struct rn_weights *w, int i);
const struct rn_tensor *rn_weights_find(const struct rn_weights *w,
                                        const char *name);                /* NULL when absent */
const char *rn_weights_meta(const struct rn_weights *w, const char *key); /* NULL when absent */
/* Writes them in a format by name ("safetensors"). Returns 0, RN_EUSAGE (unknown format), RN_EIO or
 * RN_EMEM. */
int rn_weights_write(const struct rn_weights *w, const char *path, const char *format);
/*
 * The same two with the formats of other programs in the table. Tensors come by the names that the
 * file gives them, prefixes included. They are functions of their own so that a program without
 * them is linked without those formats.
 */
int rn_weights_import(struct rn_weights **out, const char *path);
int rn_weights_export(const struct rn_weights *w, const char *path, const char *format);
/* The format that rn_weights_export() knows by this name or suffix, or NULL, with the error set. */
const char *rn_weights_format(const char *name);
const char *rn_dtype_name(enum rn_dtype t); /* as safetensors spells it: F32 */

/*
 * ---- surgery: weights in, other weights out ----
 *
 * These change an open file's tensors and metadata in memory, never the file; data that stay the
 * same are not copied. `path` is for messages. After an error the weights can only be closed.
 */

/*
 * Other programs' tensors become a model: names, spec, metadata of a file of ours. Every tensor is
 * used, or named to `warn` where no output depends on it; what else is left over or missing is
 * RN_EFORMAT. man rn-convert.1 says what is assumed where names and shapes do not tell.
 */
struct rn_recognition {
    const char *spec;                   /* in: the network; NULL: find it */
    int head;                           /* in: classes of a classifier made where there is none */
    void (*warn)(const char *sentence); /* in: may be NULL */
    char found[512];                    /* out: canonical spec */
    const char *names;                  /* out: the dialect, or "order and shape" */
};
int rn_weights_recognise(struct rn_weights *w, const char *path, struct rn_recognition *r);

/* The names of a dialect instead of ours, and no metadata of ours, which such files have not. */
int rn_weights_rename(struct rn_weights *w, const char *path, const char *dialect);

/* What a model's file says beside its tensors; 0 and NULL leave as it is. */
struct rn_description {
    const char *const *label; /* class names */
    int labels;
    int H, W;
    const char *resize;
    int means, stds; /* values given, as many as channels, or one for all of them */
    float mean[RN_CHANNELS_MAX], std[RN_CHANNELS_MAX];
};
int rn_weights_describe(struct rn_weights *w, const char *path, const struct rn_description *d);

int rn_weights_strip(struct rn_weights *w, const char *path); /* the model and nothing else */
int rn_weights_ema(struct rn_weights *w, const char *path);   /* ema.NAME takes NAME's place */
/* Parameters are means of w's and those of the n others, summed in double; counters are w's. */
int rn_weights_average(struct rn_weights *w, struct rn_weights *const others[], int n,
                       const char *const path[]);                         /* [n + 1], w's first */
int rn_weights_head(struct rn_weights *w, const char *path, int classes); /* a fresh classifier */
/* Batch norms go into the convolutions before them, whose function does not change: norm=none. */
int rn_weights_fold(struct rn_weights *w, const char *path);
int rn_weights_cast(struct rn_weights *w, enum rn_dtype type); /* F32, F16 or BF16 */

struct rn_stats {
    double min, max, mean, std; /* of the numbers that are no NaN; NaN where there are none */
    uint64_t nans;
};
void rn_tensor_stats(const struct rn_tensor *t, struct rn_stats *s);

/* The largest |a - b| and that over the largest |b|; false where shapes differ. NaN differs from
 * all but NaN: infinite. */
bool rn_tensor_distance(const struct rn_tensor *a, const struct rn_tensor *b, double *absolute,
                        double *relative);

/* A new model from w, which was read from `path`. Returns 0, RN_EFORMAT (what is missing, or of
 * another shape) or RN_EMEM. */
int rn_model_from_weights(struct rn_model **out, const struct rn_weights *w, const char *path);

/*
 * Two models run on the same random picture (of seed) and their activations, at the end of each
 * block: one call for each, in order, the logits last. Returns 0, RN_EFORMAT, RN_EUSAGE (the
 * networks' ends of blocks differ in name or shape) or RN_EMEM.
 */
typedef void rn_compare_fn(void *arg, const char *name, double absolute, double relative);
int rn_model_compare(const struct rn_model *m, const struct rn_model *reference, uint64_t seed,
                     rn_compare_fn *each, void *arg);

/* ---- data ---- */

/* Class names, a line each, of a file ("-": stdin): UTF-8, none empty, each another; empty lines at
 * the end do not count. Returns 0, RN_EIO, RN_EFORMAT (the line) or RN_EMEM. */
int rn_labels_read(char ***label, int *n, const char *path);
void rn_labels_free(char **label, int n);

enum rn_part { RN_PART_DEFAULT, RN_PART_TRAIN, RN_PART_TEST };

/*
 * A sequence of pictures, with labels where the data have them.
 *   path    a picture (PNG, JPEG, PNM, farbfeld), an IDX file (plain or .gz), a folder of pictures
 *           or of folders that are classes, one with train and test (or val) of those, or with the
 *           four usual IDX files; CIFAR-10 or CIFAR-100 (binary version), a file or the folder; a tar
 *           archive of pictures; or "-": a tar archive, a picture, PNM or farbfeld pictures, or IDX
 *           on stdin
 *   part    which part of a two-part data set; DEFAULT takes the one that `fallback` names
 *   labels  file of class names, a line each, or NULL: names of the data, else 0 1 2 ...
 * Returns 0, RN_EIO, RN_EFORMAT, RN_EMEM, or RN_EUSAGE: no such part, or labels that do not fit.
 */
struct rn_source;
int rn_source_open(struct rn_source **out, const char *path, enum rn_part part,
                   enum rn_part fallback, const char *labels);
/* The same where labels are wanted: a tar archive is read through first for KEY.cls beside KEY.jpg,
 * class numbers as WebDataset writes them (rn_source_open() does so when names are given). */
int rn_source_open_labelled(struct rn_source **out, const char *path, enum rn_part part,
                            enum rn_part fallback, const char *labels);

/*
 * The picture files that a list names.
 *   path   the list, "-": stdin
 *   null   names end with NULs; else with newlines, and a class may stand behind a tab, on all
 *          lines or on none
 *   whole  read a pipe to its end first, for its classes; else they are not known and memory is
 *          constant
 * Returns as rn_source_open().
 */
int rn_source_open_names(struct rn_source **out, const char *path, bool null, bool whole);
/* n picture files, n at least 1; one that is none has its error in its batch. Returns 0 or RN_EMEM.
 */
int rn_source_open_files(struct rn_source **out, const char *const *path, long n);
bool rn_is_picture(const char *path); /* is it a file that begins like a picture? */
void rn_source_close(struct rn_source *s);
bool rn_source_has_part(const char *path,
                        enum rn_part part);      /* is `path` a data set with that part? */
long rn_source_count(const struct rn_source *s); /* pictures; -1 when only the end will tell */
/* Files of a folder, or members of a tar as far as it is read, that are no pictures. */
long rn_source_passed_over(const struct rn_source *s);
int rn_source_classes(const struct rn_source *s); /* 0: no labels */
const char *rn_source_class(const struct rn_source *s, int i);
void rn_source_shape(const struct rn_source *s, int *C, int *H,
                     int *W); /* 0 where pictures differ */

enum { RN_MAX_PIXELS = 178956970 }; /* Pillow's limit: a quarter of 2 GiB, of 3 bytes each */

/* How encoded pictures are read: without turning them as EXIF says; the most pixels, 0:
 * RN_MAX_PIXELS. */
void rn_source_decode(struct rn_source *s, bool as_stored, uint64_t max_pixels);

/*
 * Makes the source count its labels by the model's class list: by name, or, where the model or the
 * data have no names, in order when the numbers fit. Returns 0, or RN_EUSAGE naming the class that
 * the model does not know.
 */
int rn_source_bind(struct rn_source *s, const struct rn_model *m);

/* A batch ready for a network. Everything in it is valid until the next call on its loader. */
struct rn_batch {
    int n;                    /* pictures, 1 to the batch size */
    const float *x;           /* [n][H][W][C] */
    const int *label;         /* [n], -1: unknown */
    const long *index;        /* [n], number in the data, from 0 */
    const char *const *name;  /* [n], record names (PATH, FILE#INDEX, FILE#MEMBER) */
    const char *const *error; /* [n], NULL, or why the picture is broken: its x are zeros then */
};

/*
 * Pictures in order, decoded, resized and normalised in the background on `threads` threads.
 * Returns 0 or RN_EMEM, RN_EUSAGE (channels of the data unlike the prep's). The source must outlive
 * it and be left alone meanwhile.
 */
struct rn_loader;
int rn_loader_open(struct rn_loader **out, struct rn_source *s, const struct rn_prep *prep,
                   int batch, int threads);
void rn_loader_close(struct rn_loader *l);
/* The next batch; b->n == 0 at the end. A broken picture has its place and its error in it. Returns
 * 0, or RN_EIO / RN_EFORMAT when the data break off. */
int rn_loader_next(struct rn_loader *l, struct rn_batch *b);

/* ---- inference ---- */

/*
 * A model compiled for batches of up to `batch` pictures on `threads` threads. The same picture
 * gives the same bits at any batch size and number of threads. The model may be freed afterwards.
 * Returns 0, RN_EUSAGE or RN_EMEM.
 */
struct rn_session;
int rn_session_new(struct rn_session **out, const struct rn_model *m, int batch, int threads);
/*
 * A model from a weight file (as rn_model_open() reads it) and its session in one go, which is
 * quicker and smaller: the parameters are not copied but used where the file is mapped, and checked
 * and packed on all threads. The caller frees both; the session does not need the model. Returns 0,
 * RN_EIO, RN_EFORMAT, RN_EUSAGE or RN_EMEM.
 */
int rn_session_open(struct rn_session **out, struct rn_model **model, const char *path, int batch,
                    int threads);
void rn_session_free(struct rn_session *s);
void rn_session_run(struct rn_session *s, const float *x, int n,
                    float *logits); /* x [n][H][W][C] -> logits [n][classes] */
/* From here on a run gives the mean of the logits of a picture and of its mirror image, left and
 * right exchanged. Returns 0 or RN_EMEM. */
int rn_session_mirror(struct rn_session *s);
int rn_session_bytes(const struct rn_model *m, int batch, int threads,
                     size_t *bytes); /* what `new` would allocate */

/* The largest difference between the logits of two models on n random pictures, over the largest
 * logit of the reference; infinite where a NaN stands beside a number. Returns 0, RN_EUSAGE (other
 * inputs or classes) or RN_EMEM. */
int rn_model_difference(const struct rn_model *m, const struct rn_model *reference, int n,
                        uint64_t seed, double *relative);

/* prob[i] = exp(logit[i]) / sum over j of exp(logit[j]), computed about the largest logit, in
 * double. NaN gives NaN. */
void rn_softmax(const float *logits, int classes, float *prob);
/* The k largest entries, largest first, ties by index, NaN last: index[k]. */
void rn_topk(const float *v, int n, int k, int *index);

/* Where training stands, for a progress line. */
struct rn_progress {
    int epoch, epochs; /* from 1 */
    long step, steps;  /* within the epoch */
    double loss;       /* mean of the epoch so far */
    double images_per_s;
    bool evaluating;
};

/* What a long job tells, and asks, its caller. */
struct rn_hooks {
    void (*progress)(void *arg, const struct rn_progress *p); /* may be NULL */
    void (*warn)(void *arg, const char *sentence);            /* may be NULL */
    void *arg;
    const volatile sig_atomic_t *stop; /* not zero: end with RN_ESTOP; may be NULL */
};

struct rn_metrics {
    long n, top1, top5; /* counts; top5 within min(5, classes); a broken picture is one of n */
    long broken;
    double loss; /* sum of the cross-entropies of those not broken, in the order of the pictures */
};
/* Runs the rest of the loader through the session, warning of every broken picture; hooks may be
 * NULL. */
int rn_evaluate(struct rn_session *s, struct rn_loader *l, int classes,
                const struct rn_hooks *hooks, struct rn_metrics *out);

/* ---- training ---- */

enum rn_schedule { RN_SCHED_CONST, RN_SCHED_STEP, RN_SCHED_COSINE, RN_SCHED_LINEAR };
extern const char *const rn_schedule_names[]; /* of them, as --sched spells them; ended by NULL */
enum { RN_MILESTONES_MAX = 16 };

/* Horizontal flips of training pictures: none; each picture by a coin in every epoch; each in every
 * other epoch, in the first by a coin (Jordan 2024). */
enum rn_flip { RN_FLIP_NONE, RN_FLIP_RANDOM, RN_FLIP_ALTERNATING };

/* Everything that rn-train's options say; the defaults are those of rn_train_defaults(). */
struct rn_train_config {
    const char *arch;    /* spec; NULL: that of `weights` */
    const char *output;  /* the model file */
    const char *data;    /* training pictures */
    const char *val;     /* validation pictures; NULL: the other part of `data`, if it has two */
    const char *weights; /* start from this file; NULL: random */
    const char *labels;  /* class names for IDX; NULL: 0 1 2 ... */
    FILE *log;           /* where the table goes when log_path is NULL; NULL: nowhere */
    const char *log_path;
    enum rn_init init;
    bool resume, force;
    int H, W;           /* 0: the data's own size, else the variant's */
    const char *resize; /* as rn_prep's; NULL: that of `weights` unless H is given, else squash */
    int batch, epochs, threads;
    long steps;      /* in all; 0: as many as the epochs have */
    long save_every; /* steps between checkpoints; 0: at the ends of epochs */
    int prefetch;    /* batches made ready ahead of the step; no result depends on it */
    uint64_t seed;
    double lr, momentum, weight_decay, gamma, warmup_epochs;
    bool nesterov;
    double drop_path;   /* stochastic depth: the last residual block's rate, from 0 to below 1 */
    bool zero_residual; /* rn_model_zero_residual() on the random start */
    bool decay_weights_only; /* weight_decay spares biases and batch norm */
    double smoothing; /* of labels: the share of the target that all classes have in common */
    enum rn_schedule sched;
    int milestone[RN_MILESTONES_MAX], milestones; /* in epochs */
    enum rn_flip flip;
    int crop;    /* random crop from the picture padded by so many zeros on each side; 0: none */
    double area; /* random resized crop of at least this part of the picture's area; 0: none */
    int means, stds; /* values given in mean and std; 0: 0 and 1, or those of `weights` */
    float mean[RN_CHANNELS_MAX], std[RN_CHANNELS_MAX];
};
void rn_train_defaults(struct rn_train_config *c);

/*
 * Trains as `c` says; RN_ESTOP comes after a checkpoint. Returns 0, RN_EPARTLY (the model is made,
 * but of fewer pictures), RN_ESTOP, RN_EDIVERGE, or the error that kept it from starting or going
 * on.
 */
int rn_train(const struct rn_train_config *c, const struct rn_hooks *hooks);

/* One training step at a time, for measuring and for other loops. The trainer works on the model's
 * own parameters. */
struct rn_trainer;
int rn_trainer_new(struct rn_trainer **out, struct rn_model *m, int batch, int threads);
void rn_trainer_free(struct rn_trainer *t);
/* Forward, loss, backward, SGD on n pictures. Returns the mean loss of the batch. */
double rn_trainer_step(struct rn_trainer *t, const float *x, const int *label, int n, double lr,
                       double momentum, bool nesterov, double weight_decay);
/* What a step does. Batch norm's is both ways, with the add and ReLU behind it; everything else
 * forward, the loss too, and every gradient of an input, also of a pool, is with the
 * convolutions'. */
enum rn_phase {
    RN_PHASE_FORWARD,
    RN_PHASE_BACKWARD_DATA,
    RN_PHASE_BACKWARD_WEIGHTS,
    RN_PHASE_NORM,
    RN_PHASE_STEP,
    RN_PHASES
};
/* From here on every step adds the seconds that it takes to seconds[phase]; NULL: no more. */
void rn_trainer_measure(struct rn_trainer *t, double seconds[RN_PHASES]);
int rn_trainer_bytes(const struct rn_model *m, int batch, int threads,
                     size_t *bytes); /* what `new` would allocate */

/* ---- measuring ---- */

/* GFLOP/s of dependent-free fused multiply-adds of the instruction set in force, on `threads`
 * threads at once. */
double rn_bench_peak(int threads);

/* Where data lie: in a cache or in memory. L1 and L2 belong to a core, L3 to all of them. */
enum rn_level { RN_L1, RN_L2, RN_L3, RN_DRAM, RN_LEVELS };
const char *rn_level_name(enum rn_level level);
/* As the system says (a virtual machine may say its host's); 0: there is none; SIZE_MAX: memory. */
size_t rn_level_bytes(enum rn_level level);
/* The first level that holds so many bytes, which `threads` threads share evenly. */
enum rn_level rn_level_of(size_t bytes, int threads);
/* GB/s that `threads` threads read from a level together; 0 where there is none. Returns 0 or
 * RN_EMEM. */
int rn_bench_read(enum rn_level level, int threads, double *gbytes_per_s);

enum rn_pass { RN_FORWARD, RN_BACKWARD_DATA, RN_BACKWARD_WEIGHTS };

/* One convolution of a network, measured. */
struct rn_conv_time {
    const char *algorithm;
    uint64_t macs;   /* of the whole batch, direct algorithm */
    uint64_t bytes;  /* input, output and weights, each once */
    double *seconds; /* [repeats] of a run, the caller's */
};
/* Times layer i of the model (a convolution; else RN_EUSAGE) on random data. */
int rn_bench_conv(const struct rn_model *m, int layer, enum rn_pass pass, int batch, int threads,
                  int repeats, struct rn_conv_time *out);

/* Seconds in which one thread makes a batch of pictures of the input's size ready: flip, crop,
 * normalise. Training does it in the background. Returns 0 or RN_EMEM. */
int rn_bench_data(const struct rn_model *m, int batch, double *seconds);

double rn_seconds(void); /* a steady clock */

#endif
