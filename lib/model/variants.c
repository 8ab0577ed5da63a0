/*
 * The table of networks: a row is a name, a family and the keys that make it, as a user would write
 * them. A new network is a new row. Sources:
 *   d2l-*          Dive into Deep Learning 8.6: biased convolutions, 1x1 shortcuts without norm
 *   resnet*        Table 1 of He et al. 2015 as torchvision builds it, the stride on the 3x3 (that
 *                  of the paper is stride-at=1x1); d: He et al. 2018, as timm builds it
 *   resnext*       Xie et al. 2017; wide_* and cifar-wrn-*: Zagoruyko and Komodakis 2016
 *   preact-*       He et al. 2016
 *   cifar-resnet*  He et al. 2015, section 4.2
 *   regnet_*       Radosavovic et al. 2020, as torchvision builds them
 *   cifar-resnet9  David Page 2018, with a plain linear layer
 *   resnet9        the same idea for small grey pictures: basic blocks of an eighth to a quarter of
 *                  the channels, and the pool before the batch norm
 * The last rows are single blocks: residual, resnext and inception are d2l's, the others as in their networks.
 */
#include "model/spec.h"

/* What every family begins with: nothing grouped, stride 1, PyTorch's batch norm. */
#define NEUTRAL .stride = 1, .groups = 1, .base_width = 64, .bn_eps = 1e-5f, .bn_momentum = 0.1f

static const struct rn_family imagenet = {
    .spec = { .in = 3,
              .classes = 1000,
              .block = RN_BLOCK_BASIC,
              .stem = RN_STEM_7X7,
              .stem_width = 64,
              .shortcut = RN_SHORTCUT_CONV_BN,
              .first_stride = 1,
              NEUTRAL },
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
              .first_stride = 1,
              NEUTRAL },
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
              .first_stride = 1,
              NEUTRAL,
              .bias = true },
    .H = 96,
    .W = 96,
    .init = RN_INIT_XAVIER,
};

static const struct rn_family preact = {
    .spec = { .in = 3,
              .classes = 1000,
              .block = RN_BLOCK_PREACT,
              .stem = RN_STEM_7X7,
              .stem_width = 64,
              .shortcut = RN_SHORTCUT_CONV,
              .first_stride = 1,
              NEUTRAL },
    .H = 224,
    .W = 224,
    .init = RN_INIT_KAIMING,
};

static const struct rn_family cifar_preact = {
    .spec = { .in = 3,
              .classes = 10,
              .block = RN_BLOCK_PREACT,
              .stem = RN_STEM_3X3,
              .stem_width = 16,
              .shortcut = RN_SHORTCUT_CONV,
              .first_stride = 1,
              NEUTRAL },
    .H = 32,
    .W = 32,
    .init = RN_INIT_KAIMING,
};

static const struct rn_family regnet = {
    .spec = { .in = 3,
              .classes = 1000,
              .block = RN_BLOCK_REGNET,
              .stem = RN_STEM_3X3_S2,
              .stem_width = 32,
              .shortcut = RN_SHORTCUT_CONV_BN,
              .first_stride = 2,
              NEUTRAL,
              .bot_mul = 1 },
    .H = 224,
    .W = 224,
    .init = RN_INIT_KAIMING,
};

static const struct rn_family d2l_residual = {
    .spec = { .single = true,
              .in = 3,
              .block = RN_BLOCK_BASIC,
              .shortcut = RN_SHORTCUT_CONV,
              NEUTRAL,
              .bias = true },
    .H = 6,
    .W = 6,
    .init = RN_INIT_XAVIER,
};

static const struct rn_family d2l_resnext = {
    .spec = { .single = true,
              .in = 32,
              .block = RN_BLOCK_BOTTLENECK,
              .shortcut = RN_SHORTCUT_CONV_BN,
              NEUTRAL,
              .bot_mul = 1,
              .bias = true },
    .H = 96,
    .W = 96,
    .init = RN_INIT_XAVIER,
};

static const struct rn_family d2l_inception = {
    .spec = { .single = true,
              .in = 192,
              .out = 256,
              .block = RN_BLOCK_INCEPTION,
              .shortcut = RN_SHORTCUT_CONV,
              NEUTRAL,
              .bias = true },
    .H = 12,
    .W = 12,
    .init = RN_INIT_XAVIER,
};

static const struct rn_family block = {
    .spec = { .single = true,
              .in = 64,
              .block = RN_BLOCK_BASIC,
              .shortcut = RN_SHORTCUT_CONV_BN,
              NEUTRAL },
    .H = 56,
    .W = 56,
    .init = RN_INIT_XAVIER,
};

/* clang-format off */
const struct rn_variant rn_variants[] = {
    { "d2l-resnet18",            &d2l,           "stages=2x64+2x128+2x256+2x512" },
    { "d2l-resnet",              &d2l,           "stages=2x64+2x128+2x256+2x512" },
    { "d2l-resnext",             &d2l,
      "block=bottleneck,stages=2x64+2x128+2x256+2x512,shortcut=conv-bn,group-width=16,bot-mul=1" },
    { "resnet18",                &imagenet,      "stages=2x64+2x128+2x256+2x512" },
    { "resnet34",                &imagenet,      "stages=3x64+4x128+6x256+3x512" },
    { "resnet50",                &imagenet,
      "block=bottleneck,stages=3x256+4x512+6x1024+3x2048" },
    { "resnet101",               &imagenet,
      "block=bottleneck,stages=3x256+4x512+23x1024+3x2048" },
    { "resnet152",               &imagenet,
      "block=bottleneck,stages=3x256+8x512+36x1024+3x2048" },
    { "resnet50d",               &imagenet,
      "block=bottleneck,stages=3x256+4x512+6x1024+3x2048,stem=deep,shortcut=avg-conv-bn" },
    { "resnext50_32x4d",         &imagenet,
      "block=bottleneck,stages=3x256+4x512+6x1024+3x2048,groups=32,base-width=4" },
    { "resnext101_32x8d",        &imagenet,
      "block=bottleneck,stages=3x256+4x512+23x1024+3x2048,groups=32,base-width=8" },
    { "resnext101_64x4d",        &imagenet,
      "block=bottleneck,stages=3x256+4x512+23x1024+3x2048,groups=64,base-width=4" },
    { "wide_resnet50_2",         &imagenet,
      "block=bottleneck,stages=3x256+4x512+6x1024+3x2048,base-width=128" },
    { "wide_resnet101_2",        &imagenet,
      "block=bottleneck,stages=3x256+4x512+23x1024+3x2048,base-width=128" },
    { "preact-resnet18",         &preact,        "stages=2x64+2x128+2x256+2x512" },
    { "preact-resnet34",         &preact,        "stages=3x64+4x128+6x256+3x512" },
    { "preact-resnet50",         &preact,
      "block=preact-bottleneck,stages=3x256+4x512+6x1024+3x2048" },
    { "preact-resnet101",        &preact,
      "block=preact-bottleneck,stages=3x256+4x512+23x1024+3x2048" },
    { "preact-resnet152",        &preact,
      "block=preact-bottleneck,stages=3x256+8x512+36x1024+3x2048" },
    { "preact-resnet200",        &preact,
      "block=preact-bottleneck,stages=3x256+24x512+36x1024+3x2048" },
    { "cifar-resnet20",          &cifar,         "stages=3x16+3x32+3x64" },
    { "cifar-resnet32",          &cifar,         "stages=5x16+5x32+5x64" },
    { "cifar-resnet44",          &cifar,         "stages=7x16+7x32+7x64" },
    { "cifar-resnet56",          &cifar,         "stages=9x16+9x32+9x64" },
    { "cifar-resnet110",         &cifar,         "stages=18x16+18x32+18x64" },
    { "cifar-resnet1202",        &cifar,         "stages=200x16+200x32+200x64" },
    { "cifar-resnext29_8x64d",   &cifar,
      "block=bottleneck,stages=3x256+3x512+3x1024,stem-width=64,shortcut=conv-bn,groups=8" },
    { "cifar-resnext29_16x64d",  &cifar,
      "block=bottleneck,stages=3x256+3x512+3x1024,stem-width=64,shortcut=conv-bn,groups=16" },
    { "cifar-preact-resnet110",  &cifar_preact,  "stages=18x16+18x32+18x64,shortcut=pad" },
    { "cifar-preact-resnet164",  &cifar_preact,
      "block=preact-bottleneck,stages=18x64+18x128+18x256" },
    { "cifar-preact-resnet1001", &cifar_preact,
      "block=preact-bottleneck,stages=111x64+111x128+111x256" },
    { "cifar-wrn-28-10",         &cifar_preact,  "stages=4x160+4x320+4x640" },
    { "cifar-wrn-40-4",          &cifar_preact,  "stages=6x64+6x128+6x256" },
    { "cifar-wrn-16-8",          &cifar_preact,  "stages=2x128+2x256+2x512" },
    { "cifar-resnet9",           &cifar,
      "block=fast,stages=2x128+1x256+2x512,stem-width=64,first-stride=2,pool=max" },
    { "resnet9",                 &cifar,
      "block=pooled,stages=2x32+2x64+2x128,first-stride=2,pool=max" },
    { "regnet_x_400mf",          &regnet,        "stages=1x32+2x64+7x160+12x400,group-width=16" },
    { "regnet_x_800mf",          &regnet,        "stages=1x64+3x128+7x288+5x672,group-width=16" },
    { "regnet_x_1_6gf",          &regnet,        "stages=2x72+4x168+10x408+2x912,group-width=24" },
    { "regnet_x_3_2gf",          &regnet,        "stages=2x96+6x192+15x432+2x1008,group-width=48" },
    { "regnet_y_400mf",          &regnet,
      "stages=1x48+3x104+6x208+6x440,group-width=8,se=0.25" },
    { "regnet_y_800mf",          &regnet,
      "stages=1x64+3x144+8x320+2x784,group-width=16,se=0.25" },
    { "regnet_y_1_6gf",          &regnet,
      "stages=2x48+6x120+17x336+2x888,group-width=24,se=0.25" },
    { "regnet_y_3_2gf",          &regnet,
      "stages=2x72+5x216+13x576+1x1512,group-width=24,se=0.25" },
    { "residual",                &d2l_residual,  "" },
    { "resnext",                 &d2l_resnext,   "" },
    { "inception",               &d2l_inception, "" },
    { "basic",                   &block,         "" },
    { "bottleneck",              &block,         "in=256,block=bottleneck" },
    { "preact",                  &block,         "block=preact,shortcut=conv" },
    { "preact-bottleneck",       &block,         "in=256,block=preact-bottleneck,shortcut=conv" },
    { "shift",                   &block,         "block=shift" },
    { 0 },
};
/* clang-format on */
