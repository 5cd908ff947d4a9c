"""Numpy's files: every order and type of numbers, and headers that promise more than there is."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.readers import Reading, read_measured, read_points

POINTS = np.array([[1.5, 2, 3], [4, 5.25, 6]])
KINDS = {
    "double": POINTS, "float": POINTS.astype("<f4"), "half": POINTS.astype("f2"),
    "big endian": POINTS.astype(">f4"), "Fortran's order": np.asfortranarray(POINTS),
    "further columns": np.hstack([POINTS, POINTS]), "one of a batch": POINTS[None],
    "fields": np.array([(9, *p) for p in POINTS.tolist()],
                       [("i", "u1"), ("X", "<f8"), ("Y", ">f4"), ("Z", "<f4")]),
    "a field of three": np.array([(p, 7) for p in POINTS.tolist()],
                                 [("xyz", "f4", 3), ("t", "u4")]),
    "organised fields": np.array([tuple(p) for p in POINTS.tolist()],
                                 [(axis, "f4") for axis in "xyz"]).reshape(2, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_arrays(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "a.npy", KINDS[name])
    assert np.array_equal(read_points(tmp_path / "a.npy"), POINTS)
    np.savez_compressed(tmp_path / "a.npz", KINDS[name])
    assert np.array_equal(read_points(tmp_path / "a.npz"), POINTS)
    np.savez(tmp_path / "a.npz", label=np.array(3), coord=KINDS[name])
    assert np.array_equal(read_points(tmp_path / "a.npz"), POINTS)


def test_axes_first(tmp_path: Path) -> None:
    """(3 to 12, N) is turned where N is more than any number of columns; (3, 4) is three points."""
    cloud = np.arange(60.0).reshape(20, 3)
    np.save(tmp_path / "a.npy", cloud.T)
    assert np.array_equal(read_points(tmp_path / "a.npy"), cloud)
    np.save(tmp_path / "a.npy", np.vstack([cloud.T, -cloud.T]))
    found = read_measured(tmp_path / "a.npy", Reading(wanted=Wanted(extra=(4, 5))))[0]
    assert np.array_equal(found, np.hstack([cloud, -cloud[:, 1:]]))
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(3, 4))
    assert read_points(tmp_path / "a.npy").tolist() == [[0, 1, 2], [4, 5, 6], [8, 9, 10]]


def test_axes_apart(tmp_path: Path) -> None:
    columns = dict(zip("xyz", POINTS.T, strict=True))
    np.savez(tmp_path / "a.npz", intensity=np.array([7, 8]), **columns)
    found = read_measured(tmp_path / "a.npz", Reading(wanted=Wanted(extra=("intensity",))))[0]
    assert found.tolist() == [[1.5, 2, 3, 7], [4, 5.25, 6, 8]]


def header(shape: str, descr: str = "'<f8'", version: int = 1) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


def test_headers_of_other_versions(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        content = header("(2L, 3L)", version=version) + POINTS.tobytes()
        (tmp_path / "a.npy").write_bytes(content)
        assert np.array_equal(read_points(tmp_path / "a.npy"), POINTS)


REFUSED = {
    "a shape": (header("(4000000000, 3)") + bytes(48), "it promises float64 of the shape"),
    "a negative shape": (header("(-1, 3)") + bytes(48), "its shape is (-1, 3)"),
    "an item": (header("(2, 3)", "'<V2000000000'") + bytes(48), "only numbers are points"),
    "objects": (header("(2, 3)", "'|O'") + bytes(48), "only numbers are points"),
    "objects in fields": (header("(2,)", "[('x', '|O'), ('y', '<f4')]") + bytes(48), "cannot be"),
    "words": (header("(2, 3)", "'<U4'") + bytes(96), "only numbers are points"),
    "complex": (header("(2, 3)", "'<c8'") + bytes(48), "only numbers are points"),
    "depth": (header("(" * 2000 + ")" * 2000), "cut off, damaged"),
    "a header": (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(99), "its header has 2,147,483,647"),
    "code": (header("__import__('os')"), "cut off, damaged"),
    "several clouds": (header("(2, 4, 3)") + bytes(192), "of the shape (2, 4, 3), not of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_are_refused(tmp_path: Path, fails: Callable, name: str) -> None:
    content, reason = REFUSED[name]
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.npy`: ", reason)


def test_a_packed_bomb(tmp_path: Path, fails: Callable) -> None:
    """A hundred million zeros in some hundred kilobytes."""
    path = tmp_path / "a.npz"
    packed = io.BytesIO(header("(4166666, 3)"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, \
            file.open("points.npy", "w") as member:  # fmt: skip
        member.write(packed.getvalue())
        for _ in range(100):
            member.write(bytes(10**6))
    fails(lambda: read_points(path), "a.npz` cannot be read as `.npz`", "bytes unpacked")
