"""Which plugins are there: entry points and files, each as a record that can be loaded inside a
guard."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from onlay.errors import ConfigError, PluginError, unknown
from onlay.host.entrypoints import (
    CORE,
    POINTS,
    Damaged,
    core_version,
    entry_points,
    folder_of,
    load,
    name_and_version,
)
from onlay.machine.guard import guarded, in_words, shown

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Status = Literal["ok", "broken", "incompatible", "off"]


@dataclass(eq=False)
class PluginRecord:
    """One plugin as it was found, and what became of it."""

    name: str
    """The entry point's name, which `ONLAY_PLUGINS` uses."""
    distribution: str
    version: str
    source: str
    """The module that the entry point names, or the file."""
    status: Status = "ok"
    reason: str = ""
    """Why the plugin is not used, in words; empty while it is."""
    error: BaseException | None = None
    brings: dict[str, list[str]] = field(default_factory=dict)
    """The names that it registered: kind -> names."""
    requires: Callable[[], Iterable[str]] = tuple
    """The distribution's requirements (`Requires-Dist`), read when they are asked for."""
    checked: bool = False

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()

    def fail(self, error: BaseException) -> None:
        """Take the plugin out of use; what it is not made for is no defect of its own."""
        self.check_core()
        if self.status == "ok":
            self.status, self.reason, self.error = "broken", in_words(error), error

    def check_core(self) -> None:
        """Take the plugin out of use if its own requirements exclude the installed core."""
        if self.status != "ok" or self.checked:
            return
        self.checked = True
        with guarded(self.fail):
            if refused := _refused_core(self.requires()):
                self.reason = f"it needs `{refused}` and `onlay {core_version()}` is installed"
                self.status = "incompatible"


@dataclass(frozen=True)
class Candidate:
    """A plugin that was found and not yet imported."""

    record: PluginRecord
    load: Callable[[], Any]


def installed(only: str | None) -> list[Candidate]:
    """Every installed plugin in the order of its name; those that `only` leaves out are `off`.

    `only` is an allow-list (`image,arc`) or all-but (`-smoa`), of entry-point or distribution
    names.
    Core itself is always on. A `ConfigError` where the two are mixed or an allowed name is not
    there.
    """
    candidates = [_candidate(point) for point in entry_points()]
    candidates.sort(key=lambda c: (c.record.name, c.record.source))
    _switch_off([c.record for c in candidates], only)
    return candidates


def from_file(path: Path) -> Candidate:
    """A plugin in a file of its own, importable under the file's name from then on."""
    path = path.absolute()  # whatever another plugin makes the current folder
    record = PluginRecord(shown(path.stem), shown(path.name), "", shown(str(path)))
    return Candidate(record, lambda: _import_file(path))


def _candidate(point: metadata.EntryPoint | Damaged) -> Candidate:
    if isinstance(point, Damaged):
        record = PluginRecord(point.distribution, point.distribution, point.version, POINTS)
        record.fail(PluginError(point.reason))
        return Candidate(record, tuple)
    record = PluginRecord(shown(point.name), "", "", shown(point.value))
    with guarded(record.fail):
        _describe(record, point)
    return Candidate(record, lambda: load(point))


def _describe(record: PluginRecord, point: metadata.EntryPoint) -> None:
    """Write the distribution into the record."""
    if (dist := point.dist) is None:
        record.distribution = record.source
        return
    record.distribution = folder_of(dist)
    record.distribution, record.version = name_and_version(dist)
    if record.distribution != CORE:
        record.requires = lambda: dist.requires or []
    if not record.name.strip():
        record.name = record.distribution
        raise PluginError("its entry point has no name")


def _refused_core(requires: Iterable[str]) -> str:
    """The requirement on core that the installed core does not meet, if there is one."""
    for text in requires:
        if re.match(rf"{CORE}\s*(?![\w.\-])", text, re.IGNORECASE):
            need = _requirement(text)
            applies = need.marker is None or need.marker.evaluate({"extra": ""})
            if applies and not need.specifier.contains(core_version(), prereleases=True):
                return str(need)
    return ""


def _requirement(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement as error:
        problem = shown(str(error).splitlines()[0])
        raise PluginError(f"`Requires-Dist: {shown(text)}` cannot be read: {problem}") from error


def _switch_off(records: list[PluginRecord], only: str | None) -> None:
    words = [word.strip() for word in (only or "").split(",") if word.strip()]
    if not words:
        return
    refused = {word[1:] for word in words if word.startswith("-")}
    if refused and len(refused) < len(words):
        raise ConfigError(
            f"`ONLAY_PLUGINS={only}` mixes names to load and names to leave out: use one of the two"
        )
    others = [record for record in records if record.distribution != CORE]
    for word in set(words) if not refused else ():
        if not any(word in _names(record) for record in others):
            raise unknown(
                "plugin", word, [r.name for r in others], "it is named in `ONLAY_PLUGINS`"
            )
    for record in others:
        if any(n in refused for n in _names(record)) if refused else not _named(record, words):
            record.status, record.reason = "off", f"left out by `ONLAY_PLUGINS={only}`"


def _names(record: PluginRecord) -> Iterator[str]:
    yield record.name
    yield record.distribution


def _named(record: PluginRecord, words: Iterable[str]) -> bool:
    return any(name in words for name in _names(record))


def _import_file(path: Path) -> Any:
    from importlib import import_module, invalidate_caches
    from importlib.util import find_spec

    if not path.is_file():
        raise ConfigError(f"there is no plugin file `{path}`")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: helpers beside it are found, nothing is shadowed
    invalidate_caches()
    found = find_spec(path.stem)
    if found is None or found.origin is None or Path(found.origin) != path.resolve():
        raise ConfigError(f"`{path.name}` has the name of another module: rename the file")
    return import_module(path.stem)
