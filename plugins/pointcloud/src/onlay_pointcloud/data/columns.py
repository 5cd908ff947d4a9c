"""Which columns of a file are x, y and z, by the names that programs give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onlay_pointcloud.data.bounds import Malformed

Column = str | int
"""A name, or a number that counts from 0."""

_STEM = (
    r"(?:p|pt|point|points|pos|position|coord|coords|coordinate|loc|location|xyz|pointsmxyz"
    r"|cartesian)?"
)
_UNIT = r"(?:m|mm|cm|km|ft|in|meter|metre|meters|metres|feet|inch)?"
_TAIL = rf"(?:coord|coords|coordinate|pos|position|value)?{_UNIT}"
_LETTER = re.compile(rf"({_STEM})([xyz])({_TAIL})")
_NUMBER = re.compile(rf"({_STEM})(?:xyz)?([012])()")

_WORDS = {
    **dict.fromkeys(("x", "easting", "east", "eastings", "e", "rechtswert"), 0),
    **dict.fromkeys(("y", "northing", "north", "northings", "n", "hochwert"), 1),
    **dict.fromkeys(("z", "elevation", "elev", "height", "altitude", "alt", "up", "h", "hohe"), 2),
}
"""What surveyors call the axes, a unit behind it left out."""

BY_NAME = ""
"""The column of classes is the one whose name says so; where columns have no names, the last."""

_CLASSES = (
    *("label", "labels", "class", "classes", "classification", "classid", "labelid", "category"),
    *("semantic", "semanticlabel", "semanticclass", "semlabel", "semseg", "segment", "groundtruth"),
    *("gt", "scalarlabel", "scalarclass", "scalarclassification", "scalargroundtruth", "semantics"),
)
"""Names of a column of classes, those that are meant first."""

_SAME = (
    ("red", "r", "diffusered", "rgbred"),
    ("green", "g", "diffusegreen", "rgbgreen"),
    ("blue", "b", "diffuseblue", "rgbblue"),
    ("nx", "normalx", "normal0", "normals0"),
    ("ny", "normaly", "normal1", "normals1"),
    ("nz", "normalz", "normal2", "normals2"),
    ("intensity", "i", "intensities", "scalarintensity", "reflectance", "reflectivity"),
)
"""Names of further columns that mean one thing."""


@dataclass(frozen=True)
class Wanted:
    """The columns that are taken: x, y, z, and what else was asked for."""

    axes: tuple[Column, ...] = ()
    """By default those whose names say so."""
    extra: tuple[Column, ...] = ()
    label: Column | None = None
    """The class of each point, which comes last; `BY_NAME`, or none at all."""
    vertices: bool = False
    """Of a `.ply` mesh its vertices and not points on its surface: classes are of vertices."""

    @property
    def further(self) -> int:
        """Columns behind x, y and z."""
        return len(self.extra) + (self.label is not None)

    def among(self, names: Sequence[str]) -> list[int]:
        """Places of x, y, z and of the further columns.

        Raises:
            Malformed: no three of the names are axes, or one that was asked for is not there.
        """
        axes = [place(column, names) for column in self.axes] or axes_of(names)
        if axes is None:
            raise Malformed(
                f"none of its columns are called x, y and z (have: {listed(names)}); choose them"
                " with `preprocess.columns: [a, b, c]`"
            )
        return [*axes, *(place(column, names) for column in self.extra), *self._label(names)]

    def _label(self, names: Sequence[str]) -> list[int]:
        if self.label is None:
            return []
        if self.label != BY_NAME:
            return [place(self.label, names)]
        squashed = [_squashed(name) for name in names]
        found = [squashed.index(word) for word in _CLASSES if word in squashed]
        if not found:
            raise Malformed(
                f"none of its columns is called `label` or `class` (have: {listed(names)}); choose"
                " the classes of the points with `data.label`"
            )
        return found[:1]

    def apart(self, arrays: Sequence[str]) -> str | None:
        """Of several arrays the one that holds the classes, if any does."""
        if self.label is None or len(arrays) < 2:
            return None
        if self.label != BY_NAME:
            return str(self.label) if self.label in arrays else None
        return next((name for name in arrays if _squashed(name) in _CLASSES), None)

    def numbered(self, usable: Sequence[int], count: int) -> list[int]:
        """The same where columns have no names: the first three that hold numbers are x, y, z."""
        label = [] if self.label is None else [count - 1 if self.label == BY_NAME else self.label]
        further = (*self.extra, *label)
        named = [column for column in (*self.axes, *further) if isinstance(column, str)]
        if named:
            raise Malformed(
                f"its {count} columns have no names, so that there is no `{named[0]}`; choose by"
                " number, the first is 0"
            )
        axes = list(self.axes) or list(usable[:3])
        if len(axes) < 3:
            raise Malformed(f"it has {len(axes)} columns of numbers, and x, y and z are three")
        if self.label == BY_NAME and count - 1 in axes:
            raise Malformed(
                f"it has {count} columns, and the classes of its points would be one more"
            )
        for column in (*axes, *further):
            if not 0 <= int(column) < count:
                raise Malformed(f"it has no column {column}, its {count} are 0 to {count - 1}")
        return [int(column) for column in (*axes, *further)]


def place(column: Column, names: Sequence[str]) -> int:
    """Where a column is, by its number, its name, or another name for the same."""
    if isinstance(column, int):
        if not 0 <= column < len(names):
            raise Malformed(f"it has no column {column} (have: {listed(names)})")
        return column
    exact = [i for i, name in enumerate(names) if name.strip() == column.strip()]
    known = next((words for words in _SAME if _squashed(column) in words), (_squashed(column),))
    found = exact or [i for i, name in enumerate(names) if _squashed(name) in known]
    if not found:
        raise Malformed(f"it has no column `{column}` (have: {listed(names)})")
    return found[0]


def axes_of(names: Iterable[str]) -> list[int] | None:
    """Places of x, y and z, or `None`: `X`, `PositionX`, `x [m]`, `Points:0`, `easting`, ...

    >>> axes_of(["id", "pos_x", "pos_y", "pos_z", "NormalX"])
    [1, 2, 3]
    >>> axes_of(["a", "b", "c"])
    """
    squashed = [_squashed(name) for name in names]
    groups: dict[tuple[str, ...], dict[int, list[int]]] = {}
    for index, name in enumerate(squashed):
        for kind, pattern in (("letter", _LETTER), ("number", _NUMBER)):
            if match := pattern.fullmatch(name):
                stem, axis, tail = match.groups()
                if kind == "number" and not stem:
                    continue
                group = groups.setdefault((kind, stem, tail), {})
                group.setdefault("xyz012".index(axis) % 3, []).append(index)
    whole = [group for group in groups.values() if _is_whole(group)]
    plain = groups.get(("letter", "", ""), {})
    words = _worded(squashed)
    found = next((group for group in (plain, *whole, words) if _is_whole(group)), None)
    return [found[axis][0] for axis in range(3)] if found else None


def listed(names: Sequence[str]) -> str:
    """Some names for a message."""
    shown = ", ".join(f"`{name.strip()[:40]}`" for name in names[:12])
    return (shown + (", ..." if len(names) > 12 else "")) or "none"


def _is_whole(group: dict[int, list[int]]) -> bool:
    """Each axis once: of two that are called x nobody knows which is meant."""
    return all(len(group.get(axis, ())) == 1 for axis in range(3))


def _worded(squashed: Sequence[str]) -> dict[int, list[int]]:
    group: dict[int, list[int]] = {}
    for index, name in enumerate(squashed):
        for word in (name, re.sub(rf"(?<=\w\w\w){_UNIT}$", "", name)):
            if word in _WORDS:
                group.setdefault(_WORDS[word], []).append(index)
                break
    return group


def _squashed(name: str) -> str:
    """In small letters, without units in brackets, signs and blanks; `P[x]` keeps its axis."""
    text = name.strip().strip("\"'").lower().lstrip("/#% ").replace("ö", "o")
    text = re.sub(r"[\[(]([xyz012])[\])]", r"\1", text)
    return re.sub(r"[^a-z0-9]", "", re.sub(r"[\[(].*?[\])]", "", text))
