"""Every legal `.ply`: written here byte for byte, coordinates by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.readers import Reading, read_measured, read_points

POINTS = [(1.5, 2.0, 3.0), (4.0, 5.25, 6.0)]
VERTEX = "element vertex 2\nproperty float x\nproperty float y\nproperty float z\n"


def ply(path: Path, header: str, body: bytes, kind: str = "ascii", end: str = "\n") -> Path:
    text = f"ply\nformat {kind} 1.0\ncomment by hand\n{header}end_header\n".replace("\n", end)
    path.write_bytes(text.encode() + body)
    return path


HEADERS = {
    "as usual": (VERTEX, "1.5 2 3\n4 5.25 6\n"),
    "capital letters": (VERTEX.replace("float x", "float X").replace("float y", "float Y")
                        .replace("float z", "float Z"), "1.5 2 3\n4 5.25 6\n"),
    "types of the other spelling": (VERTEX.replace("float", "float64"), "1.5 2 3\n4 5.25 6\n"),
    "any order, more between": (
        "element vertex 2\nproperty uchar red\nproperty double z\nproperty float nx\n"
        "property short x\nproperty float y\n", "9 3 0 1 2\n9 6 0 4 5\n",
    ),
    "an element before": (
        "element camera 1\nproperty float view_px\nproperty list uchar int seen\n" + VERTEX,
        "0.5 3 1 2 3\n1.5 2 3\n4 5.25 6\n",
    ),
    "a list in the vertex": (
        "element vertex 2\nproperty list uchar float near\nproperty float x\nproperty float y\n"
        "property float z\n", "2 9 9 1.5 2 3\n0 4 5.25 6\n",
    ),
    "no faces": (VERTEX + "element face 0\nproperty list uchar int vertex_indices\n",
                 "1.5 2 3\n4 5.25 6\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_headers(tmp_path: Path, name: str, end: str) -> None:
    header, rows = HEADERS[name]
    path = ply(tmp_path / "a.ply", header, rows.replace("\n", end).encode(), end=end)
    expected = [(1, 2, 3), (4, 5, 6)] if name.startswith("any order") else POINTS
    assert read_points(path).tolist() == [list(point) for point in expected]


def test_words_of_the_header_in_other_places(tmp_path: Path) -> None:
    """Capital letters at the beginning, and a comment about the end."""
    path = ply(tmp_path / "a.ply", "comment end_header\n" + VERTEX, b"1.5 2 3\n4 5.25 6\n")
    path.write_bytes(path.read_bytes().replace(b"ply", b"PLY", 1))
    assert read_points(path).tolist() == [list(point) for point in POINTS]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", bytes(8)])
def test_some_programs_end_with_a_line_or_zeros(tmp_path: Path, end: bytes) -> None:
    body = np.array(POINTS, "<f4").tobytes() + end
    path = ply(tmp_path / "a.ply", VERTEX, body, "binary_little_endian")
    assert read_points(path).tolist() == [list(point) for point in POINTS]


@pytest.mark.parametrize("word", ["nan", "-nan(ind)", "-1.#IND", "1.#QNAN0"])
def test_what_is_no_number_was_not_measured(tmp_path: Path, word: str) -> None:
    """Alone, and where vertices have lists and are read one by one."""
    rows = f"1.5 2 3\n{word} 0 0\n4 5.25 6\n"
    path = ply(tmp_path / "a.ply", VERTEX.replace("2", "3"), rows.encode())
    assert read_points(path).tolist() == [list(point) for point in POINTS]
    listed = VERTEX.replace("2", "3") + "property list uchar int near\n"
    path = ply(tmp_path / "b.ply", listed, rows.replace("\n", " 1 9\n").encode())
    assert read_points(path).tolist() == [list(point) for point in POINTS]


@pytest.mark.parametrize(("kind", "sign"), [("little", "<"), ("big", ">")])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_binary_of_both_byte_orders(tmp_path: Path, kind: str, sign: str, end: str) -> None:
    """With doubles, lists of different lengths ahead, and a first byte that is a line's end."""
    header = (
        "element part 2\nproperty list uchar short ids\nproperty uchar weight\n"
        "element vertex 2\nproperty double x\nproperty float y\nproperty float z\n"
        "property uchar red\n"
    )
    body = struct.pack(f"{sign}B10hB", 10, *range(10), 7) + struct.pack(f"{sign}BhB", 1, 5, 7)
    body += b"".join(struct.pack(f"{sign}dffB", *point, 200) for point in POINTS)
    path = ply(tmp_path / "a.ply", header, body, f"binary_{kind}_endian", end)
    found, _ = read_measured(path, Reading(wanted=Wanted(extra=("r",))))
    assert found.tolist() == [[*point, 200] for point in POINTS]


SQUARE = "0 0 0\n2 0 0\n2 2 0\n0 2 0\n3 1 0\n"
FACES = "element vertex 5\nproperty float x\nproperty float y\nproperty float z\n" \
    "element face 2\nproperty list uchar int {}\n"  # fmt: skip


def binary_faces() -> bytes:
    corners = np.array([float(word) for word in SQUARE.split()], "<f4").tobytes()
    return corners + struct.pack("<B4i", 4, 0, 1, 2, 3) + struct.pack("<B3i", 3, 1, 4, 2)


@pytest.mark.parametrize("name", ["vertex_indices", "vertex_index", "Vertex_Indices"])
@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
def test_triangles_and_quadrangles(tmp_path: Path, name: str, kind: str) -> None:
    """A square of area 4 and a triangle of area 1 right of it: a fifth of all points has x > 2.

    The standard deviation of that share over 4,000 points is 0.6 %.
    """
    rows = (SQUARE + "4 0 1 2 3\n3 1 4 2\n").encode()
    path = ply(tmp_path / "a.ply", FACES.format(name), rows if kind == "ascii" else binary_faces(),
               kind)  # fmt: skip
    points = read_points(path, mesh_points=4000)
    assert points.shape == (4000, 3)
    assert np.mean(points[:, 0] > 2) == pytest.approx(0.2, abs=0.03)
    assert np.mean(points[:, 1] > points[:, 0]) == pytest.approx(0.4, abs=0.03)
    assert points[:, :2].min() >= 0
    assert np.all(points[:, 0] <= 3)


BINARY = "binary_little_endian"
REFUSED = {
    "four thousand million vertices": (
        VERTEX.replace("2", "4000000000"), b"1 2 3\n", "ascii", "promises 4,000,000,000"),
    "the same in bytes": (VERTEX.replace("2", "4000000000"), bytes(24), BINARY, "promises"),
    "lists to the end": (
        "element a 1\nproperty list uint float b\n" + VERTEX, b"\xff" * 60, BINARY, "cut off"),
    "a list of negative length": (
        "element a 1\nproperty list char float b\n" + VERTEX, b"\xff" * 60, BINARY, "cut off"),
    "many empty lists": (
        "element a 999999999\nproperty list uchar float b\n" + VERTEX, bytes(60), BINARY,
        "promises 999,999,999"),
    "a corner that is not there": (
        FACES.format("vertex_indices").replace("face 2", "face 1"),
        (SQUARE + "3 0 1 9\n").encode(), "ascii", "none of its 5 vertices"),
    "a word": (VERTEX, b"1 2 3\n4 five 6\n", "ascii", "a word for a number, `five`"),
    "rows wider than it says": (
        VERTEX, b"1 2 3 9\n4 5 6 9\n", "ascii", "promises 6 numbers and it has 8"),
    "the same behind faces": (
        FACES.format("vertex_indices"), (SQUARE + "4 0 1 2 3\n3 1 4 2\n7\n").encode(), "ascii",
        "promises 24 numbers and it has 25"),
    "the same in bytes, wider": (
        VERTEX, np.arange(1, 9, dtype="<f4").tobytes(), BINARY,
        "promises 24 bytes of numbers and it has 32"),
    "a type": (VERTEX.replace("float", "quad"), b"", "ascii", "the type `quad`"),
    "a format": (VERTEX, b"", "binary_middle", "its format is `binary_middle`"),
    "no vertices": ("element edge 1\nproperty int a\n", b"1\n", "ascii",
                    "no vertices (have: `edge`"),
    "no z": (VERTEX.replace(" z", " q"), b"1 2 3\n4 5 6\n", "ascii", "(have: `x`, `y`, `q`)"),
    "a line": (VERTEX + "hello\n", b"", "ascii", "the line `hello`"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path: Path, fails: Callable, name: str) -> None:
    header, body, kind, reason = REFUSED[name]
    path = ply(tmp_path / "a.ply", header, body, kind)
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.ply`: ", reason)


def test_a_mesh_has_no_further_columns(tmp_path: Path, fails: Callable) -> None:
    path = ply(tmp_path / "a.ply", FACES.format("vertex_indices"), binary_faces(), BINARY)
    reading = Reading(wanted=Wanted(extra=("nx",)))
    fails(lambda: read_measured(path, reading), "it is a mesh, whose surface has no column `nx`")
