"""What is read of a picture, as numbers by hand, and pictures written by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onlay.errors import DataError
from onlay_image.data.pictures import read_picture
from onlay_image.data.reading import Reading

SPEC = {
    "img_size": [2, 2],
    "dynamic_img_size": False,
    "resize": "crop",
    "crop_pct": 1.0,
    "interpolation": "bicubic",
    "mean": [0.0],
    "std": [1.0],
}
RAMP = np.array([[0, 65535], [257, 32896]], np.uint16)
"""0, 255, 1 and 128 on the scale of bytes."""
GREYS = [0, 255, 1, 128]


def numbers(source: Any, **reading: Any) -> list[list[float]]:
    """The values of each channel, row by row."""
    layers = read_picture(source, Reading(**reading))
    planes = [plane for layer in layers for plane in np.moveaxis(np.atleast_3d(layer), -1, 0)]
    return [plane.ravel().tolist() for plane in planes]


def grey(source: Any, **reading: Any) -> list[float]:
    """The values of a picture in which red, green and blue are equal."""
    red, green, blue = numbers(source, **reading)
    assert red == green == blue
    return red


def refusal(source: Any, **reading: Any) -> str:
    with pytest.raises(DataError) as error:
        read_picture(source, Reading(**reading))
    said = str(error.value)
    name = "an array" if isinstance(source, np.ndarray) else f"`{source}`"
    assert said.startswith(f"{name} cannot be read as an image: ")
    assert "\n" not in said
    return said.partition("image: ")[2]


def png(path: Path, values: np.ndarray, colour: int, depth: int, clear: bytes = b"") -> Path:
    """PNG as its specification has it: Pillow writes no 16 bits in colour, nor 2 bits in grey."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = b"".join(b"\0" + row.tobytes() for row in values)
    height, width = values.shape[:2]
    if depth < 8:
        width = 8 // depth * width
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"tRNS", clear) if clear else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


# --- every mode of Pillow -------------------------------------------------------------------------

RED, HALF = (200, 0, 0), (227, 127, 127)
"""Red, and red of half opacity on white: 200 * 128 / 255 + 255 * 127 / 255."""
