"""Point clouds: in every format with known points, damaged, and with headers that lie."""

from __future__ import annotations

import json
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from fuzzing import cases, made
from fuzzing.cases import Case

Written = tuple[Path, str]
"""A file, and what it is in words."""


def make(rng: random.Random, folder: Path) -> Case:
    """A cloud of 40 to 60 points, or something that pretends to be one."""
    return rng.choice([_legal, _legal, _damaged, _damaged, _lying, _foreign, _asked])(rng, folder)


def _legal(rng: random.Random, folder: Path) -> Case:
    points = _points(rng)
    path, told = _written(rng, folder, points)
    return Case(told, lambda: read(path, len(points)), lambda got: same(got, points))


def _damaged(rng: random.Random, folder: Path) -> Case:
    """A cut is found where a header counts; every other damage is only found by chance."""
    points = _points(rng)
    path, told = _written(rng, folder, points)
    counted = path.suffix in {".ply", ".pcd", ".las", ".npy", ".npz", ".pts"}
    did, content = (cases.truncated if counted else cases.noise)(rng, path.read_bytes())
    path.write_bytes(content)
    return Case(f"{told}, {did}", lambda: read(path, len(points)), lambda got: same(got, points))


_HUGE = (10**9, 2**31 - 1, 2**32 - 1, 2**63, 10**20, -1)


def _lying(rng: random.Random, folder: Path) -> Case:
    """A header that promises what the file does not hold."""
    count = rng.choice(_HUGE)
    name, content = rng.choice(_LIES)(count)
    path = folder / name
    path.write_bytes(content)
    return Case(f"`{name}` of {len(content)} bytes promises {count}", lambda: read(path, 40))


def _ply_lie(count: int) -> tuple[str, bytes]:
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n"
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    return "lie.ply", (head + axes + "end_header\n").encode() + bytes(120)


def _pcd_lie(count: int) -> tuple[str, bytes]:
    head = "VERSION .7\nFIELDS x y z c\nSIZE 4 4 4 4\nTYPE F F F F\n"
    rest = f"COUNT 1 1 1 {count}\nWIDTH 10\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 10\n"
    return "lie.pcd", (head + rest + "DATA binary\n").encode() + bytes(160)


def _pcd_width_lie(count: int) -> tuple[str, bytes]:
    head = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
    rest = f"WIDTH {count}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\n"
    return "lie.pcd", (head + rest + "DATA binary_compressed\n").encode() + bytes(160)


def _npy_lie(count: int) -> tuple[str, bytes]:
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({count}, 3), }}".ljust(117) + "\n"
    return "lie.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()


def _las_lie(count: int) -> tuple[str, bytes]:
    header = bytearray(227)
    header[:4], header[24:26] = b"LASF", b"\x01\x02"
    struct.pack_into("<HI", header, 94, 227, 227)
    struct.pack_into("<BHI", header, 104, 0, 20, count % 2**32)
    struct.pack_into("<3d", header, 131, 0.01, 0.01, 0.01)
    return "lie.las", bytes(header) + bytes(100)


def _off_lie(count: int) -> tuple[str, bytes]:
    return "lie.off", f"OFF\n{count} 0 0\n0 0 0\n1 1 1\n".encode()


def _pts_lie(count: int) -> tuple[str, bytes]:
    return "lie.pts", f"{count}\n0 0 0\n1 1 1\n2 3 4\n".encode()


def _glb_lie(count: int) -> tuple[str, bytes]:
    text = json.dumps({"asset": {"version": "2.0"}, "buffers": [{"byteLength": count}]}).encode()
    head = struct.pack("<4sIIII", b"glTF", 2, count % 2**32, len(text), 0x4E4F534A)
    return "lie.glb", head + text


_LIES = (
    _ply_lie, _pcd_lie, _pcd_width_lie, _npy_lie, _las_lie, _off_lie, _pts_lie, _glb_lie,
)  # fmt: skip


class Planted:
    """Calls something when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return print, ("unpickled",)


def _foreign(rng: random.Random, folder: Path) -> Case:
    """What is no cloud at all."""
    endings = ["ply", "pcd", "las", "laz", "npy", "npz", "xyz", "csv", "txt", "off", "obj", "stl"]
    path = folder / f"a.{rng.choice([*endings, 'glb', 'pts', 'bin'])}"
    content = rng.choice(
        [
            b"",
            b"\x00",
            b"ply\n",
            b"OFF\n",
            b"LASF",
            b"\x93NUMPY",
            b"PK\x03\x04",
            b"x,y,z\n",
            b"glTF",
            b"1 2\n3 4\n",
            b"nan nan nan\n" * 50,
            b"a b c\n" * 50,
            b"1,2,3\n" * 50,
            pickle.dumps(Planted()),
            rng.randbytes(200),
            ("Größe\n" * 9).encode("utf-16"),
        ]
    )
    path.write_bytes(content)
    return Case(f"`{path.name}` of {content[:12]!r}", lambda: read(path, 40))


def _asked(rng: random.Random, folder: Path) -> Case:
    """The command on a folder with a good and a bad cloud."""
    points = np.random.default_rng(rng.getrandbits(32)).normal(size=(1100, 3))
    _, told = _written(rng, folder, points)
    (folder / "bad.ply").write_bytes(_ply_lie(10**6)[1])
    words = ["predict", str(made.cloud_bundle()), str(folder), "--json"]
    skipping = rng.random() < 0.5
    if skipping:
        words.append("--skip-unreadable")
    return Case(
        f"predict a folder with a broken cloud beside {told}{', skipping' * skipping}",
        lambda: json.loads(cases.command(*words)),
        lambda got: skipping and len(got) == 1 and 0 <= got[0]["probability"] <= 1,
    )


# --- clouds with known points ---------------------------------------------------------------------


def _points(rng: random.Random) -> np.ndarray:
    """(N, 3), whole hundredths, so that text keeps them."""
    g = np.random.default_rng(rng.getrandbits(32))
    return g.integers(-1000, 1000, (rng.randint(40, 60), 3)) / 100


def _written(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    writer = rng.choice(_WRITERS)
    return writer(rng, folder, points)


def _ply(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    """Any order and spelling of the properties, further ones between them."""
    names = ["x", "y", "z", *rng.sample(["red", "nx", "quality"], rng.randint(0, 3))]
    rng.shuffle(names)
    form = rng.choice(["ascii", "binary_little_endian", "binary_big_endian"])
    end = rng.choice(["\n", "\r\n", "\r"])
    upper = rng.random() < 0.3
    columns = {n: points[:, "xyz".index(n)] if n in "xyz" else points[:, 0] * 0 for n in names}
    lines = ["ply", f"format {form} 1.0", "comment made", f"element vertex {len(points)}"]
    lines += [f"property double {n.upper() if upper else n}" for n in names]
    head = (end.join([*lines, "end_header"]) + end).encode()
    table = np.stack(list(columns.values()), 1)
    if form == "ascii":
        body = "".join(" ".join(f"{v:.2f}" for v in row) + end for row in table).encode()
    else:
        body = table.astype("<f8" if "little" in form else ">f8").tobytes()
    (path := folder / "good.ply").write_bytes(head + body)
    return path, f"PLY {form}, {', '.join(names)}, ends {end!r}{', upper case' * upper}"


def _pcd(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    kind = rng.choice([("F", 4, "<f4"), ("F", 8, "<f8")])
    form = rng.choice(["ascii", "binary"])
    names = ["x", "y", "z"]
    rng.shuffle(names)
    table = np.stack([points[:, "xyz".index(n)] for n in names], 1)
    lines = ["VERSION 0.7", f"FIELDS {' '.join(names)}", "SIZE" + f" {kind[1]}" * 3]
    lines += ["TYPE F F F", "COUNT 1 1 1", f"WIDTH {len(points)}", "HEIGHT 1"]
    lines += ["VIEWPOINT 0 0 0 1 0 0 0", f"POINTS {len(points)}", f"DATA {form}"]
    head = ("\n".join(lines) + "\n").encode()
    if form == "ascii":
        body = "".join(" ".join(f"{v:.2f}" for v in row) + "\n" for row in table).encode()
    else:
        body = table.astype(kind[2]).tobytes()
    (path := folder / "good.pcd").write_bytes(head + body)
    return path, f"PCD {form}, {kind[2]}, {' '.join(names)}"


def _las(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    import laspy

    form = rng.choice([0, 1, 2, 3, 6, 7, 8])
    las = laspy.LasData(laspy.LasHeader(point_format=form, version="1.4"))
    las.header.scales, las.header.offsets = [0.01] * 3, [0.0] * 3
    las.xyz = points
    las.write(path := folder / f"good.{rng.choice(['las', 'laz'])}")
    return path, f"{path.suffix} of point format {form}"


def _numpy(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    dtype = rng.choice(["<f4", "<f8", ">f4", ">f8"])
    order = rng.choice(["C", "F"])
    array = np.asarray(points.astype(dtype), order=order)
    if rng.random() < 0.3:
        np.savez_compressed(path := folder / "good.npz", points=array)
    else:
        np.save(path := folder / "good.npy", array)
    return path, f"{path.suffix} {dtype}, order {order}"


_HEADS = {
    ",": [
        "x,y,z",
        "X,Y,Z",
        "//X,Y,Z",
        "PositionX,PositionY,PositionZ",
        "x [m],y [m],z [m]",
        "easting,northing,elevation",
        "Points:0,Points:1,Points:2",
        '"x","y","z"',
        "",
    ],
    ";": ["x;y;z", "X;Y;Z", ""],
    "\t": ["x\ty\tz", "X\tY\tZ", ""],
    " ": ["x y z", "//X Y Z", "# x y z", "# made by a scanner", ""],
}


def _table(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    sign = rng.choice(list(_HEADS))
    head = rng.choice(_HEADS[sign])
    end = rng.choice(["\n", "\r\n"])
    trailing = sign * (sign in ",;" and rng.random() < 0.2)
    comma = sign == ";" and rng.random() < 0.5
    rows = [sign.join(f"{v:.2f}" for v in row) + trailing for row in points]
    rows = [row.replace(".", ",") if comma else row for row in rows]
    text = end.join([*([head] if head else []), *rows]) + end
    code = rng.choice(["utf-8", "utf-8-sig", "utf-16"])
    path = folder / f"good.{rng.choice(['csv', 'txt', 'xyz', 'asc'][: 3 if sign == ' ' else 2])}"
    path.write_bytes(text.encode(code))
    told = f"table {head!r}, sign {sign!r}, ends {end!r}{trailing!r}, {code}"
    return path, told + ", decimal comma" * comma


def _pts(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    rows = [" ".join(f"{v:.2f}" for v in row) + " -7 10 20 30\n" for row in points]
    (path := folder / "good.pts").write_text(f"{len(points)}\n" + "".join(rows))
    return path, "Leica .pts"


def _velodyne(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    rows = np.c_[points, np.ones(len(points))].astype("<f4")
    (path := folder / "good.bin").write_bytes(rows.tobytes())
    return path, "Velodyne .bin"


def _off(rng: random.Random, folder: Path, points: np.ndarray) -> Written:
    rows = "".join(" ".join(f"{v:.2f}" for v in row) + "\n" for row in points)
    (path := folder / "good.off").write_text(f"OFF\n{len(points)} 0 0\n{rows}")
    return path, "OFF without faces"


_WRITERS = (_ply, _ply, _pcd, _las, _numpy, _table, _table, _pts, _velodyne, _off)


# --- reading --------------------------------------------------------------------------------------


def read(path: Path, count: int) -> torch.Tensor:
    """All points (N, 3) of a file as the reader gives them, in its own unit."""
    facts = {"modality": "points", "npoints": count, "min_points": 1, "normalize": "none"}
    return made.reader("points")(facts)(path)


def same(got: torch.Tensor, points: np.ndarray) -> bool:
    """Whether two clouds are one, in any order, and about their middle as LAS files are."""
    if tuple(got.shape) != points.shape:
        return False
    return any(
        np.allclose(_sorted(got.double().numpy()), _sorted(p), atol=2e-3)
        for p in (points, points - (points.min(0) + points.max(0)) / 2)
    )


def _sorted(points: np.ndarray) -> np.ndarray:
    rounded = np.round(points, 3) + 0.0
    return rounded[np.lexsort(rounded.T)]
