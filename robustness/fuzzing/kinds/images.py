"""Pictures: in every mode and format with known pixels, damaged, and with headers that lie."""

from __future__ import annotations

import json
import random
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from fuzzing import cases, made
from fuzzing.cases import Case

EXACT = 1 / 255 + 1e-6
"""Pictures become bytes on their way."""


def make(rng: random.Random, folder: Path) -> Case:
    """A picture of up to 24 by 24 pixels, or something that pretends to be one."""
    return rng.choice([_legal, _legal, _damaged, _damaged, _lying, _foreign, _asked])(rng, folder)


def _legal(rng: random.Random, folder: Path) -> Case:
    path, told, expected = written(rng, folder)
    return Case(told, lambda: pixels(path, expected.shape), lambda got: _close(got, expected))


def _damaged(rng: random.Random, folder: Path) -> Case:
    """Formats with a checksum find every damage; the others at least that their end is missing."""
    path, told, expected = written(rng, folder)
    how = [cases.truncated, cases.noise]
    if path.suffix == ".png":
        how += [cases.flipped, cases.zeroed]
    did, content = rng.choice(how)(rng, path.read_bytes())
    path.write_bytes(content)
    return Case(
        f"{told}, {did}", lambda: pixels(path, expected.shape), lambda got: _close(got, expected)
    )


def _lying(rng: random.Random, folder: Path) -> Case:
    """A PNG or BMP of few bytes that says it has many pixels."""
    width, height = rng.choice(
        [
            (1, 100000),
            (100000, 1),
            (2**31 - 1, 2**31 - 1),
            (60000, 60000),
            (13000, 13000),
            (0, 5),
            (5, 0),
            (1, 2**20),
            (rng.randint(1, 10**6), rng.randint(1, 10**6)),
        ]
    )
    path = folder / "lie.png"
    whole = width * height < 2 * 10**8 and rng.random() < 0.5
    data = bytes((width // 8 + 2) * height) if whole else bytes(100)
    path.write_bytes(_png(width, height, data))
    shape = (3, 32, 32)
    return Case(
        f"a PNG of {width} x {height}, {path.stat().st_size} bytes",
        lambda: pixels(path, shape),
        lambda got: whole and tuple(got.shape) == shape and bool(torch.isfinite(got).all()),
    )


def _png(width: int, height: int, data: bytes) -> bytes:
    """Black and white, one bit a pixel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packed = zlib.compress(data, 9)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _foreign(rng: random.Random, folder: Path) -> Case:
    """What is no picture at all."""
    path = folder / rng.choice(["a.png", "a.jpg", "a.tif", "a.npy", "a.dcm", "a"])
    content = rng.choice(
        [
            b"",
            b"\x00",
            b"GIF89a",
            b"%PDF-1.4\n",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"P5",
            b"P5 1000000000 1000000000 65535\n\x00",
            b"II*\x00\xff\xff\xff\xff",
            b"\xff\xd8\xff\xd9",
            b"BM" + bytes(60),
            b"RIFF\xff\xff\xff\xffWEBPVP8 ",
            b"\x93NUMPY\x01\x00\xff\xff{",
            rng.randbytes(64),
        ]
    )
    path.write_bytes(content)
    return Case(f"`{path.name}` of {content[:12]!r}", lambda: pixels(path, (3, 8, 8)))


def _asked(rng: random.Random, folder: Path) -> Case:
    """The command on a folder with a good and a bad picture."""
    good, told, _ = written(rng, folder)
    bad = folder / "bad.png"
    bad.write_bytes(cases.truncated(rng, good.read_bytes())[1])
    words = ["predict", str(made.image_bundle()), str(folder), "--json"]
    skipping = rng.random() < 0.5
    if skipping:
        words.append("--skip-unreadable")
    return Case(
        f"predict a folder with a broken picture beside {told}{', skipping' * skipping}",
        lambda: json.loads(cases.command(*words)),
        lambda got: all(0 <= answer["probability"] <= 1 for answer in got) and len(got) in (1, 2),
    )


# --- pictures with known pixels -------------------------------------------------------------------

_FORMATS: dict[str, list[str]] = {
    "L": ["png", "tif", "bmp", "pgm", "webp"],
    "RGB": ["png", "tif", "bmp", "ppm", "webp", "PNG", "TIFF"],
    "1": ["png", "tif", "pbm"],
    "P": ["png", "gif", "bmp"],
    "RGBA": ["png", "tif", "webp"],
    "LA": ["png", "tif"],
    "CMYK": ["tif"],
    "I;16": ["png", "tif", "pgm"],
}


def written(rng: random.Random, folder: Path) -> tuple[Path, str, torch.Tensor]:
    """A file, what it is, and its pixels (3, H, W) in [0, 1]."""
    mode = rng.choice(list(_FORMATS))
    ending = rng.choice(_FORMATS[mode])
    height, width = rng.randint(2, 24), rng.randint(2, 24)
    g = np.random.default_rng(rng.getrandbits(32))
    picture, rgb = _PICTURES[mode](g, height, width)
    path = folder / f"good.{ending}"
    picture.save(path, **({"lossless": True, "exact": True} if ending == "webp" else {}))
    expected = torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)
    return path, f"`{mode}` {height} x {width} as .{ending}", expected


def _grey(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    v = g.integers(0, 256, (h, w), dtype=np.uint8)
    return Image.fromarray(v), np.repeat(v[..., None] / 255, 3, 2)


def _colour(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    v = g.integers(0, 256, (h, w, 3), dtype=np.uint8)
    return Image.fromarray(v), v / 255


def _bits(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    v = g.integers(0, 2, (h, w), dtype=np.uint8)
    return Image.fromarray(v * 255).convert("1"), np.repeat(v[..., None].astype(float), 3, 2)


def _palette(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    colours = g.integers(0, 256, (16, 3), dtype=np.uint8)
    v = g.integers(0, 16, (h, w), dtype=np.uint8)
    picture = Image.fromarray(v).convert("P")
    picture.putdata(v.reshape(-1).tolist())
    picture.putpalette(colours.reshape(-1).tolist())
    return picture, colours[v] / 255


def _on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    a = alpha[..., None] / 255
    return a * rgb / 255 + (1 - a)


def _transparent(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    v = g.integers(0, 256, (h, w, 4), dtype=np.uint8)
    return Image.fromarray(v, "RGBA"), _on_white(v[..., :3], v[..., 3])


def _grey_alpha(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    v = g.integers(0, 256, (h, w, 2), dtype=np.uint8)
    return Image.fromarray(v, "LA"), _on_white(np.repeat(v[..., :1], 3, 2), v[..., 1])


def _inks(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    v = g.integers(0, 256, (h, w, 4), dtype=np.uint8)
    f = v / 255.0
    return Image.fromarray(v, "CMYK"), (1 - f[..., :3]) * (1 - f[..., 3:])


def _deep(g: np.random.Generator, h: int, w: int) -> tuple[Image.Image, np.ndarray]:
    v = g.integers(0, 65536, (h, w), dtype=np.uint16)
    return Image.fromarray(v), np.repeat(v[..., None] / 65535, 3, 2)


_PICTURES = {
    "L": _grey, "RGB": _colour, "1": _bits, "P": _palette, "RGBA": _transparent,
    "LA": _grey_alpha, "CMYK": _inks, "I;16": _deep,
}  # fmt: skip


# --- reading --------------------------------------------------------------------------------------


@cache
def _facts() -> dict[str, Any]:
    """The preparation of the bundled backbone's pictures, complete."""
    return dict(made.image_model().preprocessing)


def pixels(path: Path, shape: tuple[int, ...]) -> torch.Tensor:
    """What the reader makes of a file where nothing is to be resized or normalised."""
    own = {"img_size": list(shape[1:]), "crop_pct": 1.0, "mean": [0.0] * 3, "std": [1.0] * 3}
    own |= {"resize": "squash", "interpolation": "nearest"}
    return made.reader("image")({**_facts(), **own})(path)


def _close(got: torch.Tensor, expected: torch.Tensor) -> bool:
    return got.shape == expected.shape and bool((got - expected).abs().max() <= EXACT)
