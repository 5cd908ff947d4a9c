"""Stanford's `.ply`: text or binary of either byte order, elements and properties of any order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from onlay_pointcloud.data.arrays import chosen
from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.columns import Wanted, listed
from onlay_pointcloud.data.meshes import Polygons, surface
from onlay_pointcloud.data.ply_rows import Binary, Element, Property
from onlay_pointcloud.data.ply_text import Text
from onlay_pointcloud.data.scan import Scan

_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
    "int64": "i8",
    "uint64": "u8",
}

_HEADER = 2**20
"""Bytes in which a header ends."""

_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


class Header(NamedTuple):
    format: str
    elements: list[Element]
    start: int
    """Where the data begin."""


def read_ply(path: Path, wanted: Wanted, count: int) -> Scan:
    """Its vertices; where it has faces, and no vertices are wanted, `count` points on their
    surface.

    Raises:
        Malformed: no header, no vertices, less than the header promises, a face of vertices that
            are not there.
    """
    content = path.read_bytes()
    header = _header(content)
    body = memoryview(content)[header.start :]
    rows = Text(body) if header.format == "ascii" else Binary(body, _ORDERS[header.format])
    columns, polygons = {}, Polygons()
    for element in header.elements:
        numbers, lists = rows.take(element)
        if element.name == "vertex":
            columns = numbers
        elif element.name == "face" and lists:
            polygons = lists.get("vertex_indices") or next(iter(lists.values()))
    rows.finish()
    if not columns:
        raise Malformed(f"it has no vertices (have: {listed([e.name for e in header.elements])})")
    if not polygons or wanted.vertices:
        return Scan(chosen(columns, wanted))
    return surface(chosen(columns, Wanted(wanted.axes)), polygons, count, wanted)


def _header(content: bytes) -> Header:
    begin = re.match(rb"\s*ply[ \t]*(\r\n|\n|\r)", content[:64], re.IGNORECASE)
    if begin is None:
        raise Malformed("it does not begin with `ply`")
    # where lines end by CR alone, a first byte of data may look like LF
    end = re.search(begin[1] + rb"end_header[ \t]*" + begin[1], content[:_HEADER])
    if end is None:
        raise Malformed("its header has no end")
    text = content[begin.end() : end.start()].decode("latin1")
    lines = [line.split() for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    return Header(*_parsed(lines), end.end())


def _parsed(lines: list[list[str]]) -> tuple[str, list[Element]]:
    kind, elements = "", list[Element]()
    for word, *values in lines:
        match word.lower(), *values:
            case "format", str(named), *_:
                kind = named.lower()
            case "element", str(name), str(count) if count.isdecimal() and len(count) < 19:
                elements.append(Element(name.lower(), int(count), []))
            case "property", "list", str(length), str(item), str(name) if elements:
                elements[-1].properties.append(Property(_name(name), _type(item), _type(length)))
            case "property", str(item), str(name) if elements:
                elements[-1].properties.append(Property(_name(name), _type(item), None))
            case "comment" | "obj_info", *_:
                pass
            case _:
                raise Malformed(f"its header has the line `{' '.join([word, *values])[:60]}`")
    if kind != "ascii" and kind not in _ORDERS:
        raise Malformed(f"its format is `{kind[:40]}`, none that is known")
    return kind, elements


def _type(name: str) -> str:
    if name.lower() not in _TYPES:
        raise Malformed(f"its header has the type `{name[:40]}`, none that is known")
    return _TYPES[name.lower()]


def _name(name: str) -> str:
    return "vertex_indices" if name.lower() in ("vertex_index", "vertex_indices") else name
