"""What cameras and laser scanners write, byte for byte where libraries would not write it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import laspy
import lzf
import numpy as np
import pytest

from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.readers import Reading, read_measured, read_points

POINTS = [[1.5, 2, 3], [4, 5.25, 6]]


def pcd(path: Path, entries: dict[str, str], body: bytes, end: str = "\n") -> Path:
    text = "".join(f"{word} {value}\n" for word, value in entries.items())
    path.write_bytes(f"# .PCD v0.7\n{text}".replace("\n", end).encode() + body)
    return path


XYZ = {"VERSION": ".7", "FIELDS": "x y z", "SIZE": "4 4 4", "TYPE": "F F F", "COUNT": "1 1 1",
       "WIDTH": "2", "HEIGHT": "1", "VIEWPOINT": "0 0 0 1 0 0 0", "POINTS": "2"}  # fmt: skip
ROWS = b"1.5 2 3\n4 5.25 6\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_pcd_headers(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.pcd"
    assert read_points(pcd(path, XYZ | {"DATA": "ascii"}, ROWS, end)).tolist() == POINTS
    short = {word: XYZ[word] for word in ("FIELDS", "SIZE", "TYPE", "WIDTH", "HEIGHT")}
    assert read_points(pcd(path, short | {"DATA": "ascii"}, ROWS)).tolist() == POINTS
    old = {word.replace("FIELDS", "COLUMNS"): value for word, value in XYZ.items()}
    assert read_points(pcd(path, old | {"data": "ASCII"}, ROWS)).tolist() == POINTS


MIXED: dict[str, str] = XYZ | {
    "FIELDS": "_ Z histogram y rgb x", "SIZE": "1 8 2 4 4 4", "TYPE": "U F U F F F",
    "COUNT": "3 1 2 1 1 1",
}  # fmt: skip
COLOUR = struct.unpack("<f", struct.pack("<I", 10 << 16 | 20 << 8 | 30))[0]


def fields(point: list[float]) -> list[tuple[str, tuple[float, ...]]]:
    x, y, z = point
    return [("3B", (7, 7, 7)), ("d", (z,)), ("2H", (8, 9)), ("f", (y,)), ("f", (COLOUR,)),
            ("f", (x,))]  # fmt: skip


def mixed(data: str) -> bytes:
    rows = [fields(point) for point in POINTS]
    if data == "ascii":
        return "\n".join(" ".join(repr(v) for _, vs in row for v in vs) for row in rows).encode()
    if data == "binary":
        return b"".join(struct.pack("<" + kind, *vs) for row in rows for kind, vs in row)
    columns = b"".join(struct.pack("<" + cell[0], *cell[1]) for column in zip(*rows, strict=True)
                       for cell in column)  # fmt: skip
    packed = lzf.compress(columns, 2 * len(columns))
    return struct.pack("<II", len(packed), len(columns)) + packed


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
def test_fields_of_any_size_count_and_order(tmp_path: Path, data: str) -> None:
    path = pcd(tmp_path / "a.pcd", MIXED | {"DATA": data}, mixed(data))
    assert read_points(path).tolist() == POINTS
    wanted = Wanted(extra=("green", "histogram:1", "b", "red"))
    found = read_measured(path, Reading(wanted=wanted))[0]
    assert found[:, 3:].tolist() == [[20, 9, 30, 10]] * 2


HUGE = "1000000000"
REFUSED = {
    "a count": ({"COUNT": f"1 1 {HUGE}", "DATA": "binary"}, bytes(24), "promises 2 points"),
    "a count in text": ({"COUNT": f"1 1 {HUGE}", "DATA": "ascii"}, ROWS, "promises 2 points"),
    "points": ({"POINTS": HUGE, "DATA": "binary"}, bytes(24), "promises 1,000,000,000 points"),
    "points in text": (
        {"POINTS": "3", "DATA": "ascii"}, ROWS, "promises 3 points of 3 numbers and it has 6"),
    "more than it unpacks to": (
        {"POINTS": HUGE, "DATA": "binary_compressed"}, struct.pack("<II", 4, 24) + bytes(9),
        "1,000,000,000 points"),
    "unpacked": ({"DATA": "binary_compressed"}, struct.pack("<II", 4, 2**32 - 1) + bytes(9),
                 "4,294,967,295 bytes unpacked"),
    "packed": ({"DATA": "binary_compressed"}, struct.pack("<II", 2**31, 24) + bytes(9), "promises"),
    "damaged": ({"DATA": "binary_compressed"}, struct.pack("<II", 9, 24) + b"\xff" * 9, "damaged"),
    "a type": ({"TYPE": "F F Q", "DATA": "ascii"}, ROWS, "unknown types (`F4`, `F4`, `Q4`)"),
    "wider rows": ({"DATA": "ascii"}, b"1 2 3 9\n4 5 6 9\n", "2 points of 3 numbers and it has 8"),
    "a word": ({"DATA": "ascii"}, b"1 2 3\n4 five 6\n", "a word for a number, `five`"),
    "data": ({"DATA": "xml"}, ROWS, "its data are `xml`"),
    "fields": ({"FIELDS": "x y", "DATA": "ascii"}, ROWS, "type and count of each field"),
    "no data": ({}, ROWS, "its header has no end"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_pcd_files_that_are_refused(tmp_path: Path, fails: Callable, name: str) -> None:
    own, body, reason = REFUSED[name]
    path = pcd(tmp_path / "a.pcd", XYZ | own, body)
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.pcd`: ", reason)


# --- nothing was measured ------------------------------------------------------------------------


def test_an_organised_pcd_with_places_without_an_echo(tmp_path: Path) -> None:
    entries = XYZ | {"WIDTH": "3", "HEIGHT": "2", "POINTS": "6", "DATA": "ascii"}
    rows = b"1.5 2 3\nnan nan nan\n0 0 0\n4 5.25 6\n0 0 0\n-nan(ind) -1.#IND 1.#QNAN\n"
    path = pcd(tmp_path / "a.pcd", entries, rows)
    points, left_out = read_measured(path, Reading())
    assert points.tolist() == POINTS
    assert left_out == {"NaN or infinite": 2, "at (0, 0, 0)": 2}


def test_one_point_at_the_origin_may_be_real(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, [[0, 0, 0], [1, 0, 0], [0, 2, 0]])
    points, left_out = read_measured(path, Reading())
    assert len(points) == 3
    assert not left_out
    np.save(path, [[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 0]])
    assert read_points(path).tolist() == [[1, 0, 0], [0, 2, 0]]
    assert len(read_measured(path, Reading(keep=True))[0]) == 4


def las(path: Path, point_format: int, noisy: bool = False) -> Path:
    """Five points on a line far from the origin; classes 2, 7, 18, 2 (withheld), 2."""
    version = "1.4" if point_format > 5 else "1.3"
    cloud = laspy.LasData(laspy.LasHeader(point_format=point_format, version=version))
    cloud.header.scales, cloud.header.offsets = [0.5] * 3, [4e5, 5e6, 0]
    cloud.x = np.array([0, 2, 4, 500, 8]) + 4e5
    cloud.y, cloud.z = np.full(5, 5e6), np.array([0, 0, 0, 0, 2.0])
    cloud.intensity = np.arange(5) * 100
    if noisy:
        cloud.classification = np.array([2, 7, 18, 2, 2])
        cloud.withheld = np.array([0, 0, 0, 1, 0])
    cloud.write(path)
    return path


@pytest.mark.parametrize("point_format", range(11))
@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_noise_and_withheld_points_of_las(tmp_path: Path, point_format: int, suffix: str) -> None:
    """Without them the box is 8 by 0 by 2, with them 500 by 0 by 2."""
    if suffix == ".laz" and point_format in (4, 5, 9, 10):
        pytest.skip("wave packets are not compressed by lazrs")
    path = las(tmp_path / f"a{suffix}", point_format, noisy=True)
    points, left_out = read_measured(path, Reading(wanted=Wanted(extra=("intensity",))))
    assert points.tolist() == [[-4, 0, -1, 0], [4, 0, 1, 400]]
    assert left_out == {"noise or withheld": 3}
    whole = read_points(las(path, point_format))
    assert whole[:, 0].tolist() == [-250, -248, -246, 250, -242]


def test_points_in_the_middle_of_a_las(tmp_path: Path) -> None:
    """They are moved to the origin, and are points; what was there before is none."""
    path = tmp_path / "a.las"
    cloud = laspy.LasData(laspy.LasHeader(point_format=0, version="1.2"))
    cloud.header.scales = [0.5] * 3
    cloud.x, cloud.y, cloud.z = np.array(
        [[6, 7, 7, 8, 0, 0], [2, 2, 2, 2, 0, 0], [3] * 4 + [0] * 2]
    )
    cloud.write(path)
    points, left_out = read_measured(path, Reading())
    assert points.tolist() == [[-1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert left_out == {"at (0, 0, 0)": 2}


def test_las_files_that_promise_more(tmp_path: Path, fails: Callable) -> None:
    path = las(tmp_path / "a.las", 0)
    whole = path.read_bytes()

    def changed(at: int, value: int) -> Callable[[], Any]:
        path.write_bytes(whole[:at] + struct.pack("<I", value) + whole[at + 4 :])
        return lambda: read_points(path)

    fails(changed(107, 2**32 - 1), f"`{path}` cannot be read as `.las`: it promises 4,294,967,295")
    fails(changed(100, 2**32 - 1), "it promises 4,294,967,295 records")
    fails(changed(96, 2**31), "it promises 5 points")
    fails(changed(0, 0), "does not begin as `.las` files do")
    path.write_bytes(whole[:-30])
    fails(lambda: read_points(path), "it promises 5 points")


def test_a_laz_that_promises_more(tmp_path: Path, fails: Callable) -> None:
    path = las(tmp_path / "a.laz", 0)
    whole = path.read_bytes()
    path.write_bytes(whole[:107] + struct.pack("<I", 2**32 - 1) + whole[111:])
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.laz`: ", "4,294,967,295 points")
    for share in (0.5, 0.9, 0.97):
        path.write_bytes(whole[: int(share * len(whole))])
        fails(lambda: read_points(path), f"`{path}` cannot be read as `.laz`: ")


# --- numbers alone --------------------------------------------------------------------------------


def test_velodyne(tmp_path: Path, fails: Callable) -> None:
    path = tmp_path / "000000.bin"
    rows = np.array([[*point, 0.5] for point in POINTS], "<f4")
    rows.tofile(path)
    assert read_points(path).tolist() == POINTS
    extra = Reading(wanted=Wanted(extra=("intensity",)))
    assert read_measured(path, extra)[0][:, 3].tolist() == [0.5, 0.5]
    rings = np.array([[*p, 0.5, ring] for ring, p in enumerate(POINTS * 2)], "<f4")
    rings.tofile(tmp_path / "n.pcd.bin")
    assert read_points(tmp_path / "n.pcd.bin").tolist() == POINTS * 2
    rings[:, 0] *= -1
    rings.tofile(path)
    assert read_points(path)[:, 0].tolist() == [-1.5, -4, -1.5, -4], "as four, an intensity is -4"
    path.write_bytes(b"x" * 33)
    fails(lambda: read_points(path), "000000.bin` cannot be read as `.bin`: it is not x, y, z")


PTX = "1\n2\n{0}\n1 0 0\n0 1 0\n0 0 1\n0 1 0 0\n-1 0 0 0\n0 0 1 0\n{0} 1\n{1}\n0 0 0 0.5\n"


def test_ptx(tmp_path: Path, fails: Callable) -> None:
    """Each scan is turned by a quarter, x to y, and shifted; a place without an echo is none."""
    path = tmp_path / "a.ptx"
    path.write_text(PTX.format("10 0 0", "1 2 3 0.5") + PTX.format("0 0 5", "4 0 0 1"))
    points, left_out = read_measured(path, Reading())
    assert points.tolist() == [[8, 1, 3], [0, 4, 5]]
    assert left_out == {"at (0, 0, 0)": 2}
    path.write_text("99999\n99999\n" + PTX.format("0 0 0", "1 2 3 0.5"))
    fails(lambda: read_points(path), "cannot be read as `.ptx`: it promises")
    path.write_text("hello\n")
    fails(lambda: read_points(path), "numbers of columns and rows")
