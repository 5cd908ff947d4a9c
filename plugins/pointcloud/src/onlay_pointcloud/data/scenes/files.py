"""Scenes on disk: a file for each, or rooms as S3DIS publishes them, an object in each file.

Shapes: P points, E further columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onlay.errors import DataError
from onlay.reading.layouts import WHOLE, Layout
from onlay.reading.listing import Item, Tags, some
from onlay_pointcloud.data.labelled_files import TARGETS, laid_out
from onlay_pointcloud.data.preprocess import Loader

ANNOTATIONS = "Annotations"

S3DIS = (
    *("ceiling", "floor", "wall", "beam", "column", "window", "door", "table", "chair", "sofa"),
    *("bookcase", "board", "clutter"),
)
"""The classes 0 to 12 of S3DIS (Armeni et al. 2016), in the order in which they are numbered."""

USUAL_TEST = 5
"""The area on which results are published."""

_AREA = re.compile(r"(?:.*/)?Area_(\d+)(?=[_/])")

_ANGLES = re.compile(r"Area_\d+_alignmentAngle\.txt")
"""Lists, which stand beside the rooms, of how each was turned; no scenes."""


def scenes_in(root: Path, parts: Any, test_area: int | None) -> Layout:
    """Every scene as it lies; areas of S3DIS are a training and a test part.

    Raises:
        DataError: no scenes, or no scene of the area that is to be tested on.
    """
    layout = _of_rooms(laid_out(root, parts))
    items = layout.parts.get(WHOLE)
    areas = {area for item in items or () if (area := area_of(item.key)) is not None}
    if items is None or not (areas or test_area is not None):
        return layout
    chosen = test_area if test_area is not None else USUAL_TEST if USUAL_TEST in areas else None
    if chosen is None or (areas == {chosen} and test_area is None):
        return layout
    if chosen not in areas:
        have = some([f"Area_{area}" for area in sorted(areas)]) or "no areas"
        raise DataError(f"`data.test_area` is {chosen}, and the scenes of `{root}` are of {have}")
    test = [item for item in items if area_of(item.key) == chosen]
    train = [item for item in items if area_of(item.key) != chosen]
    told = f"the test part is Area_{chosen}, {len(test)} of {len(items)} scenes (`data.test_area`)"
    return Layout({"train": train, "test": test}, (*layout.notes, told), layout.targets)


def area_of(key: str) -> int | None:
    """From `Area_5/office_1/office_1.txt` or `Area_5_office_1.npy`.

    >>> area_of("Area_5_office_1.npy"), area_of("hall.npy")
    (5, None)
    """
    found = _AREA.match(key)
    return int(found[1]) if found else None


def _of_rooms(layout: Layout) -> Layout:
    """With an item for each room of S3DIS instead of one for each of its files."""
    parts = {part: _rooms(items) for part, items in layout.parts.items()}
    return Layout(parts, layout.notes, TARGETS)


def _rooms(items: Sequence[Item]) -> list[Item]:
    rooms = {i.source.parent.parent for i in items if i.source.parent.name == ANNOTATIONS}
    beside: dict[Path, list[Item]] = {room: [] for room in sorted(rooms)}
    for item in items:
        beside.get(item.source.parent, []).append(item)
    own = {room: _room(room, files) for room, files in beside.items()}
    found = [
        item
        for item in items
        if item.source.parent.name != ANNOTATIONS
        and own.get(item.source.parent, item) is item
        and not _ANGLES.fullmatch(item.source.name)
    ]
    return [item._replace(target=Tags(frozenset())) for item in found]


def _room(folder: Path, files: Sequence[Item]) -> Item:
    """The file of a room among those beside its objects: the one that is called as the folder is,
    or the only text; `Area_6/copyRoom_1` holds `copy_Room_1.txt`.

    Raises:
        DataError: there is none, or several may be it.
    """
    called = [item for item in files if item.source.stem == folder.name]
    texts = [item for item in files if item.source.suffix.lower() == ".txt"]
    if found := called or (texts if len(texts) == 1 else []):
        return found[0]
    raise DataError(
        f"`{folder}` has objects in `{ANNOTATIONS}` and not the room, `{folder.name}.txt`"
    )


def is_room(source: Path) -> bool:
    """Do the classes of its points stand in the names of other files?"""
    return (source.parent / ANNOTATIONS).is_dir()


def rows_of(load: Loader, source: Path, labels: Sequence[str] | None) -> np.ndarray:
    """All points (P, 3 + E + 1) of a scene, the number of their class last; of a room of S3DIS its
    place among `labels`.

    Raises:
        DataError: what cannot be read; an object of no class.
    """
    if not is_room(source):
        return load.measured(source)
    plain = load.without_label()
    names: Mapping[str, int] = {name: n for n, name in enumerate(labels or S3DIS)}
    files = sorted((source.parent / ANNOTATIONS).glob("*.txt"))
    return np.concatenate([_object(plain, file, names) for file in files])


def _object(load: Loader, file: Path, names: Mapping[str, int]) -> np.ndarray:
    name = file.stem.rpartition("_")[0] or file.stem
    number = names.get(name, names.get(S3DIS[-1]))  # what is rare, stairs, is clutter
    if number is None:
        raise DataError(f"`{file}` is a `{name}`, and the classes are {some([*names])}")
    points = load.measured(file)
    return np.hstack([points, np.full((len(points), 1), float(number))])
