"""A cloud with the class of each of its points, as a `.ply` file; of a LAS file as another one.

Shapes: N points of the answer, P points of the file that was asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onlay_pointcloud.tasks.classes_las import holds, write_las

if TYPE_CHECKING:
    from onlay.task import Input

NEAREST_AT_ONCE = 100_000

_PALETTE = (
    (78, 121, 167), (242, 142, 43), (89, 161, 79), (225, 87, 89), (118, 183, 178), (237, 201, 72),
    (176, 122, 161), (255, 157, 167), (156, 117, 95), (186, 176, 172), (31, 119, 180),
    (188, 189, 34), (23, 190, 207), (148, 103, 189), (140, 86, 75), (227, 119, 194),
)  # fmt: skip
"""Colours of the classes, which begin anew after the last one."""


def write_classes(
    folder: Path, stem: str, labels: Sequence[str], found_N: np.ndarray, given: Input | None
) -> Path:
    """The file that was written: every point of the input's file that was measured gets the class
    of the nearest point that the model was shown.

    Of `.las` and `.laz` it is the same file with another `classification`, where its format has
    room for the classes' numbers. Else a binary `.ply` as CloudCompare, MeshLab and Open3D read it:
    `x y z` (double, in the file's own unit), `red green blue` of the class, and `label`, its number
    in the data that the model learnt from; comments tell the names. Without an input there are
    classes alone.
    """
    points, found, which = np.zeros((len(found_N), 3)), found_N, None
    if given:
        points, found, which = _of_file(found_N, given)
    values = _values(labels, given.preprocessing if given else {})
    if given and which is not None and holds(given.source, values):
        path = folder / f"{stem}{given.source.suffix.lower()}"
        write_las(path, given.source, which, np.array(values)[found])
        return path
    path = folder / f"{stem}.ply"
    _write_ply(path, points, found, dict(zip(labels, values, strict=True)))
    return path


def _write_ply(
    path: Path, points: np.ndarray, found: np.ndarray, values: Mapping[str, int]
) -> None:
    rows = np.zeros(len(found), _row())
    for axis, name in enumerate("xyz"):
        rows[name] = points[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        rows[name] = np.array(_PALETTE, np.uint8)[found % len(_PALETTE), channel]
    rows["label"] = np.array([*values.values()], np.int32)[found]
    comments = [f"comment label {value} {label}" for label, value in values.items()]
    path.write_bytes(_header(len(rows), comments).encode() + rows.tobytes())


def _row() -> np.dtype:
    colours = [(name, "u1") for name in ("red", "green", "blue")]
    return np.dtype([(name, "<f8") for name in "xyz"] + colours + [("label", "<i4")])


def _header(count: int, comments: Sequence[str]) -> str:
    kinds = {"<f8": "double", "u1": "uchar", "|u1": "uchar", "<i4": "int"}
    fields = _row().fields or {}
    properties = [f"property {kinds[kind.str]} {name}" for name, (kind, *_) in fields.items()]
    lines = ["ply", "format binary_little_endian 1.0", *comments, f"element vertex {count}"]
    return "\n".join([*lines, *properties, "end_header"]) + "\n"


def _values(labels: Sequence[str], preprocessing: Mapping[str, Any]) -> list[int]:
    """The first number of each class in the data; its place where it had none."""
    told = preprocessing.get("class_values", {})
    own = [told.get(label) or [index] for index, label in enumerate(labels)]
    return [int(values[0]) for values in own]


def _of_file(found_N: np.ndarray, given: Input) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """All points (P, 3) of the file in its unit and place, the class of each, and which of the
    file's points they are; those that were shown where there is no file."""
    from onlay_pointcloud.data.preprocess import Loader

    shown = given.tensor[:, :3].double().numpy()
    if not given.source.is_file() or "normalize" not in given.preprocessing:
        return shown, found_N, None
    loader = Loader(given.preprocessing)
    loader.left_out.held = True  # it was said when the file was read
    taken = loader.taken(given.source)
    found = found_N
    if len(taken.points) != len(found_N):  # else all of them were shown, in their order
        own = loader.prepared(taken.points, f"`{given.source}`")[:, :3].double().numpy()
        found = found_N[_nearest(shown, own)]
    points = taken.points[:, :3]
    return points if taken.origin is None else points + taken.origin, found, taken.which_Q


def _nearest(shown: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Of each point (P, 3) the index of the nearest that was shown."""
    from sklearn.neighbors import KDTree

    tree = KDTree(shown)
    parts = np.array_split(points, max(1, len(points) // NEAREST_AT_ONCE))
    return np.concatenate([tree.query(part)[1][:, 0] for part in parts])
