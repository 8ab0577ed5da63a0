"""The family of residual networks in PyTorch, composed from options: what golden.py and golden_counts.py compare with.

Written from the papers and from the names of torchvision and timm, independently of the C sources. Options, as a dict:
block (basic, bottleneck, preact, preact-bottleneck, regnet, fast, pooled, inception,
inception-bn, shift), stages [(blocks, channels)], stem (7x7, 3x3, 3x3-s2,
deep), width of the stem, shortcut (conv-bn, conv, pad, pad-end, avg), v1 (stride on the first 1x1), middle (function of
the channels out: channels and groups of a bottleneck's 3x3), se, plain, bias, same (padding), eps, momentum, biased,
first (stride of stage 1), maximum (global max pool).
"""
import torch
from torch import nn
from torch.nn import functional as F


def same_pads(x, size, stride):
    """Zeros around x by TensorFlow's rule: the odd one behind."""
    pads = []
    for n in (x.shape[3], x.shape[2]):
        every = max((-(-n // stride) - 1) * stride + size - n, 0)
        pads += [every // 2, every - every // 2]
    return pads


class SameConv(nn.Conv2d):
    def forward(self, x):
        x = F.pad(x, same_pads(x, self.kernel_size[0], self.stride[0]))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


class SamePool(nn.MaxPool2d):
    def forward(self, x):
        return F.max_pool2d(F.pad(x, same_pads(x, self.kernel_size, self.stride), value=float("-inf")), self.kernel_size,
                            self.stride)


class BiasedNorm(nn.BatchNorm2d):
    """Running variance without Bessel's correction, as Keras keeps it."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        var, mean = torch.var_mean(x, (0, 2, 3), unbiased=False)
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(var.detach(), self.momentum)
            self.num_batches_tracked += 1
        return F.batch_norm(x, None, None, self.weight, self.bias, True, 0, self.eps)


class Squeeze(nn.Module):
    def __init__(self, channels, inside):
        super().__init__()
        self.fc1, self.relu, self.fc2 = nn.Conv2d(channels, inside, 1), nn.ReLU(), nn.Conv2d(inside, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(self.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Options(dict):
    """Options and the layers they make."""

    def conv(self, c, k, size, stride=1, groups=1):
        kind = SameConv if self.get("same") else nn.Conv2d
        return kind(c, k, size, stride, size // 2, groups=groups, bias=self.get("bias", False))

    def norm(self, c):
        kind = BiasedNorm if self.get("biased") else nn.BatchNorm2d
        return kind(c, self.get("eps", 1e-5), self.get("momentum", 0.1))

    def pool(self, size, stride, padding):
        return SamePool(size, stride) if self.get("same") else nn.MaxPool2d(size, stride, padding)

    def squeeze(self, channels, by):
        return Squeeze(channels, max(round(self["se"] * by), 1)) if self.get("se") else nn.Identity()


class Zeros(nn.Module):
    """Option A: every stride-th pixel, channels of zeros on both sides or behind."""

    def __init__(self, more, stride, behind):
        super().__init__()
        self.before, self.stride = 0 if behind else more // 2, stride
        self.after = more - self.before

    def forward(self, x):
        return F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.before, self.after))


class Block(nn.Module):
    """All kinds but regnet and fast, which have other names."""

    def __init__(self, o, c, k, stride):
        super().__init__()
        self.pre, self.plain = o["block"].startswith("preact"), o.get("plain", False)
        width, groups = o["middle"](k) if "bottleneck" in o["block"] else (k, o.get("groups", 1))
        if "bottleneck" in o["block"]:
            first = o.get("v1", False)
            convs = [o.conv(c, width, 1, stride if first else 1), o.conv(width, width, 3, 1 if first else stride, groups),
                     o.conv(width, k, 1)]
        else:
            convs = [o.conv(c, k, 3, stride, groups), o.conv(k, k, 3, 1, groups)]
        self.depth = len(convs)
        for i, conv in enumerate(convs):
            setattr(self, "conv%d" % (i + 1), conv)
            setattr(self, "bn%d" % (i + 1), o.norm(conv.in_channels if self.pre else conv.out_channels))
            setattr(self, "relu%d" % (i + 1), nn.ReLU())
        self.se = o.squeeze(k, k)
        self.keep = 1  # stochastic depth: factors of the pictures, [N, 1, 1, 1]
        self.downsample, self.zeros = None, None
        if not self.plain and (stride > 1 or c != k):
            self.project(o, c, k, stride)

    def project(self, o, c, k, stride):
        kind = o["shortcut"]
        if kind.startswith("pad"):
            self.zeros = Zeros(k - c, stride, kind == "pad-end")
        elif kind == "avg":
            mean = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
            self.downsample = nn.Sequential(mean, o.conv(c, k, 1), o.norm(k))
        else:
            self.downsample = nn.Sequential(o.conv(c, k, 1, stride), *([o.norm(k)] if kind == "conv-bn" else []))

    def part(self, i, name):
        return getattr(self, "%s%d" % (name, i + 1))

    def forward(self, x):
        y = x
        for i in range(self.depth):
            if self.pre:
                y = self.part(i, "relu")(self.part(i, "bn")(y))
                if i == 0 and self.downsample:
                    x = self.downsample(y)
                y = self.part(i, "conv")(y)
            else:
                y = self.part(i, "bn")(self.part(i, "conv")(y))
                y = self.part(i, "relu")(y) if i < self.depth - 1 else y
        y = self.se(y)
        if self.downsample and not self.pre:
            x = self.downsample(x)
        elif self.zeros:
            x = self.zeros(x)
        y = y if self.plain else x + self.keep * y
        return y if self.pre else self.part(self.depth - 1, "relu")(y)


class RegNetBlock(nn.Module):
    def __init__(self, o, c, k, stride):
        super().__init__()
        width, groups = o["middle"](k)
        self.proj = nn.Sequential(o.conv(c, k, 1, stride), o.norm(k)) if stride > 1 or c != k else nn.Identity()
        self.f = nn.Sequential()
        self.f.add_module("a", nn.Sequential(o.conv(c, width, 1), o.norm(width), nn.ReLU()))
        self.f.add_module("b", nn.Sequential(o.conv(width, width, 3, stride, groups), o.norm(width), nn.ReLU()))
        self.f.add_module("se", o.squeeze(width, c))
        self.f.add_module("c", nn.Sequential(o.conv(width, k, 1), o.norm(k)))
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(self.proj(x) + self.f(x))


class FastBlock(nn.Module):
    """A stage of David Page's network begins with a convolution and a max pool; the others are residual."""

    def __init__(self, o, c, k, stride, first):
        super().__init__()
        self.conv1, self.bn1, self.relu1, self.first = o.conv(c, k, 3), o.norm(k), nn.ReLU(), first
        if first:
            self.maxpool = nn.MaxPool2d(stride)
        else:
            self.conv2, self.bn2, self.relu2 = o.conv(k, k, 3), o.norm(k), nn.ReLU()

    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        return self.maxpool(y) if self.first else x + self.relu2(self.bn2(self.conv2(y)))


class Inception(nn.Module):
    """Dive into Deep Learning 8.4, after a max pool where there is a stride; norm: batch norm behind convolutions."""

    def __init__(self, o, c, k, stride):
        super().__init__()
        def layer(name, c, k, size):
            setattr(self, name, o.conv(c, k, size))
            setattr(self, name + "_bn", o.norm(k) if o["block"] == "inception-bn" else nn.Identity())
            setattr(self, name + "_relu", nn.ReLU())
            return k
        self.maxpool = o.pool(3, stride, 1) if stride > 1 else nn.Identity()
        c1, c2, c3 = k // 4, k // 2, k // 8
        layer("b1_1", c, c1, 1)
        layer("b2_2", layer("b2_1", c, 3 * k // 8, 1), c2, 3)
        layer("b3_2", layer("b3_1", c, k // 16, 1), c3, 5)
        self.b4_1 = o.pool(3, 1, 1)
        layer("b4_2", c, k - c1 - c2 - c3, 1)

    def run(self, name, x):
        return getattr(self, name + "_relu")(getattr(self, name + "_bn")(getattr(self, name)(x)))

    def forward(self, x):
        x = self.maxpool(x)
        return torch.cat((self.run("b1_1", x), self.run("b2_2", self.run("b2_1", x)),
                          self.run("b3_2", self.run("b3_1", x)), self.run("b4_2", self.b4_1(x))), 1)


class Shift(nn.Module):
    """Wu et al. 2018: a depthwise convolution with one tap for each channel, in nine parts; the rest in the middle."""

    def forward(self, x):
        c = x.shape[1]
        w = x.new_zeros(c, 1, 3, 3)
        for i in range(c):
            d = i // (c // 9) if i < c // 9 * 9 else 4
            w[i, 0, d // 3, d % 3] = 1
        return F.conv2d(x, w, padding=1, groups=c)


class ShiftBlock(nn.Module):
    def __init__(self, o, c, k, stride):
        super().__init__()
        width = o["middle"](k)[0]
        self.conv1, self.bn1, self.relu1 = o.conv(c, width, 1), o.norm(width), nn.ReLU()
        self.shift = Shift()
        self.conv2, self.bn2, self.relu2 = o.conv(width, k, 1, stride), o.norm(k), nn.ReLU()
        change = stride > 1 or c != k
        self.downsample = nn.Sequential(o.conv(c, k, 1, stride), o.norm(k)) if change else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(self.shift(self.relu1(self.bn1(self.conv1(x))))))
        return self.relu2(y + self.downsample(x))


class PooledBlock(nn.Module):
    """The first block of a stage: a convolution, a max pool, batch norm, ReLU; the others are basic."""

    def __init__(self, o, c, k, stride):
        super().__init__()
        self.conv1, self.maxpool, self.bn1, self.relu1 = o.conv(c, k, 3), nn.MaxPool2d(stride), o.norm(k), nn.ReLU()

    def forward(self, x):
        return self.relu1(self.bn1(self.maxpool(self.conv1(x))))


def stem(o, channels):
    """Module, and whether a max pool follows."""
    kind, width = o["stem"], o["width"]
    if kind == "deep":
        half = (width + 1) // 2
        return nn.Sequential(o.conv(channels, half, 3, 2), o.norm(half), nn.ReLU(), o.conv(half, half, 3), o.norm(half),
                             nn.ReLU(), o.conv(half, width, 3)), True
    size, stride = {"7x7": (7, 2), "3x3": (3, 1), "3x3-s2": (3, 2)}[kind]
    return o.conv(channels, width, size, stride), kind == "7x7"


class Composed(nn.Module):
    """Named as torchvision (regnet: its regnet) and timm name these networks."""

    def __init__(self, options, channels, classes):
        super().__init__()
        o = self.o = Options(options)
        self.regnet, self.pre = o["block"] == "regnet", o["block"].startswith("preact")
        conv, pooled = stem(o, channels)
        c = o["width"]
        if self.regnet:
            self.stem = nn.Sequential(conv, o.norm(c), nn.ReLU())
            self.trunk_output = nn.Sequential()
        else:
            self.conv1 = conv
            self.bn1 = nn.Identity() if self.pre else o.norm(c)
            self.relu = nn.ReLU()
        self.maxpool = o.pool(3, 2, 1) if pooled else nn.Identity()
        for i, (blocks, k) in enumerate(o["stages"]):
            layers = nn.Sequential()
            for j in range(blocks):
                stride = 1 if j else 2 if i else o.get("first", 1)
                layers.add_module("block%d-%d" % (i + 1, j) if self.regnet else str(j), self.block(c, k, stride, j == 0))
                c = k
            if self.regnet:
                self.trunk_output.add_module("block%d" % (i + 1), layers)
            else:
                setattr(self, "layer%d" % (i + 1), layers)
        self.norm = o.norm(c) if self.pre else nn.Identity()
        self.last = nn.ReLU() if self.pre else nn.Identity()
        self.top = nn.AdaptiveMaxPool2d(1) if o.get("maximum") else nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(c, classes)

    def block(self, c, k, stride, first):
        if self.o["block"] == "fast":
            return FastBlock(self.o, c, k, stride, first)
        if self.o["block"].startswith("inception"):
            return Inception(self.o, c, k, stride)
        if self.o["block"] == "shift":
            return ShiftBlock(self.o, c, k, stride)
        if self.o["block"] == "pooled" and first:
            return PooledBlock(self.o, c, k, stride)
        return (RegNetBlock if self.regnet else Block)(self.o, c, k, stride)

    def forward(self, x):
        if self.regnet:
            x = self.trunk_output(self.stem(x))
        else:
            x = self.conv1(x)
            x = self.maxpool(x if self.pre else self.relu(self.bn1(x)))
            for i in range(len(self.o["stages"])):
                x = getattr(self, "layer%d" % (i + 1))(x)
        return self.fc(self.top(self.last(self.norm(x))).flatten(1))
