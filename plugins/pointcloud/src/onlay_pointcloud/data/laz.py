"""What a `.laz` file says of its pieces, compared with what it holds.

The decoder, which is not ours, makes room for whatever these numbers say and ends the process where
there is none. Source: the LASzip specification, part 2 of LAS 1.4's compressed formats.
"""

from __future__ import annotations

import io
import struct
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from onlay_pointcloud.data.bounds import Malformed, enough, unpackable

_SIZES = {6: 20, 7: 8, 8: 6, 9: 29, 10: 30, 11: 6, 12: 8, 13: 29}
"""Bytes of each kind of item; kinds 0 and 14 are further bytes, of any number."""

_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}
"""Layers that are compressed apart, of items since point format 6; further bytes have one each."""

_CHUNKED, _LAYERED = 2, 3

_TAIL = -1
"""Where a file was written in one go, its last bytes say where the table is."""


class Packing(NamedTuple):
    """How points are packed: the kind, and the items of a point by kind and size."""

    compressor: int
    items: list[tuple[int, int]]
    record: bytes

    @property
    def size(self) -> int:
        return sum(size for _, size in self.items)

    @property
    def layers(self) -> int:
        return sum(_LAYERS.get(kind, size) for kind, size in self.items)


def check_laz(path: Path) -> None:
    """Raises:
    Malformed: pieces that reach beyond the file's end, or are none, or of too many points.
    """
    content = path.read_bytes()
    packing = _packing(content)
    start = struct.unpack_from("<I", content, 96)[0]
    table = _table(content, start, packing)
    points, at = sum(count for count, _ in table), start + 8
    unpackable(points * packing.size, path, f"pieces of {points:,} points")
    for _, size in table:
        if size < packing.size:
            raise Malformed("one of its compressed pieces is shorter than a point")
        enough(size, len(content) - at, "compressed points")
        if packing.compressor == _LAYERED:
            _check_layers(content[at : at + size], packing)
        at += size


def _packing(content: bytes) -> Packing:
    """From the record about LASzip, which stands behind the header."""
    at = struct.unpack_from("<H", content, 94)[0]
    for _ in range(struct.unpack_from("<I", content, 100)[0]):
        number, length = struct.unpack_from("<HH", content, at + 18)
        record = content[at + 54 : at + 54 + length]
        if number == 22204 and content[at + 2 : at + 16] == b"laszip encoded":
            return _parsed(record, struct.unpack_from("<H", content, 105)[0])
        at += 54 + length
    raise Malformed("it does not say how its points are compressed")


def _parsed(record: bytes, point: int) -> Packing:
    compressor, count = struct.unpack_from("<H", record)[0], struct.unpack_from("<H", record, 32)[0]
    enough(34 + 6 * count, len(record), f"{count} parts of a point")
    items = [struct.unpack_from("<HH", record, 34 + 6 * i) for i in range(count)]
    packing = Packing(compressor, items, record)
    fitting = all(size == _SIZES.get(kind, size) and size for kind, size in items)
    known = {0, 14, *_SIZES}.issuperset(kind for kind, _ in items)
    if compressor not in (_CHUNKED, _LAYERED) or not fitting or not known or packing.size != point:
        raise Malformed("it is compressed in a way that is not known")
    return packing


def _table(content: bytes, start: int, packing: Packing) -> list[tuple[int, int]]:
    """How many points and bytes each piece has."""
    lazrs: Any = import_module("lazrs")
    place = struct.unpack_from("<q", content, start)[0]
    if place == _TAIL:
        place = struct.unpack_from("<q", content, len(content) - 8)[0]
    if not start + 8 <= place <= len(content) - 8:
        raise Malformed("the table of its compressed pieces is not there")
    count = struct.unpack_from("<I", content, place + 4)[0]
    enough(count * max(packing.size, 1), place - start - 8, f"{count:,} compressed pieces")
    stream = io.BytesIO(content)
    stream.seek(start)
    return lazrs.read_chunk_table(stream, lazrs.LazVlr(packing.record))


def _check_layers(piece: bytes, packing: Packing) -> None:
    """A piece begins with a point, a count and the size of each layer."""
    if packing.size + 4 + 4 * packing.layers > len(piece):
        raise Malformed("one of its compressed pieces is cut off")
    sizes = struct.unpack_from(f"<{packing.layers}I", piece, packing.size + 4)
    enough(sum(sizes), len(piece), "layers of compressed points")
