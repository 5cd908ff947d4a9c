"""Meshes, h5 and packed files that promise more than they hold: refused before it is made."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import laspy
import numpy as np
import pytest

from onlay_pointcloud.data.hdf5 import items_of
from onlay_pointcloud.data.readers import read_points

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()


def glb(path: Path, **changes: Any) -> Path:
    """One triangle, with what else is said of it."""
    tree = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }  # fmt: skip
    text = json.dumps(tree | changes).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text
    body += struct.pack("<I4s", len(TRIANGLE), b"BIN\0") + TRIANGLE
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body)
    return path


GLB = {
    "numbers that are nowhere": (
        {"accessors": [{"componentType": 5126, "count": 300_000_000, "type": "VEC3"}]},
        "it promises 300,000,000 numbers",
    ),
    "a node in itself": (
        {"nodes": [{"mesh": 0, "children": [1]}, {"children": [0]}]}, "within itself"),
    "copies of copies": (
        {"nodes": [{"children": [i + 1, i + 1]} for i in range(60)] + [{"mesh": 0}]},
        "stands in several others",
    ),
    "copies": (
        {"nodes": [{"mesh": 0}] * 10_000, "scenes": [{"nodes": list(range(10_000))}],
         "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}] * 5_000}]},
        "its copies of meshes have 150,000,000 corners",
    ),
    "a compression": (
        {"extensionsRequired": ["KHR_draco_mesh_compression"]}, "by `KHR_draco_mesh_compression`"),
    "no numbers at all": ({"accessors": 7}, "cut off, damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", GLB)
def test_glb(tmp_path: Path, fails: Callable, name: str) -> None:
    changes, reason = GLB[name]
    path = glb(tmp_path / "a.glb", **changes)
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.glb`: ", reason)


def test_a_glb_as_it_should_be(tmp_path: Path) -> None:
    points = read_points(glb(tmp_path / "a.glb"), mesh_points=50)
    assert points.shape == (50, 3)
    assert (points.min(), points[:, :2].sum(1).max() <= 1) == (0, True)


def test_h5(tmp_path: Path, fails: Callable) -> None:
    path, label = tmp_path / "a.h5", np.zeros(2, int)

    def told(reason: str, make: Callable[[h5py.File], object]) -> None:
        with h5py.File(path, "w") as file:
            file["label"] = label
            make(file)
        fails(lambda: items_of(path, ("ant", "bee")), f"`{path}`", reason)

    told("it promises `data`, 24,576,000,000 bytes unpacked",
         lambda file: file.create_dataset("data", (10**6, 2048, 3), "f4"))  # fmt: skip
    told("bytes unpacked", lambda file: file.create_dataset(
        "data", (2, 2048, 3), "f4", maxshape=(None, 2048, 3), chunks=(20_000, 2048, 3)
    ))  # fmt: skip
    told("lies in another file",
         lambda file: file.__setitem__("data", h5py.ExternalLink("b.h5", "data")))  # fmt: skip
    told("`data` is no array of numbers", lambda file: file.create_group("data"))
    told("`data` is no array of numbers", lambda file: file.__setitem__("data", "words"))
    told("of the shape (2, 0, 3)", lambda file: file.__setitem__("data", np.zeros((2, 0, 3))))


@pytest.mark.parametrize("text", ["OFF\n{} 1 0\n", "OFF\n3 {} 0\n", "OFF{} 1 0\n"])
def test_off(tmp_path: Path, fails: Callable, text: str) -> None:
    path = tmp_path / "a.off"
    path.write_text(text.format(1_000_000_000) + "0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.off`: ")


def test_the_pieces_of_a_laz(tmp_path: Path, fails: Callable) -> None:
    """The decoder ends the process where it finds no room for them."""
    path = tmp_path / "a.laz"
    cloud = laspy.LasData(laspy.LasHeader(point_format=6, version="1.4"))
    cloud.x, cloud.y, cloud.z = np.random.default_rng(0).random((3, 500))
    cloud.write(path)
    whole = path.read_bytes()
    assert len(read_points(path)) == 500
    record = whole.index(b"laszip encoded") - 2 + 54
    start = struct.unpack_from("<I", whole, 96)[0]
    table = struct.unpack_from("<q", whole, start)[0]

    def changed(at: int, value: bytes) -> None:
        path.write_bytes(whole[:at] + value + whole[at + len(value) :])
        fails(lambda: read_points(path), f"`{path}` cannot be read as `.laz`: ")

    changed(record, b"\x09\0")  # the kind of compression
    changed(record + 12, b"\xf0\xff\xff\xff")  # points of a piece
    changed(record + 32, b"\xff\xff")  # items of a point
    changed(record + 36, b"\xff\xff")  # bytes of one
    changed(start, b"\xff\xff\xff\xff\xff\xff\xff\x7f")  # where the table is
    changed(table + 4, b"\xff\xff\xff\xff")  # how many pieces
    changed(start + 8 + 30 + 4, b"\xff\xff\xff\xff")  # bytes of a layer


@pytest.mark.parametrize("suffix", [".obj", ".off", ".stl"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_text_of_meshes_that_ends_by_cr(tmp_path: Path, suffix: str, encoding: str) -> None:
    text = {
        ".obj": "# für\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n",
        ".off": "OFF\n# für\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
        ".stl": "solid für\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n"
        "vertex 0 1 0\nendloop\nendfacet\nendsolid für\n",
    }[suffix]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(text.replace("\n", "\r").encode(encoding))
    points = read_points(path, mesh_points=50)
    assert points.shape == (50, 3)
    assert points.min() == 0
    assert points[:, :2].sum(1).max() <= 1
