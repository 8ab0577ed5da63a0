/*
 * The table of networks: a row is a name, a family and the keys that make it, as a user would write
 * them. A new network is a new row. Sources: resnet* are Table 1 of He et al. 2015 as torchvision
 * builds it (stride on the 3x3), resnext* Table 1 of Xie et al. 2016; cifar-resnet* section 4.2 of
 * the former; d2l-* Dive into Deep Learning 8.6: biased convolutions, 1x1 shortcuts without batch
 * norm.
 */
#include "model/spec.h"

static const struct rn_family imagenet = {
    .spec = { .in = 3,
              .classes = 1000,
              .block = RN_BLOCK_BASIC,
              .stem = RN_STEM_7X7,
              .stem_width = 64,
              .shortcut = RN_SHORTCUT_CONV_BN,
              .groups = 1,
              .base_width = 64 },
    .H = 224,
    .W = 224,
    .init = RN_INIT_KAIMING,
};

static const struct rn_family cifar = {
    .spec = { .in = 3,
              .classes = 10,
              .block = RN_BLOCK_BASIC,
              .stem = RN_STEM_3X3,
              .stem_width = 16,
              .shortcut = RN_SHORTCUT_PAD,
              .groups = 1,
              .base_width = 64 },
    .H = 32,
    .W = 32,
    .init = RN_INIT_KAIMING,
};

static const struct rn_family d2l = {
    .spec = { .in = 1,
              .classes = 10,
              .block = RN_BLOCK_BASIC,
              .stem = RN_STEM_7X7,
              .stem_width = 64,
              .shortcut = RN_SHORTCUT_CONV,
              .groups = 1,
              .base_width = 64,
              .bias = true },
    .H = 96,
    .W = 96,
    .init = RN_INIT_XAVIER,
};

/* clang-format off */
const struct rn_variant rn_variants[] = {
    { "d2l-resnet18",    &d2l,      "stages=2x64+2x128+2x256+2x512" },
    { "resnet18",        &imagenet, "stages=2x64+2x128+2x256+2x512" },
    { "resnet34",        &imagenet, "stages=3x64+4x128+6x256+3x512" },
    { "resnet50",        &imagenet, "block=bottleneck,stages=3x256+4x512+6x1024+3x2048" },
    { "resnet101",       &imagenet, "block=bottleneck,stages=3x256+4x512+23x1024+3x2048" },
    { "resnet152",       &imagenet, "block=bottleneck,stages=3x256+8x512+36x1024+3x2048" },
    { "resnext50_32x4d", &imagenet, "block=bottleneck,stages=3x256+4x512+6x1024+3x2048,"
                                     "groups=32,base-width=4" },
    { "cifar-resnet20",  &cifar,    "stages=3x16+3x32+3x64" },
    { "cifar-resnet32",  &cifar,    "stages=5x16+5x32+5x64" },
    { "cifar-resnet44",  &cifar,    "stages=7x16+7x32+7x64" },
    { "cifar-resnet56",  &cifar,    "stages=9x16+9x32+9x64" },
    { "cifar-resnet110", &cifar,    "stages=18x16+18x32+18x64" },
    { 0 },
};
/* clang-format on */
