"""Where a benchmark's data set lies: below the root, in a folder that people call it by.

For `Protocol.grid` and `Protocol.missing`; imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Benchmark:
    """The folders of a benchmark's data sets."""

    homes: Sequence[str]
    """Folders below the root that hold them all; the root itself may, too. Case, `-` and `_` make
    no difference, here and in `names`."""
    names: Mapping[str, Sequence[str]]
    """Label -> what the folder is called."""
    holds: Callable[[Path], bool]
    """Whether a folder is one of its data sets."""
    expected: str
    """Which files one has, in words."""

    def found(self, root: Path) -> dict[str, Path]:
        """Label -> folder, of those that are there."""
        folders = {_plain(path.name): path for path in self._folders(root)}
        found = {
            label: next((folders[n] for n in map(_plain, names) if n in folders), None)
            for label, names in self.names.items()
        }
        return {label: path for label, path in found.items() if path is not None}

    def paths(self, root: Path) -> dict[str, Path]:
        """Label -> folder; of those that are not there, where they are looked for first."""
        found, home = self.found(root), root / self.homes[0]
        return {label: found.get(label, home / own[0]) for label, own in self.names.items()}

    def missing(self, root: Path) -> dict[str, str]:
        """Label -> where was looked, and for what, of the others."""
        there = self.found(root)
        homes = " or ".join(f"`{root / home}`" for home in (*self.homes[:1], ""))
        return {
            label: f"no folder `{names[0]}` in {homes} holds {self.expected}"
            for label, names in self.names.items()
            if label not in there
        }

    def _folders(self, root: Path) -> Iterator[Path]:
        """All candidates; of two of one name, that in a home wins."""
        inside = _within(root)
        homes = [path for path in inside if _plain(path.name) in map(_plain, self.homes)]
        for path in (*inside, *(each for home in homes for each in _within(home))):
            if self.holds(path):
                yield path


def _within(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _plain(name: str) -> str:
    """
    >>> _plain("CUB_200-2011")
    'cub2002011'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())
