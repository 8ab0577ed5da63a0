#!/usr/bin/python3
"""Writes tests/golden/pictures/: pictures of all kinds and, in pillow.tsv, what Pillow makes of them.

A row: file, width, height, CRC-32 of the RGB pixels, that of the grey ones, both upright (EXIF), then
width, height and CRC of RGB as stored. Needs Debian's python3-pil. tests/unit/image.c compares.
"""
import io
import os
import struct
import zlib

from PIL import Image, ImageOps

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "pictures")


def noise(W, H, C, bits=8):
    """Smooth ramps with some noise, C values a pixel."""
    top = (1 << bits) - 1
    out = []
    for h in range(H):
        for w in range(W):
            for c in range(C):
                v = (h * 7919 + w * 104729 + c * 1299709) * 2654435761 >> 7 & 31
                out.append(min(top, (w * (3 + c) * 5 + h * (7 - c) * 4 + v) * (top + 1) // 256 % (top + 1)))
    return out


def picture(mode, W=23, H=17):
    return Image.frombytes(mode, (W, H), bytes(noise(W, H, len(mode))))


def png(W, H, depth, colour, interlaced=False, extra=b""):
    """A PNG made by hand, for kinds that Pillow does not write."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    values = noise(W, H, channels, depth)

    def rows(x0, y0, dx, dy):
        data = b""
        for y in range(y0, H, dy):
            bits = "".join(format(values[(y * W + x) * channels + c], "0%db" % depth)
                           for x in range(x0, W, dx) for c in range(channels))
            if bits:
                bits += "0" * (-len(bits) % 8)
                data += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
        return data

    adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    data = b"".join(rows(*p) for p in (adam7 if interlaced else [(0, 0, 1, 1)]))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    colours = bytes(i * 37 & 255 for i in range(3 << depth)) if colour == 3 else b""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, interlaced))
            + (chunk(b"PLTE", colours) if colours else b"") + extra
            + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def saved(image, kind, **how):
    f = io.BytesIO()
    image.save(f, kind, **how)
    return f.getvalue()


def exif(orientation):
    e = Image.Exif()
    e[0x112] = orientation
    return e.tobytes()


def pnm(kind, W, H, top, text=False, comment=b""):
    channels = 3 if kind in b"36" else 1
    values = [v * top // 255 for v in noise(W, H, channels)]
    head = b"P%c\n%s%d %d\n%d\n" % (kind[0], comment, W, H, top)
    if text:
        return head + b"\n".join(b"%d" % v for v in values) + b"\n"
    return head + b"".join(struct.pack(">H" if top > 255 else "B", v) for v in values)


def pictures():
    for colour, name in (0, "grey"), (2, "rgb"), (3, "palette"), (4, "grey-alpha"), (6, "rgb-alpha"):
        for depth in {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(colour, (8, 16)):
            yield "%s-%d.png" % (name, depth), png(13, 11, depth, colour)
    yield "interlaced-rgb.png", png(13, 11, 8, 2, True)
    yield "interlaced-palette.png", png(13, 11, 4, 3, True)
    yield "interlaced-16.png", png(13, 11, 16, 6, True)
    yield "1x1.png", saved(picture("RGB", 1, 1), "PNG")
    yield "1x1.jpg", saved(picture("RGB", 1, 1), "JPEG")
    yield "10000x1.png", saved(picture("L", 10000, 1), "PNG")
    yield "10000x2.jpg", saved(Image.new("RGB", (10000, 2), (9, 99, 199)), "JPEG")
    yield "exif-6.png", saved(picture("RGB"), "PNG", exif=exif(6))
    for orientation in range(1, 9):
        yield "exif-%d.jpg" % orientation, saved(picture("RGB"), "JPEG", exif=exif(orientation))
    for n, name in enumerate(("444", "422", "420")):
        yield "%s.jpg" % name, saved(picture("RGB"), "JPEG", subsampling=n, quality=90)
    yield "progressive.jpg", saved(picture("RGB"), "JPEG", progressive=True)
    yield "grey.jpg", saved(picture("L"), "JPEG")
    yield "cmyk.jpg", saved(picture("CMYK"), "JPEG")
    yield "restart.jpg", saved(picture("RGB", 64, 33), "JPEG", quality=40, optimize=True)
    yield "P1.pbm", b"P1\n# black is 1\n5 3\n10101\n0 1 0 1 0\n11 011\n"
    yield "P4.pbm", saved(picture("L").convert("1"), "PPM")
    yield "P2.pgm", pnm(b"2", 7, 5, 200, True)
    yield "P3.ppm", pnm(b"3", 7, 5, 31, True, b"# a comment\n")
    yield "P5.pgm", pnm(b"5", 7, 5, 255, comment=b"# 1 2 3\n")
    yield "P5-max100.pgm", pnm(b"5", 7, 5, 100)
    yield "P5-above.pgm", b"P5 3 1 100\n" + bytes([50, 100, 200])  # beyond its maximum
    yield "P5-16.pgm", pnm(b"5", 7, 5, 65535)
    yield "P5-max1000.pgm", pnm(b"5", 7, 5, 1000)
    yield "P6.ppm", pnm(b"6", 7, 5, 255)
    yield "P6-16.ppm", pnm(b"6", 7, 5, 65535)
    yield "P6-max1000.ppm", pnm(b"6", 7, 5, 1000)
    yield "a.ff", b"farbfeld" + struct.pack(">2I", 7, 5) + struct.pack(">140H", *noise(7, 5, 4, 16))


def open_picture(name, data):
    if name.endswith(".ff"):  # which Pillow does not know: its high bytes as RGBA
        return Image.frombytes("RGBA", (7, 5), data[16::2])
    image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode.startswith("I"):  # Pillow would clip
        wide = image.getdata()
        image = Image.frombytes("L", image.size, bytes(v >> 8 for v in wide))
    return image


def crc(image, mode):
    return "%08x" % zlib.crc32(image.convert(mode).tobytes())


def main():
    os.makedirs(FOLDER, exist_ok=True)
    rows = []
    for name, data in pictures():
        with open(os.path.join(FOLDER, name), "wb") as f:
            f.write(data)
        stored = open_picture(name, data)
        upright = ImageOps.exif_transpose(stored)
        rows.append("\t".join(map(str, (name, *upright.size, crc(upright, "RGB"), crc(upright, "L"),
                                        *stored.size, crc(stored, "RGB")))))
    with open(os.path.join(FOLDER, "pillow.tsv"), "w") as f:
        f.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
