#!/usr/bin/python3
"""Writes tests/golden/counts.tsv: trainable parameters, running statistics and multiply-accumulates of every network.

Usage: scripts/golden_counts.py >tests/golden/counts.tsv      (Debian: python3-torch, python3-torchvision)

torchvision's networks are counted as torchvision builds them, the others as golden_family.py composes them after their
papers. Operations are those of convolutions and linear layers, one picture, read off the shapes that flow.
tests/unit/counts.c holds every row of the table of networks against it.
"""
import sys

import torch
import torchvision
from torch import nn

from golden_family import Composed

DEPTHS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3], 200: [3, 24, 36, 3]}
TORCHVISION = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
               "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"] + [
    "regnet_%s_%s" % (kind, size) for kind in "xy" for size in ("400mf", "800mf", "1_6gf", "3_2gf")]


def middle(expansion=4, base=64, groups=1):
    return lambda k: (k // expansion * base // 64 * groups, groups)


def stages(blocks, first, factor=2):
    return [(b, first * factor**i) for i, b in enumerate(blocks)]


def networks():
    """Name, options, channels, side, classes."""
    d2l = dict(block="basic", stem="7x7", width=64, shortcut="conv", bias=True, stages=stages(DEPTHS[18], 64))
    yield "d2l-resnet18", d2l, 1, 96, 10
    yield "d2l-resnet", d2l, 1, 96, 10
    yield "d2l-resnext", dict(d2l, block="bottleneck", shortcut="conv-bn", middle=lambda k: (k, k // 16)), 1, 96, 10
    yield "resnet50d", dict(block="bottleneck", stem="deep", width=64, shortcut="avg", middle=middle(),
                            stages=stages(DEPTHS[50], 256)), 3, 224, 1000
    for depth, blocks in DEPTHS.items():
        deep = depth >= 50
        yield "preact-resnet%d" % depth, dict(
            block="preact-bottleneck" if deep else "preact", stem="7x7", width=64, shortcut="conv", middle=middle(),
            stages=stages(blocks, 256 if deep else 64)), 3, 224, 1000
    cifar = dict(block="basic", stem="3x3", width=16, shortcut="pad", middle=middle())
    for depth in (20, 32, 44, 56, 110, 1202):
        yield "cifar-resnet%d" % depth, dict(cifar, stages=stages([(depth - 2) // 6] * 3, 16)), 3, 32, 10
    for groups in (8, 16):
        yield "cifar-resnext29_%dx64d" % groups, dict(
            cifar, block="bottleneck", width=64, shortcut="conv-bn", middle=middle(groups=groups),
            stages=stages([3] * 3, 256)), 3, 32, 10
    yield "cifar-preact-resnet110", dict(cifar, block="preact", stages=stages([18] * 3, 16)), 3, 32, 10
    for depth in (164, 1001):
        yield "cifar-preact-resnet%d" % depth, dict(
            cifar, block="preact-bottleneck", shortcut="conv", stages=stages([(depth - 2) // 9] * 3, 64)), 3, 32, 10
    for depth, wide in ((28, 10), (40, 4), (16, 8)):
        yield "cifar-wrn-%d-%d" % (depth, wide), dict(
            cifar, block="preact", shortcut="conv", stages=stages([(depth - 4) // 6] * 3, 16 * wide)), 3, 32, 10
    yield "cifar-resnet9", dict(cifar, block="fast", width=64, first=2, maximum=True, stages=[(2, 128), (1, 256), (2, 512)]), 3, 32, 10
    yield "resnet9", dict(cifar, block="pooled", first=2, maximum=True, stages=stages([2] * 3, 32)), 3, 32, 10


def count(name, net, channels, side):
    macs = []

    def hook(m, i, o):
        macs.append(o.numel() * m.weight.numel() // m.weight.shape[0])
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            m.register_forward_hook(hook)
    with torch.no_grad():
        net.eval()(torch.zeros(1, channels, side, side))
    params = sum(p.numel() for p in net.parameters())
    buffers = sum(b.numel() for b in net.buffers() if b.is_floating_point())
    print(name, "%dx%dx%d" % (channels, side, side), params, buffers, sum(macs), sep="\t", flush=True)


def main():
    print("network", "input", "params", "buffers", "macs", sep="\t")
    for name in TORCHVISION:
        model = torchvision.models.resnet
        if name == "resnext101_64x4d":  # in Debian's torchvision from 0.15 on
            net = model.ResNet(model.Bottleneck, DEPTHS[101], groups=64, width_per_group=4)
        else:
            net = getattr(torchvision.models, name)()
        count(name, net, 3, 224)
    for name, options, channels, side, classes in networks():
        count(name, Composed(options, channels, classes), channels, side)


if __name__ == "__main__":
    sys.exit(main())
