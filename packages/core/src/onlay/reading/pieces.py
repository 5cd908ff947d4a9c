"""Data in pieces, `train-000.tar`, `train-001.tar` and so on: which files, and of which part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, product
from pathlib import Path
from typing import Any

from onlay.errors import DataError
from onlay.reading.finding import find
from onlay.reading.layouts import PARTS_HINT, WHOLE
from onlay.reading.listing import some
from onlay.reading.part_names import assigned, told

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_END = re.compile(r"(?P<number>\d+)(-of-(?P<count>\d+)(-[0-9a-f]+)?)?$")
_NUMBER = re.compile(r"[-_.]?\d+(-of-\d+(-[0-9a-f]+)?)?$")

_ARROW = (
    ", and its `.arrow` files, as `save_to_disk` of `datasets` writes them, are not read: write"
    ' each part of it once more, `load_from_disk(FOLDER).to_parquet("train.parquet")`'
)
"""Of a folder that has these instead of tables."""


def pieces(given: Path, suffix: str) -> list[tuple[str, Path]]:
    """Files with the name of the group that each belongs to (`train`), in order.

    `given` is a file, a folder, or a pattern with braces: `train-{000..099}.tar`, `{a,b}.tar`.

    Raises:
        DataError: there is none, or one that the pattern names is missing.
    """
    if _BRACES.search(str(given)):
        named = [Path(path) for path in _expanded(str(given))]
        for path in named:
            if not path.is_file():
                raise DataError(f"the shard `{path}` is missing, which `{given}` names")
        return [(_group(path.name, ""), path) for path in named]
    if given.is_dir():
        found = find(given, {suffix})
        if not found.files:
            arrow = suffix == ".parquet" and ".arrow" in found.left_out
            raise DataError(f"the folder `{given}` has no `{suffix}` files{_ARROW * arrow}")
        below = [path.relative_to(given) for path in found.files]
        return [(_group(p.name, p.parent.as_posix()), given / p) for p in below]
    if not given.exists():
        raise DataError(f"there is no file or folder `{given}`")
    return [(_group(given.name, ""), given)]


def _expanded(text: str) -> Iterator[str]:
    """As a shell does it; numbers keep their zeros."""
    steps = _BRACES.split(text)
    choices = [_choices(step) if n % 2 else [step] for n, step in enumerate(steps)]
    return ("".join(chosen) for chosen in product(*choices))


def _choices(inner: str) -> list[str]:
    if found := _RANGE.fullmatch(inner):
        first, last = found.groups()
        return [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
    return inner.split(",")


def _group(name: str, folder: str) -> str:
    """What the files of one part have in common: the folder they lie in, where that is a part's
    name, else their own name without a number."""
    last = folder.rpartition("/")[2]
    return last if assigned([last]) else _NUMBER.sub("", name.partition(".")[0])


def by_part(found: Sequence[tuple[str, Path]], parts: Any, where: Path) -> dict[str, list[Path]]:
    """The files of `train`, `val` and `test`, or all under `whole`; `parts` is `data.parts`.

    Raises:
        DataError: groups beside parts that are none; a group that is not there.
    """
    groups: dict[str, list[Path]] = {}
    for group, path in found:
        groups.setdefault(group, []).append(path)
    names = _named(parts, groups, where) if isinstance(parts, Mapping) else assigned(groups)
    own = [group for group in groups if names.get(group, "aside") != "aside"]
    if parts == "none" or not own:
        return {WHOLE: [path for _, path in found]}
    if parts == "auto" and (others := [group for group in groups if group not in names]):
        raise DataError(
            f"`{where}` has files called {some(others)} beside {some(own)}: {PARTS_HINT}, or"
            " `data.parts=none`"
        )
    divided: dict[str, list[Path]] = {}
    for group in own:
        divided.setdefault(names[group], []).extend(groups[group])
    return divided


def _named(parts: Mapping[str, Any], groups: Mapping[str, Any], where: Path) -> dict[str, str]:
    names = told(parts)
    if absent := sorted(set(names) - set(groups)):
        raise DataError(
            f"`data.parts` names {some(absent)}, and `{where}` has {some(list(groups))}"
        )
    return names


def gaps(found: Sequence[tuple[str, Path]]) -> tuple[str, ...]:
    """Numbers of a group that are left out, in words: between its first and last, or of as many as
    its names tell (`-of-00004`)."""
    lacking = []
    for group, own in groupby(found, key=lambda one: one[0]):
        paths = [path for _, path in own]
        ends = [end for path in paths if (end := _END.search(path.name.partition(".")[0]))]
        numbers = {int(end["number"]) for end in ends}
        if len(numbers) < len(paths):
            continue  # without numbers, or in several folders
        counts = {int(end["count"]) for end in ends if end["count"]}
        expected = range(min(numbers), max(numbers)) if len(counts) != 1 else range(counts.pop())
        if lost := sorted(set(expected) - numbers):
            lacking.append(
                f"warning: number {lost[0]} of `{group}` is not there, beside `{paths[0].name}`"
                f" ({len(lost):,} missing)"
            )
    return tuple(lacking)
