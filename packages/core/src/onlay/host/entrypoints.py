"""The entry points of all that is installed, though somebody's metadata may be damaged."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from onlay.errors import PluginError
from onlay.machine.guard import guarded, in_words, shown

GROUP = "onlay"
CORE = "onlay"
POINTS = "entry_points.txt"


@dataclass(frozen=True)
class Damaged:
    """A distribution that means to be a plugin and whose entry points cannot be read."""

    distribution: str
    version: str
    reason: str


def entry_points() -> Iterable[metadata.EntryPoint | Damaged]:
    """Those of our group, in no order."""
    found: list[metadata.EntryPoint | Damaged] = []
    with guarded(lambda error: found.extend(_one_by_one())):
        found += metadata.entry_points(group=GROUP)  # stops at the first that is damaged
    return found


def name_and_version(dist: metadata.Distribution) -> tuple[str, str]:
    """Of a distribution, to be shown.

    Raises:
        PluginError: its metadata is absent, unreadable or without a name.
    """
    problem = "has no `Name`"
    try:
        said = dist.metadata  # parsed anew whenever it is asked for
        name, version = said["Name"], said["Version"]
    except Exception as error:
        name, version, problem = None, None, f"cannot be read: {in_words(error)}"
    if not isinstance(name, str) or not name.strip():
        raise PluginError(f"its METADATA is missing or {problem}")
    return shown(name), shown(str(version or ""))


@cache
def core_version() -> str:
    """The version of `onlay` itself, whatever another finder does."""
    found: list[str] = []
    with guarded(lambda error: None):
        found.append(metadata.version(CORE))
    return found[0] if found else next(v for n, v in map(_called, _distributions()) if n == CORE)


def folder_of(dist: metadata.Distribution) -> str:
    """What a distribution without a name is called: its folder."""
    return shown(str(getattr(getattr(dist, "_path", None), "name", "") or "nameless"))


def load(point: metadata.EntryPoint) -> Any:
    """The module that an entry point names."""
    if not re.fullmatch(point.pattern, point.value):
        raise PluginError(f"its entry point `{shown(point.value)}` is no import path")
    return point.load()


def _one_by_one() -> Iterator[metadata.EntryPoint | Damaged]:
    seen: set[str] = set()
    for dist in _distributions():
        name, version = _called(dist)
        text = _text(dist)
        if name not in seen and re.search(rf"\[\s*{GROUP}\b", text):  # the first one is imported
            yield from _points(dist, name, version)
        seen.add(name)


def _points(
    dist: metadata.Distribution, name: str, version: str
) -> list[metadata.EntryPoint | Damaged]:
    failures: list[BaseException] = []
    found: list[metadata.EntryPoint | Damaged] = []
    with guarded(failures.append):
        found += [point for point in dist.entry_points if point.group == GROUP]
    if failures:
        return [Damaged(name, version, f"its {POINTS} cannot be read: {in_words(failures[0])}")]
    return found


def _distributions() -> Iterator[metadata.Distribution]:
    """From every finder; one that fails ends its own list only."""
    context = metadata.DistributionFinder.Context()
    for finder in sys.meta_path:
        find = getattr(finder, "find_distributions", None)
        found: list[metadata.Distribution] = []
        with guarded(lambda error: None):
            for dist in find(context) if find else ():
                found.append(dist)
        yield from found


def _called(dist: metadata.Distribution) -> tuple[str, str]:
    called = [(folder_of(dist), "")]
    with guarded(lambda error: None):
        called.append(name_and_version(dist))
    return called[-1]


def _text(dist: metadata.Distribution) -> str:
    """What can be read of the file with the entry points."""
    try:
        return dist.read_text(POINTS) or ""
    except UnicodeDecodeError as error:
        return error.object.decode("utf-8", "replace").replace("\0", "")
    except Exception:
        return ""
