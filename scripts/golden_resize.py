#!/usr/bin/python3
"""Writes what Pillow and torchvision (Debian's python3-pil, python3-torchvision) make of a formula picture.

tests/golden/resize.bin: a case is five 16-bit numbers C H W P Q and the 32-bit CRC of the resized
pixels [P][Q][C], all little endian. crop.bin: C H W N M and the CRC of Resize(N), CenterCrop(M).
box.bin: C H W P Q, the box y x h w that RandomResizedCrop's fallback takes, and the CRC of that box
resized. tests/unit/resize.c makes the same picture and compares.
"""
import os
import struct
import zlib

from PIL import Image
from torchvision import transforms

SIDES = [(1, 1), (1, 7), (2, 3), (5, 4), (28, 28), (32, 32), (31, 57), (97, 64), (150, 201)]
TARGETS = [(1, 1), (3, 2), (28, 28), (32, 32), (33, 31), (96, 96), (64, 5), (7, 224)]

CROPS = [(1, 1), (8, 8), (9, 4), (8, 5), (5, 8), (7, 12), (32, 28), (28, 32), (33, 30), (256, 224)]
CROPPED = SIDES + [(40, 70), (71, 40), (8, 8), (1, 200), (200, 1), (2, 10007), (10007, 2)]
BOXED = [(1, 1), (1, 9), (9, 1), (3, 100), (100, 3), (7, 10007), (10007, 7)]


def picture(C, H, W):
    """Noise with flat black and white patches, so that sums reach both ends."""
    out = bytearray()
    for h in range(H):
        for w in range(W):
            for c in range(C):
                v = (h * 7919 + w * 104729 + c * 1299709) & 0xFFFFFFFF
                v = (v ^ v >> 13) * 2654435761 & 0xFFFFFFFF
                patch = (h // 4 + w // 4) % 5
                out.append(255 if patch == 0 else 0 if patch == 1 else v >> 24)
    return bytes(out)


def image(C, mode, H, W):
    return Image.frombytes(mode, (W, H), picture(C, H, W))


def squashed(C, mode):
    for H, W in SIDES:
        for P, Q in TARGETS:
            pixels = image(C, mode, H, W).resize((Q, P), Image.BILINEAR).tobytes()
            yield struct.pack("<5HI", C, H, W, P, Q, zlib.crc32(pixels))


def cropped(C, mode):
    for H, W in CROPPED:
        for N, M in CROPS:
            if N * max(H, W) / min(H, W) > 500000:  # more than Pillow makes in reasonable time
                continue
            both = transforms.Compose([transforms.Resize(N), transforms.CenterCrop(M)])
            pixels = both(image(C, mode, H, W)).tobytes()
            yield struct.pack("<5HI", C, H, W, N, M, zlib.crc32(pixels))


def boxed(C, mode):
    """Pictures that no box of a third of their area and of aspect 3/4 to 4/3 fits."""
    for H, W in BOXED:
        im = image(C, mode, H, W)
        if (H, W) != (1, 1):
            get = transforms.RandomResizedCrop.get_params
            boxes = {get(im, [1 / 3, 1], [3 / 4, 4 / 3]) for _ in range(100)}
            assert len(boxes) == 1
            y, x, h, w = boxes.pop()
        else:
            y, x, h, w = 0, 0, 1, 1
        for P, Q in TARGETS:
            pixels = im.crop((x, y, x + w, y + h)).resize((Q, P), Image.BILINEAR).tobytes()
            yield struct.pack("<9HI", C, H, W, P, Q, y, x, h, w, zlib.crc32(pixels))


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")
    for name, make in ("resize", squashed), ("crop", cropped), ("box", boxed):
        with open(os.path.join(folder, name + ".bin"), "wb") as f:
            for C, mode in (1, "L"), (3, "RGB"):
                f.write(b"".join(make(C, mode)))


if __name__ == "__main__":
    main()
