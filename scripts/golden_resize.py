#!/usr/bin/python3
"""Writes tests/golden/resize.bin: what Pillow (Debian's python3-pil) makes of a formula picture.

A case is five 16-bit numbers C H W P Q and the 32-bit CRC of the resized pixels [P][Q][C], all
little endian. tests/unit/resize.c makes the same picture and compares.
"""
import os
import struct
import zlib

from PIL import Image

SIDES = [(1, 1), (1, 7), (2, 3), (5, 4), (28, 28), (32, 32), (31, 57), (97, 64), (150, 201)]
TARGETS = [(1, 1), (3, 2), (28, 28), (32, 32), (33, 31), (96, 96), (64, 5), (7, 224)]


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


def main():
    cases = []
    for C, mode in (1, "L"), (3, "RGB"):
        for H, W in SIDES:
            image = Image.frombytes(mode, (W, H), picture(C, H, W))
            for P, Q in TARGETS:
                pixels = image.resize((Q, P), Image.BILINEAR).tobytes()
                cases.append(struct.pack("<5HI", C, H, W, P, Q, zlib.crc32(pixels)))
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")
    with open(os.path.join(folder, "resize.bin"), "wb") as f:
        f.write(b"".join(cases))


if __name__ == "__main__":
    main()
