/* rn-convert: class names and preprocessing, by options and presets. */
#include <string.h>

#include "convert.h"
#include "opt.h"
#include "say.h"

static const char *const cifar10[] = { "airplane", "automobile", "bird",  "cat",  "deer",
                                       "dog",      "frog",       "horse", "ship", "truck" };
static const char *const fashion[] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"
};
static const char *const digits[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" };

/* Means and standard deviations of the training pictures; ImageNet's are torchvision's. */
static const struct preset {
    const char *name;
    struct rn_description d;
} presets[] = {
    { "imagenet",
      { .resize = "short=256,crop=224",
        .means = 3,
        .stds = 3,
        .mean = { 0.485f, 0.456f, 0.406f },
        .std = { 0.229f, 0.224f, 0.225f } } },
    { "cifar10",
      { .label = cifar10,
        .labels = 10,
        .H = 32,
        .W = 32,
        .resize = "squash",
        .means = 3,
        .stds = 3,
        .mean = { 0.4914f, 0.4822f, 0.4465f },
        .std = { 0.2470f, 0.2435f, 0.2616f } } },
    { "cifar100",
      { .H = 32,
        .W = 32,
        .resize = "squash",
        .means = 3,
        .stds = 3,
        .mean = { 0.5071f, 0.4865f, 0.4409f },
        .std = { 0.2673f, 0.2564f, 0.2762f } } },
    { "fashion-mnist",
      { .label = fashion,
        .labels = 10,
        .H = 28,
        .W = 28,
        .resize = "squash",
        .means = 1,
        .stds = 1,
        .mean = { 0.2860f },
        .std = { 0.3530f } } },
    { "mnist",
      { .label = digits,
        .labels = 10,
        .H = 28,
        .W = 28,
        .resize = "squash",
        .means = 1,
        .stds = 1,
        .mean = { 0.1307f },
        .std = { 0.3081f } } },
};

static struct rn_description find_preset(const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return presets[i].d;
    opt_bad("preset", name, "imagenet, cifar10, cifar100, fashion-mnist or mnist");
}

/* Options stand over the preset. */
void step_describe(struct rn_weights *w, const char *path)
{
    struct rn_description d = { 0 };
    char **label = NULL;
    int labels = 0;
    if (convert.preset)
        d = find_preset(convert.preset);
    if (convert.size[0]) {
        d.H = convert.size[0];
        d.W = convert.size[1];
    }
    if (convert.resize)
        d.resize = convert.resize;
    if (convert.means)
        memcpy(d.mean, convert.mean, sizeof d.mean), d.means = convert.means;
    if (convert.stds)
        memcpy(d.std, convert.std, sizeof d.std), d.stds = convert.stds;
    if (convert.labels) {
        must(rn_labels_read(&label, &labels, convert.labels));
        if (!labels)
            die("%s: no class names in it", convert.labels);
        d.label = (const char *const *)label;
        d.labels = labels;
    }
    if (d.labels || d.H || d.resize || d.means || d.stds)
        must(rn_weights_describe(w, path, &d));
    rn_labels_free(label, labels);
}
