#!/usr/bin/python3
"""
State dicts as other programs make them, names and shapes alone, for tests/unit/names.c: writes
tests/golden/names.tsv.gz. Modules are built here as those programs build them, from their own sources'
attribute names, with torch and torchvision and without a line of ours. A case is a line

    = title <tab> -a SPEC or - <tab> --head N or 0 <tab> ok or no <tab> the spec, or a piece of the refusal

and a line name <tab> F32 or I64 <tab> shape (1x2x3, or - for a scalar) for each tensor.
"""
import gzip
import os
import random

import torch
import torchvision
from torch import nn

OUT = os.path.join(os.path.dirname(__file__), "../tests/golden/names.tsv.gz")


def conv(i, o, k, s=1, g=1, bias=False):
    return nn.Conv2d(i, o, k, stride=s, padding=k // 2, groups=g, bias=bias)


def module(**parts):
    m = nn.Module()
    for name, part in parts.items():
        m.add_module(name, part)
    return m


def stages(block, first, plan, strides=True):
    """[(blocks, channels)] -> one Sequential a stage; block(in, out, stride)."""
    made, i = [], first
    for number, (blocks, channels) in enumerate(plan):
        row = []
        for b in range(blocks):
            row.append(block(i, channels, 2 if strides and number and not b else 1))
            i = channels
        made.append(nn.Sequential(*row))
    return made


# ---- the repositories ----

def kuangliu(plan, width=64, classes=10, option="B", bottleneck=False, head="linear", short="shortcut"):
    def block(i, o, s):
        if bottleneck:
            parts = dict(conv1=conv(i, o // 4, 1), bn1=nn.BatchNorm2d(o // 4), conv2=conv(o // 4, o // 4, 3, s),
                         bn2=nn.BatchNorm2d(o // 4), conv3=conv(o // 4, o, 1), bn3=nn.BatchNorm2d(o))
        else:
            parts = dict(conv1=conv(i, o, 3, s), bn1=nn.BatchNorm2d(o), conv2=conv(o, o, 3), bn2=nn.BatchNorm2d(o))
        change = s != 1 or i != o
        parts[short] = nn.Sequential(conv(i, o, 1, s), nn.BatchNorm2d(o)) if change and option == "B" else nn.Sequential()
        return module(**parts)
    made = stages(block, width, plan)
    return module(conv1=conv(3, width, 3), bn1=nn.BatchNorm2d(width),
                  **{f"layer{n + 1}": s for n, s in enumerate(made)}, **{head: nn.Linear(plan[-1][1], classes)})


def preact(plan, width=16, norm=None, head="linear", bias=False):
    def block(i, o, s):
        parts = dict(bn1=nn.BatchNorm2d(i), conv1=conv(i, o, 3, s, bias=bias), bn2=nn.BatchNorm2d(o), conv2=conv(o, o, 3, bias=bias))
        if s != 1 or i != o:
            parts["shortcut"] = nn.Sequential(conv(i, o, 1, s, bias=bias))
        return module(**parts)
    parts = dict(conv1=conv(3, width, 3, bias=bias), **{f"layer{n + 1}": s for n, s in enumerate(stages(block, width, plan))})
    if norm:
        parts[norm] = nn.BatchNorm2d(plan[-1][1])
    parts[head] = nn.Linear(plan[-1][1], 10)
    return module(**parts)


def xternalz(n, wide):
    """WideResNet-pytorch: block1.layer.0.convShortcut."""
    def block(i, o, s):
        parts = dict(bn1=nn.BatchNorm2d(i), conv1=conv(i, o, 3, s), bn2=nn.BatchNorm2d(o), conv2=conv(o, o, 3))
        if i != o:
            parts["convShortcut"] = conv(i, o, 1, s)
        return module(**parts)
    widths = [16 * wide, 32 * wide, 64 * wide]
    made = stages(block, 16, [(n, w) for w in widths])
    return module(conv1=conv(3, 16, 3), **{f"block{k + 1}": module(layer=s) for k, s in enumerate(made)},
                  bn1=nn.BatchNorm2d(widths[-1]), fc=nn.Linear(widths[-1], 10))


def weiaicunzai(plan, classes=100, bottleneck=False):
    def block(i, o, s):
        if bottleneck:
            m = o // 4
            body = [conv(i, m, 1), nn.BatchNorm2d(m), nn.ReLU(), conv(m, m, 3, s), nn.BatchNorm2d(m), nn.ReLU(), conv(m, o, 1), nn.BatchNorm2d(o)]
        else:
            body = [conv(i, o, 3, s), nn.BatchNorm2d(o), nn.ReLU(), conv(o, o, 3), nn.BatchNorm2d(o)]
        short = nn.Sequential(conv(i, o, 1, s), nn.BatchNorm2d(o)) if s != 1 or i != o else nn.Sequential()
        return module(residual_function=nn.Sequential(*body), shortcut=short)
    made = stages(block, 64, plan)
    return module(conv1=nn.Sequential(conv(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU()),
                  **{f"conv{n + 2}_x": s for n, s in enumerate(made)}, fc=nn.Linear(plan[-1][1], classes))


def d2l_block(i, o, s):
    parts = dict(conv1=conv(i, o, 3, s, bias=True), conv2=conv(o, o, 3, bias=True))
    if s != 1 or i != o:
        parts["conv3"] = conv(i, o, 1, s, bias=True)
    return module(**parts, bn1=nn.BatchNorm2d(o), bn2=nn.BatchNorm2d(o))


def d2l_resnext_block(i, o, s):
    parts = dict(conv1=conv(i, o, 1, bias=True), conv2=conv(o, o, 3, s, g=o // 16, bias=True), conv3=conv(o, o, 1, bias=True),
                 bn1=nn.BatchNorm2d(o), bn2=nn.BatchNorm2d(o), bn3=nn.BatchNorm2d(o))
    if s != 1 or i != o:
        parts.update(conv4=conv(i, o, 1, s, bias=True), bn4=nn.BatchNorm2d(o))
    return module(**parts)


D2L = [(2, 64), (2, 128), (2, 256), (2, 512)]


def d2l(block=d2l_block, named=True):
    net = nn.Sequential(nn.Sequential(conv(1, 64, 7, 2, bias=True), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)))
    for n, s in enumerate(stages(block, 64, D2L)):
        net.add_module(f"b{n + 2}" if named else str(n + 1), s)
    if named:
        net.add_module("last", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)))
        return module(net=net)
    for n, part in enumerate([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]):
        net.add_module(str(5 + n), part)
    return net


def hf_conv(i, o, k, s=1):
    return module(convolution=conv(i, o, k, s), normalization=nn.BatchNorm2d(o))


def huggingface(plan, bottleneck, head=True, classes=1000):
    """transformers' modeling_resnet.py."""
    def block(i, o, s):
        if bottleneck:
            layers = [hf_conv(i, o // 4, 1), hf_conv(o // 4, o // 4, 3, s), hf_conv(o // 4, o, 1)]
        else:
            layers = [hf_conv(i, o, 3, s), hf_conv(o, o, 3)]
        parts = dict(layer=nn.Sequential(*layers))
        if s != 1 or i != o:
            parts = dict(shortcut=hf_conv(i, o, 1, s), **parts)
        return module(**parts)
    made = [module(layers=s) for s in stages(block, 64, plan)]
    base = module(embedder=module(embedder=hf_conv(3, 64, 7, 2)), encoder=module(stages=nn.ModuleList(made)))
    if not head:
        return base
    return module(resnet=base, classifier=nn.Sequential(nn.Flatten(), nn.Linear(plan[-1][1], classes)))


def timm(plan, deep=False, se=0.0, avg=False, classes=1000):
    """timm's resnet.py: resnet50d, seresnet50, seresnet18."""
    def block(i, o, s):
        m = o // 4
        parts = dict(conv1=conv(i, m, 1), bn1=nn.BatchNorm2d(m), conv2=conv(m, m, 3, s), bn2=nn.BatchNorm2d(m), conv3=conv(m, o, 1), bn3=nn.BatchNorm2d(o))
        if se:
            parts["se"] = module(fc1=conv(o, int(o * se), 1, bias=True), fc2=conv(int(o * se), o, 1, bias=True))
        if s != 1 or i != o:
            parts["downsample"] = nn.Sequential(nn.AvgPool2d(2, s), conv(i, o, 1), nn.BatchNorm2d(o)) if avg else \
                nn.Sequential(conv(i, o, 1, s), nn.BatchNorm2d(o))
        return module(**parts)
    stem = conv(3, 64, 7, 2)
    if deep:
        stem = nn.Sequential(conv(3, 32, 3, 2), nn.BatchNorm2d(32), nn.ReLU(), conv(32, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), conv(32, 64, 3))
    made = stages(block, 64, plan)
    return module(conv1=stem, bn1=nn.BatchNorm2d(64), **{f"layer{n + 1}": s for n, s in enumerate(made)}, fc=nn.Linear(plan[-1][1], classes))


def timm_regnet(plan, stem, group):
    """timm's regnet.py: s1.b1.conv1.conv."""
    def unit(c, o):
        return module(conv=c, bn=nn.BatchNorm2d(o))
    def block(i, o, s):
        parts = dict(conv1=unit(conv(i, o, 1), o), conv2=unit(conv(o, o, 3, s, o // group), o), conv3=unit(conv(o, o, 1), o))
        if s != 1 or i != o:
            parts["downsample"] = unit(conv(i, o, 1, s), o)
        return module(**parts)
    parts, i = {}, stem
    for n, (blocks, o) in enumerate(plan):
        parts[f"s{n + 1}"] = module(**{f"b{b + 1}": block(i if not b else o, o, 1 if b else 2) for b in range(blocks)})
        i = o
    return module(stem=unit(conv(3, stem, 3, 2), stem), **parts, head=module(fc=nn.Linear(i, 1000)))


# ---- cases ----

def rows(m, prefix=""):
    return [(prefix + k, "I64" if v.dtype == torch.int64 else "F32", tuple(v.shape)) for k, v in m.state_dict().items()]


def without(r, *words):
    return [x for x in r if not any(w in x[0] for w in words)]


def shuffled(r, seed=1):
    r = list(r)
    random.Random(seed).shuffle(r)
    return r


def strange(r):
    """Names that say nothing."""
    return [(f"p{n:03}", d, s) for n, (_, d, s) in enumerate(r)]


def cases():
    tv = torchvision.models
    r18, r50 = rows(tv.resnet18()), rows(tv.resnet50())
    yield "torchvision resnet18", "-", 0, "ok", "resnet18", r18
    yield "torchvision resnet50", "-", 0, "ok", "resnet50", r50
    yield "torchvision resnet101", "-", 0, "ok", "resnet101", rows(tv.resnet101())
    yield "torchvision resnext50_32x4d", "-", 0, "ok", "resnext50_32x4d", rows(tv.resnext50_32x4d())
    yield "torchvision wide_resnet50_2", "-", 0, "ok", "wide_resnet50_2", rows(tv.wide_resnet50_2())
    yield "torchvision regnet_y_400mf", "-", 0, "ok", "regnet_y_400mf", rows(tv.regnet_y_400mf())
    yield "10 classes", "-", 0, "ok", "resnet18:classes=10", rows(tv.resnet18(num_classes=10))
    yield "shuffled", "-", 0, "ok", "resnet50", shuffled(r50)
    yield "module. _orig_mod. model.", "-", 0, "ok", "resnet18", [("module._orig_mod.model." + k, d, s) for k, d, s in r18]
    yield "no counters", "-", 0, "ok", "resnet18", without(r18, "num_batches_tracked")
    yield "v1 by -a", "resnet50:stride-at=1x1", 0, "ok", "resnet50:stride-at=1x1", r50
    yield "no classifier", "-", 0, "no", "no classifier", without(r18, "fc.")
    yield "no classifier, --head 37", "-", 37, "ok", "resnet18:classes=37", without(r18, "fc.")
    yield "auxiliary classifier", "-", 0, "ok", "resnet18", r18 + [("aux.fc.weight", "F32", (10, 64))]
    yield "a learned slope", "-", 0, "no", "layer1.0.relu.weight has no place", r18 + [("layer1.0.relu.weight", "F32", (64,))]
    yield "a missing batch norm", "-", 0, "no", "layer2.1.bn1", without(r18, "layer2.1.bn1")
    yield "the stem's batch norm missing", "-", 0, "no", "block=preact", [x for x in r18 if not x[0].startswith("bn1.")]
    yield "an extra convolution", "-", 0, "no", "layer4.1.conv3.weight has no place", r18 + [("layer4.1.conv3.weight", "F32", (512, 512, 1, 1))]
    yield "a shape of another network", "-", 0, "no", "layer3.0.conv2.weight is", [(k, d, (256, 128, 3, 3) if k == "layer3.0.conv2.weight" else s) for k, d, s in r18]
    yield "-a of another network", "resnet34", 0, "no", "resnet34", r18
    yield "two copies", "-", 0, "no", "would both be", r18 + [("module." + k, d, s) for k, d, s in r18]
    yield "VGG", "-", 0, "no", "-a SPEC", rows(tv.vgg11())
    yield "DenseNet", "-", 0, "no", "-a SPEC", rows(tv.densenet121())
    yield "strange names, resnet18", "-", 0, "ok", "resnet18", strange(without(r18, "num_batches_tracked"))
    yield "strange names, -a cut in stages", "resnet18:stages=2x64+2x128+2x256+2x512", 0, "ok", "resnet18", strange(without(r18, "num_batches_tracked"))
    yield "strange names, shuffled", "-", 0, "no", "-a SPEC", shuffled(strange(without(r18, "num_batches_tracked")))
    yield "strange names, d2l", "-", 0, "ok", "d2l-resnet18", strange(without(rows(d2l()), "num_batches_tracked"))

    cifar = [(3, 16), (3, 32), (3, 64)]
    yield "akamaster resnet20, option A", "-", 0, "ok", "cifar-resnet20", without(rows(kuangliu(cifar, 16, option="A"), "module."), "num_batches_tracked")
    yield "resnet20, option B", "-", 0, "ok", "cifar-resnet20:shortcut=conv-bn", rows(kuangliu(cifar, 16))
    yield "resnet56, 100 classes, fc, downsample", "-", 0, "ok", "cifar-resnet56:classes=100,shortcut=conv-bn", rows(kuangliu([(9, 16), (9, 32), (9, 64)], 16, 100, head="fc", short="downsample"))
    yield "kuangliu ResNet18", "-", 0, "ok", "cifar-resnet20:stages=2x64+2x128+2x256+2x512,stem-width=64,shortcut=conv-bn", rows(kuangliu(D2L))
    yield "kuangliu ResNet50", "-", 0, "ok", "cifar-resnext29_8x64d:stages=3x256+4x512+6x1024+3x2048,groups=1", rows(kuangliu([(3, 256), (4, 512), (6, 1024), (3, 2048)], bottleneck=True))
    yield "some shortcuts without weights", "-", 0, "no", "some have none", without(rows(kuangliu(cifar, 16)), "layer3.0.shortcut")
    yield "pre-activation without its last norm", "-", 0, "no", "norm.weight", rows(preact(D2L, 64))
    yield "pre-activation, bn", "-", 0, "ok", "cifar-wrn-28-10:stages=2x64+2x128+2x256+2x512,stem-width=64", rows(preact(D2L, 64, "bn"))
    yield "wide 16-2, bn1", "-", 0, "ok", "cifar-wrn-28-10:stages=2x32+2x64+2x128", rows(preact([(2, 32), (2, 64), (2, 128)], 16, "bn1"))
    yield "xternalz wide 28-10", "-", 0, "ok", "cifar-wrn-28-10", rows(xternalz(4, 10))
    yield "weiaicunzai resnet18", "-", 0, "ok", "cifar-resnet20:classes=100,stages=2x64+2x128+2x256+2x512,stem-width=64,shortcut=conv-bn", rows(weiaicunzai(D2L))
    yield "weiaicunzai resnet50", "-", 0, "ok", "cifar-resnext29_8x64d:classes=100,stages=3x256+4x512+6x1024+3x2048,groups=1", rows(weiaicunzai([(3, 256), (4, 512), (6, 1024), (3, 2048)], bottleneck=True))
    yield "d2l classes", "-", 0, "ok", "d2l-resnet18", rows(d2l())
    yield "d2l classes, ResNeXtBlock", "-", 0, "ok", "d2l-resnext", rows(d2l(d2l_resnext_block))
    yield "d2l Sequential", "-", 0, "ok", "d2l-resnet18", rows(d2l(named=False))
    yield "d2l Sequential, ResNeXtBlock", "-", 0, "ok", "d2l-resnext", rows(d2l(d2l_resnext_block, False))
    yield "Hugging Face resnet-18", "-", 0, "ok", "resnet18", rows(huggingface(D2L, False))
    yield "Hugging Face resnet-50", "-", 0, "ok", "resnet50", rows(huggingface([(3, 256), (4, 512), (6, 1024), (3, 2048)], True))
    yield "Hugging Face without head", "-", 0, "no", "no classifier", rows(huggingface(D2L, False, False))
    yield "timm resnet50d", "-", 0, "ok", "resnet50d", rows(timm([(3, 256), (4, 512), (6, 1024), (3, 2048)], True, avg=True))
    yield "timm seresnet50", "-", 0, "ok", "resnet50:se=0.0625", rows(timm([(3, 256), (4, 512), (6, 1024), (3, 2048)], se=1 / 16))
    yield "timm regnetx_004", "-", 0, "ok", "regnet_x_400mf", rows(timm_regnet([(1, 32), (2, 64), (7, 160), (12, 400)], 32, 16))


def main():
    text = []
    for title, spec, head, status, wanted, tensors in cases():
        text.append(f"= {title}\t{spec}\t{head}\t{status}\t{wanted}\n")
        text += [f"{name}\t{dtype}\t{'x'.join(map(str, shape)) or '-'}\n" for name, dtype, shape in tensors]
    with open(OUT, "wb") as f:
        f.write(gzip.compress("".join(text).encode(), 9, mtime=0))


main()
