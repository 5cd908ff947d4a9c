"""The Point Cloud Library's `.pcd`: text, binary or compressed, fields of any size and order."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from onlay_pointcloud.data.arrays import chosen
from onlay_pointcloud.data.bounds import Malformed, enough, unpackable
from onlay_pointcloud.data.columns import Wanted, listed
from onlay_pointcloud.data.rows import numbers
from onlay_pointcloud.data.scan import Scan

_HEADER = 65536
"""Bytes in which a header ends."""

_TYPES = {"F2": "<f2", "F4": "<f4", "F8": "<f8"} | {
    f"{kind}{size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)
}


@dataclass
class Header:
    """Fields with their numpy types and how often each stands in a point."""

    names: list[str]
    types: list[np.dtype]
    counts: list[int]
    points: int
    data: str
    start: int
    """Where the data begin."""

    @property
    def size(self) -> int:
        """Bytes of a point."""
        pairs = zip(self.types, self.counts, strict=True)
        return sum(dtype.itemsize * count for dtype, count in pairs)


def read_pcd(path: Path, wanted: Wanted) -> Scan:
    """The fields x, y, z; `rgb` is offered as `red`, `green` and `blue`, too.

    Raises:
        Malformed: no such field, or less than the header promises.
    """
    content = path.read_bytes()
    header = _header(content)
    body = memoryview(content)[header.start :]
    read = {"ascii": _text, "binary": _binary, "binary_compressed": _unpacked}.get(header.data)
    if read is None:
        raise Malformed(f"its data are `{header.data[:40]}`, no kind that is known")
    columns = read(header, body, path)
    return Scan(chosen(columns | _colours(columns), wanted))


def _header(content: bytes) -> Header:
    entries: dict[str, list[str]] = {}
    start = 0
    while "DATA" not in entries:
        end = content.find(b"\n", start, _HEADER)
        if end < 0:
            raise Malformed("its header has no end")
        word, *values = [*content[start:end].decode("latin1").split("#")[0].split(), ""]
        entries[word.upper()] = values[:-1]
        start = end + 1
    names = entries.get("FIELDS") or entries.get("COLUMNS") or []
    counts = [int(n) for n in entries.get("COUNT") or ["1"] * len(names)]
    types = _types(entries, names)
    if not names or len(counts) != len(names) or min(counts) < 0:
        raise Malformed("its header does not say the type and count of each field")
    return Header(
        names, types, counts, _points(entries), (entries["DATA"] or [""])[0].lower(), start
    )


def _types(entries: dict[str, list[str]], names: list[str]) -> list[np.dtype]:
    sizes, kinds = entries.get("SIZE", []), entries.get("TYPE", [])
    if not len(sizes) == len(kinds) == len(names):
        raise Malformed("its header does not say the type and count of each field")
    pairs = [f"{kind.upper()}{size}" for kind, size in zip(kinds, sizes, strict=True)]
    if not set(pairs) <= set(_TYPES):
        raise Malformed(f"its fields are of unknown types ({listed(pairs)})")
    return [np.dtype(_TYPES[pair]) for pair in pairs]


def _points(entries: dict[str, list[str]]) -> int:
    if entries.get("POINTS"):
        count = int(entries["POINTS"][0])
    else:
        count = int((entries.get("WIDTH") or ["0"])[0]) * int((entries.get("HEIGHT") or ["1"])[0])
    if count < 0:
        raise Malformed(f"it promises {count} points")
    return count


def _text(header: Header, body: memoryview, path: Path) -> dict[str, np.ndarray]:
    width = sum(header.counts)
    enough(2 * width * header.points, len(body) + 1, f"{header.points:,} points")
    tokens = bytes(body).split()
    if len(tokens) != width * header.points:
        told = f"{header.points:,} points of {width} numbers"
        raise Malformed(f"its header promises {told} and it has {len(tokens):,} numbers")
    rows = numbers(tokens)
    return _named(header, list(rows.reshape(header.points, width).T))


def _binary(header: Header, body: memoryview, path: Path) -> dict[str, np.ndarray]:
    enough(header.points * header.size, len(body), f"{header.points:,} points")
    rows = np.frombuffer(body, np.uint8, header.points * header.size)
    rows = rows.reshape(header.points, header.size)
    columns, start = [], 0
    for dtype, count in zip(header.types, header.counts, strict=True):
        block = np.ascontiguousarray(rows[:, start : start + dtype.itemsize * count])
        columns += list(block.view(dtype).reshape(header.points, count).T)
        start += dtype.itemsize * count
    return _named(header, columns)


def _unpacked(header: Header, body: memoryview, path: Path) -> dict[str, np.ndarray]:
    """All of the first field, then all of the second, ..., compressed together."""
    lzf: Any = import_module("lzf")  # an extension without types
    packed, size = struct.unpack("<II", body[:8])
    enough(packed, len(body) - 8, "compressed points")
    unpackable(size, path, f"{header.points:,} points")
    enough(header.points * header.size, size, f"{header.points:,} points")
    content = lzf.decompress(bytes(body[8 : 8 + packed]), size) if size else b""
    if content is None or len(content) < size:
        raise Malformed("its compressed points are damaged")
    columns, start = [], 0
    for dtype, count in zip(header.types, header.counts, strict=True):
        block = np.frombuffer(content, dtype, header.points * count, start)
        columns += list(block.reshape(header.points, count).T)
        start += block.nbytes
    return _named(header, columns)


def _named(header: Header, columns: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Columns by name, those of a field of several as `name:0`, `name:1`, ...; `_` is padding."""
    named, start = {}, 0
    for name, dtype, count in zip(header.names, header.types, header.counts, strict=True):
        for i, column in enumerate(columns[start : start + count]):
            if name != "_":
                named[name if count == 1 else f"{name}:{i}"] = column.astype(dtype, copy=False)
        start += count
    return named


def _colours(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Three bytes that lie in the bits of one number, blue lowest."""
    packed = next((columns[name] for name in ("rgb", "rgba", "RGB") if name in columns), None)
    if packed is None or packed.dtype.itemsize != 4:
        return {}
    bits = np.ascontiguousarray(packed).view(np.uint32)
    return {name: bits >> shift & 255 for name, shift in (("red", 16), ("green", 8), ("blue", 0))}
