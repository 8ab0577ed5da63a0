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
const char *rn_weights_meta(const struct rn_weights *w, const char *key); /* NULL when absent */
/* Writes them in a format by name ("safetensors"). Returns 0, RN_EUSAGE (unknown format), RN_EIO or
 * RN_EMEM. */
int rn_weights_write(const struct rn_weights *w, const char *path, const char *format);
const char *rn_dtype_name(enum rn_dtype t); /* as safetensors spells it: F32 */

/* ---- data ---- */

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
int rn_session_bytes(const struct rn_model *m, int batch, int threads,
                     size_t *bytes); /* what `new` would allocate */

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

enum rn_schedule { RN_SCHED_CONST, RN_SCHED_STEP, RN_SCHED_COSINE };
extern const char *const rn_schedule_names[]; /* of them, as --sched spells them; ended by NULL */
enum { RN_MILESTONES_MAX = 16 };

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
    uint64_t seed;
    double lr, momentum, weight_decay, gamma, warmup_epochs;
    bool nesterov;
    enum rn_schedule sched;
    int milestone[RN_MILESTONES_MAX], milestones; /* in epochs */
    bool flip;                                    /* random horizontal flip */
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

double rn_seconds(void); /* a steady clock */

#endif
