#!/usr/bin/python3
"""Writes tests/golden/*.safetensors: what PyTorch, in float64, makes of small residual networks.

Usage: scripts/golden.py [FOLDER [NAME]...]         (Debian: python3-torch, python3-numpy)

Inputs, labels and parameters are not stored: both sides compute them from a name, an element number and a seed
(splitmix64, see `uniform`), so a file holds results alone: logits in training and in evaluation mode, losses, gradients,
running statistics. tests/unit/golden.c reads them.
"""
import json
import struct
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from golden_family import Composed, SamePool, same_pads

STEPS, MOMENTUM, DECAY = 10, 0.9, 0.02
# Learning rates. At 0.005 the wide network's loss doubles in two steps, and what a rounding error becomes with it.
LR, WIDE_LR = 0.005, 0.001
MASK = (1 << 64) - 1

# name, spec, family, stem, stages, (C, H, W), batch, classes, nesterov, stored elements of a gradient, margin
NETWORKS = [
    ("d2l-narrow", "d2l-resnet18:stages=2x8+2x12+2x20+2x36,stem-width=8", "d2l", 8,
     [(2, 8), (2, 12), (2, 20), (2, 36)], (1, 36, 44), 6, 10, False, 1 << 30, 2e-5),
    ("cifar-narrow", "cifar-resnet20:stages=3x4+3x8+3x16,stem-width=4,in=3", "cifar", 4,
     [(3, 4), (3, 8), (3, 16)], (3, 16, 20), 8, 10, True, 1 << 30, 2e-5),
    ("resnext-narrow", "resnext50_32x4d:stages=1x64+2x128+2x256,groups=3,base-width=16,stem-width=8", "resnext", 8,
     [(1, 64), (2, 128), (2, 256)], (3, 44, 36), 6, 10, False, 512, 2e-5),  # groups of 4, 8 and 16 channels
    ("d2l-resnet18", "d2l-resnet18", "d2l", 64,
     [(2, 64), (2, 128), (2, 256), (2, 512)], (1, 40, 40), 4, 10, True, 64, 1.2e-5),
    ("cifar-resnet20", "cifar-resnet20", "cifar", 16,
     [(3, 16), (3, 32), (3, 64)], (3, 20, 20), 4, 10, False, 64, 1.2e-5),
]

# The other families: the options of golden_family.py instead of a family's name.
D = dict(block="bottleneck", stem="deep", shortcut="avg", middle=lambda k: (k // 4, 1))
V1 = dict(block="bottleneck", stem="7x7", shortcut="conv-bn", v1=True, middle=lambda k: (k // 4, 1))
NEXT = dict(block="bottleneck", stem="7x7", shortcut="conv-bn", bias=True, middle=lambda k: (k, k // 4))
PRE = dict(block="preact", stem="7x7", shortcut="conv")
PRE_PAD = dict(block="preact", stem="3x3", shortcut="pad")
PRE_DEEP = dict(block="preact-bottleneck", stem="3x3", shortcut="conv", middle=lambda k: (k // 4, 1))
SAME = dict(block="preact", stem="7x7", shortcut="conv", same=True)
KERAS = dict(block="basic", stem="7x7", shortcut="conv-bn", same=True, bias=True, eps=1e-3, momentum=0.01, biased=True)
PLAIN = dict(block="basic", stem="3x3", shortcut="pad", plain=True)
SE = dict(block="basic", stem="3x3", shortcut="pad-end", se=0.25)
REGNET = dict(block="regnet", stem="3x3-s2", first=2, se=0.25, middle=lambda k: (k, k // 8))
INCEPTION = dict(block="inception", stem="7x7", bias=True)
INCEPTION_BN = dict(block="inception-bn", stem="3x3")
SHIFT = dict(block="shift", stem="3x3", shortcut="conv-bn", middle=lambda k: (k * 3 // 2, 1))
DROP = dict(block="basic", stem="3x3", shortcut="conv-bn", drop=0.6)
DROP_SE = dict(block="basic", stem="3x3", shortcut="pad", se=0.25, drop=0.5)
DROP_PRE = dict(block="preact", stem="3x3", shortcut="conv", drop=0.5)
FAST = dict(block="fast", stem="3x3", first=2, maximum=True)
CIFAR = dict(block="basic", stem="3x3", shortcut="pad")
POOLED = dict(block="pooled", stem="3x3", shortcut="pad", first=2, maximum=True)
BASIC = dict(block="basic", stem="7x7", shortcut="conv-bn")
DEEP = dict(block="bottleneck", stem="7x7", shortcut="conv-bn", middle=lambda k: (k // 4, 1))
WIDE = dict(DEEP, middle=lambda k: (k // 2, 1))
CIFAR_NEXT = dict(block="bottleneck", stem="3x3", shortcut="conv-bn", middle=lambda k: (k // 2, 2))
WRN = dict(block="preact", stem="3x3", shortcut="conv")
REGNET_X = dict(REGNET, se=0)
NETWORKS += [(name + "-narrow", spec, options, stem, stages, chw, 6, 10, False, 32, 1.2e-5)
             for name, spec, options, stem, stages, chw in [
    ("resnetd", "resnet50d:stages=1x16+2x24,stem-width=9", D, 9, [(1, 16), (2, 24)], (3, 37, 31)),
    ("v1", "resnet50:stages=1x16+1x24,stem-width=8,stride-at=1x1", V1, 8, [(1, 16), (1, 24)], (2, 28, 35)),
    ("d2l-resnext", "d2l-resnext:stages=1x8+1x16,stem-width=8,group-width=4", NEXT, 8, [(1, 8), (1, 16)], (1, 28, 31)),
    ("preact", "preact-resnet18:stages=1x8+2x12,stem-width=8", PRE, 8, [(1, 8), (2, 12)], (3, 32, 29)),
    ("preact-pad", "cifar-preact-resnet110:stages=1x4+1x9,stem-width=4", PRE_PAD, 4, [(1, 4), (1, 9)], (3, 12, 15)),
    ("preact-bottleneck", "cifar-preact-resnet164:stages=1x16+2x24,stem-width=6", PRE_DEEP, 6, [(1, 16), (2, 24)],
     (3, 12, 11)),
    ("same", "preact-resnet34:stages=1x8+1x12,stem-width=8,padding=same", SAME, 8, [(1, 8), (1, 12)], (3, 32, 29)),
    ("keras", "resnet18:stages=1x8+1x12,stem-width=8,padding=same,bias,bn-eps=0.001,bn-momentum=0.01,bn-biased", KERAS, 8,
     [(1, 8), (1, 12)], (3, 30, 34)),
    ("plain", "cifar-resnet20:stages=2x6+1x8,stem-width=6,plain", PLAIN, 6, [(2, 6), (1, 8)], (3, 14, 12)),
    ("se", "cifar-resnet20:stages=1x8+1x13,stem-width=8,se=0.25,shortcut=pad-end", SE, 8, [(1, 8), (1, 13)], (3, 13, 12)),
    ("regnet", "regnet_y_400mf:stages=1x16+2x24,stem-width=8", REGNET, 8, [(1, 16), (2, 24)], (3, 33, 30)),
    ("drop", "resnet18:stages=2x6+2x8,stem=3x3,stem-width=6", DROP, 6, [(2, 6), (2, 8)], (3, 11, 12)),
    ("drop-se", "cifar-resnet20:stages=2x8+1x12,stem-width=8,se=0.25", DROP_SE, 8, [(2, 8), (1, 12)], (3, 11, 12)),
    ("drop-preact", "preact-resnet18:stages=2x6+1x8,stem=3x3,stem-width=6", DROP_PRE, 6, [(2, 6), (1, 8)], (3, 11, 12)),
    ("inception", "d2l-resnet:block=inception,stages=1x16+1x25,stem-width=8", INCEPTION, 8, [(1, 16), (1, 25)], (1, 27, 30)),
    ("inception-bn", "resnet18:block=inception-bn,stages=1x32+1x40,stem=3x3,stem-width=6", INCEPTION_BN, 6,
     [(1, 32), (1, 40)], (3, 8, 9)),
    ("shift", "resnet18:block=shift,stages=1x14+1x20,stem=3x3,stem-width=9,bot-mul=1.5", SHIFT, 9, [(1, 14), (1, 20)],
     (3, 11, 10)),
    ("fast", "cifar-resnet9:stages=2x8+1x12+2x16,stem-width=6", FAST, 6, [(2, 8), (1, 12), (2, 16)], (3, 24, 24)),
    ("pooled", "resnet9:stages=2x8+1x12+3x16,stem-width=6", POOLED, 6, [(2, 8), (1, 12), (3, 16)], (1, 28, 25)),
    ("resnet18", "resnet18:stages=1x8+2x12,stem-width=8", BASIC, 8, [(1, 8), (2, 12)], (3, 33, 30)),
    ("resnet50", "resnet50:stages=1x16+2x24,stem-width=8", DEEP, 8, [(1, 16), (2, 24)], (3, 31, 34)),
    ("wide", "wide_resnet50_2:stages=1x16+1x24,stem-width=8", WIDE, 8, [(1, 16), (1, 24)], (3, 29, 33)),
    ("cifar-resnext", "cifar-resnext29_8x64d:stages=1x32+1x64,stem-width=8,groups=2", CIFAR_NEXT, 8, [(1, 32), (1, 64)],
     (3, 12, 13)),
    ("wrn", "cifar-wrn-16-8:stages=1x8+2x12,stem-width=6", WRN, 6, [(1, 8), (2, 12)], (3, 13, 14)),
    ("regnet-x", "regnet_x_400mf:stages=1x16+2x24,stem-width=8,group-width=8", REGNET_X, 8, [(1, 16), (2, 24)],
     (3, 33, 30)),
]]


# ---- numbers both sides compute ----

def bits(name, seed, count):
    """The splitmix64 stream seeded by FNV-1a(name) + seed: `count` uint64."""
    key = 0xcbf29ce484222325
    for byte in name.encode():
        key = (key ^ byte) * 0x100000001b3 & MASK
    x = np.uint64((key + seed) & MASK) + np.uint64(0x9e3779b97f4a7c15) * np.arange(1, count + 1, dtype=np.uint64)
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xbf58476d1ce4e5b9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94d049bb133111eb)
    return x ^ x >> np.uint64(31)


def uniform(name, seed, count):
    """In [-1, 1), multiples of 2^-23: exact in float32."""
    return (bits(name, seed, count) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1


def parameter(name, seed, shape):
    """Values of a tensor of the network, rounded to float32."""
    u = uniform(name, seed, int(np.prod(shape)))
    if len(shape) > 1:
        u *= np.sqrt(6 / np.prod(shape[1:]))  # He et al. 2015b
    elif name.endswith(".running_var"):
        u = 1 + 0.99 * u  # some small enough to show eps
    elif name.endswith(".weight"):
        u = 1 + 0.1 * u
    else:
        u *= 0.1
    return torch.from_numpy(u.astype(np.float32).astype(np.float64).reshape(shape))


def batch(step, seed, shape, classes):
    """Batch number `step`: pictures in NHWC order here and in C, given to PyTorch as NCHW."""
    n, c, h, w = shape
    x = torch.from_numpy(uniform("input.%d" % step, seed, n * c * h * w).reshape(n, h, w, c)).permute(0, 3, 1, 2)
    return x.contiguous(), torch.from_numpy((bits("label.%d" % step, seed, n) % np.uint64(classes)).astype(np.int64))


# ---- the networks ----

class Block(nn.Module):
    """Basic block. d2l: biased convolutions, a biased 1x1 shortcut without batch norm. cifar: option A of He 2015."""

    def __init__(self, family, c, k, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c, k, 3, stride, 1, bias=family == "d2l")
        self.bn1 = nn.BatchNorm2d(k)
        self.conv2 = nn.Conv2d(k, k, 3, 1, 1, bias=family == "d2l")
        self.bn2 = nn.BatchNorm2d(k)
        self.relu = nn.ReLU()
        self.shortcut_pad = (k - c) // 2 if family == "cifar" and k != c else 0
        self.downsample = nn.Sequential(nn.Conv2d(c, k, 1, stride)) if family == "d2l" and stride > 1 else None

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.shortcut_pad:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.shortcut_pad, self.shortcut_pad))
        elif self.downsample:
            x = self.downsample(x)
        return self.relu(y + x)


class Bottleneck(nn.Module):
    """Block of ResNeXt (Xie et al. 2016) as torchvision builds it: 3 groups, a sixteenth of the k channels each."""

    def __init__(self, family, c, k, stride):
        super().__init__()
        width = 3 * k // 16
        self.conv1 = nn.Conv2d(c, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=3, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, k, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(k)
        self.relu = nn.ReLU()
        self.downsample = nn.Sequential()
        if stride > 1 or c != k:
            self.downsample = nn.Sequential(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k))

    def forward(self, x):
        y = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class Network(nn.Module):
    """Named as torchvision names a ResNet."""

    def __init__(self, family, stem, stages, channels, classes):
        super().__init__()
        wide, block = family != "cifar", Bottleneck if family == "resnext" else Block
        self.conv1 = nn.Conv2d(channels, stem, 7 if wide else 3, 2 if wide else 1, 3 if wide else 1,
                               bias=family == "d2l")
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if wide else nn.Identity()
        self.stages = len(stages)
        c = stem
        for i, (blocks, k) in enumerate(stages):
            layer = [block(family, c if j == 0 else k, k, 2 if i > 0 and j == 0 else 1) for j in range(blocks)]
            setattr(self, "layer%d" % (i + 1), nn.Sequential(*layer))
            c = k
        self.fc = nn.Linear(c, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(self.stages):
            x = getattr(self, "layer%d" % (i + 1))(x)
        return self.fc(x.mean((2, 3)))


def make(family, stem, stages, shape, classes, seed):
    if isinstance(family, dict):
        net = Composed(dict(family, width=stem, stages=stages), shape[1], classes).double()
    else:
        net = Network(family, stem, stages, shape[1], classes).double()
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if t.is_floating_point():
                t.copy_(parameter(name, seed, tuple(t.shape)))
    return net


def drop(net, family, step, seed, n):
    """Stochastic depth for a batch: what torchvision's StochasticDepth by rows draws, from numbers both sides compute."""
    blocks = [m for m in net.modules() if hasattr(m, "keep")]
    for b, block in enumerate(blocks):
        p = family["drop"] * b / (len(blocks) - 1)
        u = (uniform("drop.%d.%d" % (step, b), seed, n).reshape(n, 1, 1, 1) + 1) / 2
        block.keep = torch.from_numpy(np.where(u < p, 0, 1 / (1 - p)))


def margin(net, x):
    """How near any ReLU comes to its kink and any max pool to a tie of positive values: float32 must not cross."""
    near = []
    hooks = [m.register_forward_hook(lambda m, i, o: near.append(i[0][i[0] != 0].abs().min().item()))  # skipped: exact
             for m in net.modules() if isinstance(m, nn.ReLU)]

    def pool(m, i, o):
        x = i[0]
        if isinstance(m, nn.AdaptiveMaxPool2d):
            windows = x.flatten(2).unsqueeze(3)
        else:
            pads = same_pads(x, m.kernel_size, m.stride) if isinstance(m, SamePool) else [m.padding] * 4
            windows = F.unfold(F.pad(x, pads, value=-1e9), m.kernel_size, stride=m.stride)
            windows = windows.reshape(x.shape[0], x.shape[1], m.kernel_size**2, -1)
        top = windows.topk(2, 2).values
        apart = (top[:, :, 0] - top[:, :, 1])[top[:, :, 1] != 0]  # ReLU's zeros may tie,
        apart = apart[apart != 0]  # and what another pool has doubled: the first wins on both sides
        if apart.numel():
            near.append(apart.min().item())
    hooks += [m.register_forward_hook(pool) for m in net.modules()
              if isinstance(m, (nn.MaxPool2d, nn.AdaptiveMaxPool2d))]
    with torch.no_grad():
        net(x)
    for h in hooks:
        h.remove()
    return min(near)


# ---- files ----

def write_safetensors(path, tensors, meta):
    header, offset = {"__metadata__": meta}, 0
    names = {np.dtype("float32"): "F32", np.dtype("float64"): "F64", np.dtype("int64"): "I64"}
    for name, a in tensors.items():
        header[name] = {"dtype": names[a.dtype], "shape": list(a.shape), "data_offsets": [offset, offset + a.nbytes]}
        offset += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in tensors.values():
            f.write(a.tobytes())


def sampled(name, seed, flat, most):
    """All elements, or `most` of them at places both sides compute."""
    if flat.size <= most:
        return flat
    return flat[(bits("sample." + name, seed, most) % np.uint64(flat.size)).astype(np.int64)]


def record(name, spec, family, stem, stages, chw, n, classes, nesterov, most, least, folder):
    dropping = isinstance(family, dict) and "drop" in family
    shape, f32 = (n, *chw), lambda t: t.detach().numpy().astype(np.float32)
    for seed in range(1, 1000):  # the first whose ReLUs keep their distance
        net = make(family, stem, stages, shape, classes, seed)
        x, label = batch(0, seed, shape, classes)
        if dropping:
            drop(net, family, 0, seed, n)
        if margin(net, x) > least:
            break
    else:
        sys.exit("golden.py: %s: no seed keeps its ReLUs %g from zero" % (name, least))
    net = make(family, stem, stages, shape, classes, seed)  # margin() has moved the running statistics
    out = {"logits.eval": f32(net.eval()(x))}
    lr = WIDE_LR if name == "d2l-resnet18" else LR
    sgd = torch.optim.SGD(net.train().parameters(), lr, MOMENTUM, weight_decay=DECAY, nesterov=nesterov)
    losses = []
    for step in range(STEPS):
        x, label = batch(step, seed, shape, classes)
        if dropping:
            drop(net, family, step, seed, n)
        logits = net(x)
        loss = F.cross_entropy(logits, label)
        sgd.zero_grad()
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out["logits.train"] = f32(logits)
            for p, t in net.named_parameters():
                grad = t.grad.numpy().reshape(-1)
                out["grad." + p] = sampled(p, seed, grad, most).astype(np.float32)
                out["norm." + p] = np.array(np.linalg.norm(grad))
            out.update({b: f32(t) for b, t in net.named_buffers() if t.is_floating_point()})
        sgd.step()
    out["losses"] = np.array(losses)
    write_safetensors("%s/%s.safetensors" % (folder, name), out, {
        "spec": spec, "input": "%dx%dx%d" % chw, "batch": str(n), "classes": str(classes), "seed": str(seed),
        "lr": str(lr), "momentum": str(MOMENTUM), "nesterov": str(int(nesterov)), "weight_decay": str(DECAY),
        "drop": str(family["drop"] if dropping else 0),
        "torch": torch.__version__})
    print("%-16s seed %d, losses %.4f to %.4f" % (name, seed, losses[0], losses[-1]))


# A run as rn-train makes it, with all that fast recipes use, of a network without max pools, whose ties turn rounding into
# other gradients: name, spec, options, stem, stages, (C, H, W), batch.
RUN = ("losses-200", "cifar-resnet20:stages=2x8+2x12+2x16,stem-width=8", CIFAR, 8, [(2, 8), (2, 12), (2, 16)], (3, 12, 12), 32)
RUN_STEPS, RUN_WARM, RUN_BATCHES, RUN_LR, RUN_DECAY, SMOOTHING = 200, 40, 4, 0.0015, 5e-4, 0.1


def run_losses(net, shape, classes, seed, dtype):
    """Losses of SGD on a few batches in turn: the rate rises along a line, then falls along one to 0."""
    parameters = list(net.to(dtype).train().parameters())
    sgd = torch.optim.SGD([{"params": [p for p in parameters if p.dim() > 1], "weight_decay": RUN_DECAY},
                           {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0}],
                          RUN_LR, MOMENTUM, nesterov=True)
    rate = torch.optim.lr_scheduler.LambdaLR(sgd, lambda step: (step + 1) / RUN_WARM if step < RUN_WARM else
                                             (RUN_STEPS - step) / (RUN_STEPS - RUN_WARM))
    criterion, losses = nn.CrossEntropyLoss(label_smoothing=SMOOTHING), []
    for step in range(RUN_STEPS):
        x, label = batch(step % RUN_BATCHES, seed, shape, classes)
        loss = criterion(net(x.to(dtype)), label)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        rate.step()
        losses.append(loss.item())
    return np.array(losses)


def record_run(name, spec, options, stem, stages, chw, n, folder, classes=10):
    shape = (n, *chw)
    for seed in range(1, 100):  # the first with which rounding turns no ReLU early on, by PyTorch's own float32
        losses = [run_losses(make(options, stem, stages, shape, classes, seed), shape, classes, seed, dtype)
                  for dtype in (torch.float64, torch.float32)]
        apart = np.abs(losses[1] / losses[0] - 1)
        if apart[:50].max() < 1e-4:
            break
    out = {"losses": losses[0], "losses.float32": losses[1]}
    write_safetensors("%s/%s.safetensors" % (folder, name), out, {
        "spec": spec, "input": "%dx%dx%d" % chw, "batch": str(n), "classes": str(classes), "seed": str(seed),
        "lr": str(RUN_LR), "momentum": str(MOMENTUM), "nesterov": "1", "weight_decay": str(RUN_DECAY),
        "decay_weights_only": "1", "label_smoothing": str(SMOOTHING), "steps": str(RUN_STEPS), "warm": str(RUN_WARM),
        "batches": str(RUN_BATCHES), "torch": torch.__version__})
    print("%-16s seed %d, losses %.4f to %.4f, float32 apart %.1e until step 50, %.1e at all" % (
        name, seed, losses[0][0], losses[0][-1], apart[:50].max(), apart.max()))


def main():
    np.seterr(over="ignore")
    if RUN[0] in sys.argv[2:] or len(sys.argv) < 3:
        record_run(*RUN, sys.argv[1] if len(sys.argv) > 1 else "tests/golden")
    for row in NETWORKS:
        if row[0] in sys.argv[2:] or len(sys.argv) < 3:
            record(*row, sys.argv[1] if len(sys.argv) > 1 else "tests/golden")


if __name__ == "__main__":
    main()
