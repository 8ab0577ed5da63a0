#!/usr/bin/python3
"""Writes tests/golden/foreign/: checkpoints of PyTorch and NumPy, and in values.tsv what is in them.

A row: file, tensor, dtype as safetensors spells it, shape, CRC-32 of its row-major bytes. Needs Debian's
python3-torch (1.13) and python3-numpy. tests/unit/foreign.c compares.
"""
import argparse
import collections
import io
import os
import pickle
import struct
import zlib

import numpy as np
import torch

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "foreign")
TORCH = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
NUMPY = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u8": "U64", "u4": "U32",
         "u2": "U16", "u1": "U8", "b1": "BOOL"}


def values(*shape):
    n = int(np.prod(shape))
    return torch.tensor([((i * 2654435761) % 1009 - 500) / 8 for i in range(n)]).reshape(shape)


def types():
    d = collections.OrderedDict((name.lower(), values(2, 3).to(t)) for t, name in TORCH.items())
    d["scalar"] = torch.tensor(7)
    d["empty"] = torch.zeros(3, 0, 2)
    return d


def views():
    block = values(40)
    image = values(2, 3, 4, 5)
    return collections.OrderedDict([
        ("first", block[:10]), ("middle", block[10:22].reshape(3, 4)), ("tied", block), ("tied.again", block),
        ("transposed", block[:12].reshape(3, 4).t()), ("every.third", block[1::3]),
        ("permuted", image.permute(3, 0, 2, 1)), ("channels_last", image.contiguous(memory_format=torch.channels_last)),
        ("ones", values(4)[:1].reshape(1, 1, 1))])


def module():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))


def checkpoint():
    m = module()
    o = torch.optim.SGD(m.parameters(), 0.1, momentum=0.9)
    m(values(2, 2, 4, 4)).sum().backward()
    o.step()
    s = torch.optim.lr_scheduler.MultiStepLR(o, [3, 5])
    return {"epoch": 3, "best_acc1": torch.tensor(71.5), "args": argparse.Namespace(lr=0.1, gpus=[0, 1], seed=None),
            "acc": np.float64(0.7), "curve": np.arange(3.0), "device": torch.device("cuda:1"), "kinds": {1, 2},
            "dtype": torch.float16, "big": 1 << 80, "state_dict": m.state_dict(), "optimizer": o.state_dict(),
            "scheduler": {k: v for k, v in s.state_dict().items()}, "size": torch.zeros(2, 3).size()}


def saved(thing, legacy):
    f = io.BytesIO()
    torch.save(thing, f, _use_new_zipfile_serialization=not legacy)
    return f.getvalue()


class Old(pickle._Pickler):
    """The file before 1.6 by hand: persistent ids of 5 items, views as a sixth, _rebuild_tensor."""

    def persistent_id(self, o):
        return o.id if isinstance(o, Storage) else None


class Storage:
    def __init__(self, *parts):
        self.id = ("storage",) + parts


class Rebuilt:
    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return torch._utils._rebuild_tensor, self.args


def old(parts, blocks):
    f = io.BytesIO()
    for head in (0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
        pickle.dump(head, f, protocol=2)
    Old(f, protocol=2).dump(parts)
    pickle.dump([key for key, _ in blocks], f, protocol=2)
    for _, block in blocks:
        f.write(struct.pack("<q", len(block)) + block.tobytes())
    return f.getvalue()


def old_views():
    a, b = np.arange(24, dtype="f4"), np.arange(6, dtype="i2")
    parts = collections.OrderedDict([
        ("five", Rebuilt(Storage(torch.FloatStorage, "94", "cuda:0", 24), 2, (2, 3), (3, 1))),
        ("view", Rebuilt(Storage(torch.FloatStorage, "94", "cpu", 24, ("95", 6, 12)), 1, (5,), (2,))),
        ("short", Rebuilt(Storage(torch.ShortStorage, "17", "cpu", 6, None), 0, (6,), (1,)))])
    expected = {"five": a[2:8].reshape(2, 3), "view": a[7:16:2], "short": b}
    return old(parts, [("94", a), ("17", b)]), expected


def python2():
    """As Python 2.7 pickled: strings of bytes, an OrderedDict of a list of pairs, memo from 1."""
    a = np.arange(4, dtype="f8")
    body = (b"\x80\x02ccollections\nOrderedDict\nq\x01]q\x02]q\x03(U\x06weightq\x04ctorch._utils\n_rebuild_tensor\nq\x05"
            b"((U\x07storageq\x06ctorch\nDoubleStorage\nq\x07U\x0229q\x08U\x03cpuq\x09K\x04Ntq\x0aQK\x00K\x02K\x02\x86q\x0b"
            b"K\x02K\x01\x86q\x0ctq\x0dRq\x0eea\x85q\x0fRq\x10.")
    heads = b"".join(pickle.dumps(x, 2) for x in
                     (0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": True}))
    return heads + body + pickle.dumps(["29"], 2) + struct.pack("<q", 4) + a.tobytes(), {"weight": a.reshape(2, 2)}


def cuda(legacy):
    tag = torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: "cuda:0"
    try:
        return saved(module().state_dict(), legacy)
    finally:
        torch.serialization.location_tag = tag


def pytorch():
    net = module().state_dict()
    wrapped = {"model": {"state_dict": {"module." + k: v for k, v in net.items()}}, "ema": types(), "epoch": 1}
    for legacy in (False, True):
        end = "-old.pth" if legacy else ".pth"
        yield "types" + end, saved(types(), legacy), types()
        yield "views" + end, saved(views(), legacy), views()
        yield "checkpoint" + end, saved(checkpoint(), legacy), checkpoint()["state_dict"]
        yield "cuda" + end, cuda(legacy), net
        yield "wrapped" + end, saved(wrapped, legacy), wrapped["model"]["state_dict"]
        yield "parameters" + end, saved(dict(module().named_parameters()), legacy), dict(module().named_parameters())
        yield "ema" + end, saved({"ema": net, "steps": 3}, legacy), net
    data, expected = old_views()
    yield "five-items-old.pth", data, expected
    data, expected = python2()
    yield "python2-old.pth", data, expected


def arrays():
    d = {name.lower(): values(2, 3).numpy().astype(t) for t, name in NUMPY.items()}
    d["scalar"] = np.array(7)
    d["empty"] = np.zeros((3, 0, 2), "f4")
    d["line"] = np.arange(5.0)
    d["fortran"] = np.asfortranarray(values(3, 4, 5).numpy())
    return d


def numpy():
    for save, name in ((np.savez, "arrays.npz"), (np.savez_compressed, "deflated.npz")):
        f = io.BytesIO()
        save(f, **arrays())
        yield name, f.getvalue(), arrays()


def describe(v):
    if isinstance(v, torch.Tensor):
        v = v.detach().contiguous()
        raw = v.view(torch.int16).numpy() if v.dtype == torch.bfloat16 else v.numpy()
        return TORCH[v.dtype], raw
    return NUMPY[v.dtype.str[1:]], v


def main():
    os.makedirs(FOLDER, exist_ok=True)
    rows = []
    for name, data, expected in [*pytorch(), *numpy()]:
        with open(os.path.join(FOLDER, name), "wb") as f:
            f.write(data)
        for tensor, v in expected.items():
            dtype, raw = describe(v)
            rows.append("\t".join((name, tensor, dtype, "x".join(map(str, raw.shape)), "%08x" % zlib.crc32(raw.tobytes()))))
    with open(os.path.join(FOLDER, "values.tsv"), "w") as f:
        f.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
