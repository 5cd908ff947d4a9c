"""Files of labelled clouds as they lie: parts by folders or by names, or everything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.errors import DataError
from onlay.reading.finding import find, folders_in
from onlay.reading.layouts import PARTS_HINT, WHOLE, Layout
from onlay.reading.listing import Item, Tags, some
from onlay.reading.part_names import assigned
from onlay_pointcloud.data.suffixes import SUFFIXES

TARGETS = "point_classes"
"""What `onlay.data.Splits` calls targets that have a class for each point."""


def laid_out(root: Path, parts: Any) -> Layout:
    """Every cloud below a folder; `parts` is `data.parts`, whose names may be folders or files.

    Raises:
        DataError: no such folder, no clouds in it, or no such part.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder `{root}`")
    found = find(root, SUFFIXES)
    if not found.files:
        raise DataError(
            f"the folder `{root}` holds no clouds" + "".join(map("; {}".format, found.notes))
        )
    named = _named(root, parts, [file.relative_to(root) for file in found.files])
    groups: dict[str, list[Item]] = {}
    left = 0
    for file in found.files:
        part = _part(file.relative_to(root), named)
        if part is None:
            left += 1
        else:
            groups.setdefault(part, []).append(_item(file, root))
    notes = (*found.notes, *([f"left out: {left:,} clouds in no part of `{root}`"] if left else []))
    order = [part for part in ("train", "val", "test", WHOLE) if part in groups]
    return Layout({part: groups[part] for part in order}, notes, TARGETS)


def _item(file: Path, root: Path) -> Item:
    return Item(file, "", file.relative_to(root).as_posix(), Tags(frozenset()))


def _named(root: Path, parts: Any, files: list[Path]) -> Mapping[str, str]:
    """Folders or files that are parts, and which; none: everything is one."""
    if parts == "none":
        return {}
    if not isinstance(parts, Mapping):
        found = assigned(folders_in(root))
        named = {name: part for name, part in found.items() if part != "aside"}
        return named if "train" in named.values() else {}
    own = {p: [names] if isinstance(names, str) else names for p, names in parts.items()}
    have = {name for file in files for name in (file.parts[0], file.stem, file.name)}
    if missing := [name for names in own.values() for name in names if name not in have]:
        tops = some(sorted({file.parts[0] for file in files}))
        raise DataError(
            f"`data.parts` names `{missing[0]}`, which is neither a folder nor a cloud of `{root}`"
            f" (have: {tops}): {PARTS_HINT})"
        )
    return {name: part for part, names in own.items() for name in names}


def _part(file: Path, named: Mapping[str, str]) -> str | None:
    if not named:
        return WHOLE
    return next((named[n] for n in (file.parts[0], file.name, file.stem) if n in named), None)
