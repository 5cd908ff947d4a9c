"""Which files below a folder count: one answer for training and prediction, for every modality."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from onlay.errors import DataError

_NOT_OURS = frozenset(
    {
        *("__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
        *("$recycle.bin", "#recycle", "@recycle", "system volume information", "lost+found"),
        "__pycache__",
    }
)
"""What systems and programs leave in folders, in lower case, beside names that begin with a dot."""

_SPECIAL = "\0"
"""Stands for what is no plain file: a pipe, a socket, a device."""

_KINDS = 6


@dataclass(frozen=True)
class Found:
    """The files that count, sorted, and how many of each other suffix there are."""

    files: tuple[Path, ...]
    left_out: Counter[str]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said: `left out: 8 .heic, 3 without a suffix`."""
        return (f"left out: {_listed(self.left_out)}",) if self.left_out else ()


def hidden(name: str) -> bool:
    """Is this a name that no user gave: `.ipynb_checkpoints`, `._a.jpg`, `__MACOSX`?"""
    return name.startswith(".") or name.casefold() in _NOT_OURS


def find(folder: Path, suffixes: Collection[str]) -> Found:
    """Files at any depth with one of the suffixes (lower case, with dot), without hidden ones.

    Folders that are links are followed; a directory never counts, whatever it is called.

    Raises:
        DataError: a folder that cannot be listed.
    """
    files, left_out = [], Counter[str]()
    for entry in _entries(folder):
        suffix = Path(entry.name).suffix.lower()
        if os.path.exists(entry.path) and not entry.is_file():
            left_out[_SPECIAL] += 1
        elif suffix in suffixes:
            files.append(Path(entry.path))
        else:
            left_out[suffix] += 1
    return Found(tuple(sorted(files)), left_out)


def folders_in(folder: Path) -> list[str]:
    """Names of the folders that lie directly in one, sorted, without hidden ones."""
    return sorted(e.name for e in _scanned(folder) if _is_dir(e) and not hidden(e.name))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All that is no directory; a link to a folder above it is not followed again."""
    pending = [(str(folder), frozenset[str]())]
    while pending:
        path, above = pending.pop()
        own = os.path.realpath(path)
        if own in above:
            continue
        for entry in _scanned(path):
            if hidden(entry.name):
                continue
            if _is_dir(entry):
                pending.append((entry.path, above | {own}))
            else:
                yield entry


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _scanned(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"the folder `{folder}` cannot be listed: {error.strerror}") from error


def _listed(left_out: Counter[str]) -> str:
    words = {"": "without a suffix", _SPECIAL: "that are no plain files"}
    ordered = sorted(left_out.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{count:,} {words.get(suffix, suffix)}" for suffix, count in ordered[:_KINDS]]
    rest = sum(count for _, count in ordered[_KINDS:])
    return ", ".join([*shown, f"{rest:,} others"] if rest else shown)
