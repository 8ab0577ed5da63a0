#!/usr/bin/python3
"""
Narrow networks of other programs with what they make of a picture: checkpoints by torch.save and their
logits, for tests/checkpoints.bats. The modules are built here as those programs build them.
"""
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

OUT = os.path.join(os.path.dirname(__file__), "../tests/golden/checkpoints")


class Basic(nn.Module):
    """kuangliu's BasicBlock; option A is akamaster's."""

    def __init__(self, i, o, s, option):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.shortcut = nn.Sequential()
        self.extra = (o - i) // 2 if option == "A" else 0
        if option == "B" and (s > 1 or i != o):
            self.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.extra:
            return F.relu(y + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra, self.extra)))
        return F.relu(y + self.shortcut(x))


class Cifar(nn.Module):
    def __init__(self, option):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Basic(4, 4, 1, option), Basic(4, 4, 1, option))
        self.layer2 = nn.Sequential(Basic(4, 8, 2, option))
        self.linear = nn.Linear(8, 10)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return self.linear(x.mean((2, 3)))


class Residual(nn.Module):
    """Dive into Deep Learning, section 8.6."""

    def __init__(self, i, o, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.Conv2d(o, o, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(i, o, kernel_size=1, stride=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm2d(o), nn.BatchNorm2d(o)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.conv3(x) if self.conv3 else x))


def d2l():
    b1 = nn.Sequential(nn.Conv2d(3, 4, kernel_size=7, stride=2, padding=3), nn.BatchNorm2d(4), nn.ReLU(),
                       nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
    b2 = nn.Sequential(Residual(4, 4), Residual(4, 4))
    b3 = nn.Sequential(Residual(4, 8, True, 2), Residual(8, 8))
    return nn.Sequential(b1, b2, b3, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(8, 10))


def save(name, net, x, pack=lambda s: s, **how):
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):  # as after training
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.2)
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 1.5)
    torch.save(pack(net.state_dict()), f"{OUT}/{name}.pth", **how)
    with torch.no_grad():
        np.savetxt(f"{OUT}/{name}.logits", net.double().eval()(x).numpy()[0], "%.9g")


def main():
    os.makedirs(OUT, exist_ok=True)
    torch.manual_seed(7)
    pixels = np.random.default_rng(7).integers(0, 256, (32, 32, 3), np.uint8)
    with open(OUT + "/noise.ppm", "wb") as f:
        f.write(b"P6 32 32 255\n" + pixels.tobytes())
    mean, std = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
    x = torch.from_numpy(((pixels / 255 - mean) / std).transpose(2, 0, 1)[None].copy())
    old = dict(_use_new_zipfile_serialization=False)
    save("option-b", Cifar("B"), x)
    save("option-a-old", Cifar("A"), x, lambda s: {"net": {"module." + k: v for k, v in s.items()}, "acc": 91.2, "epoch": 3}, **old)
    save("notebook", d2l(), x)


main()
