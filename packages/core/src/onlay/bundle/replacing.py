"""A folder takes another's place: whenever the process ends, one of the two can be found.

The new folder is written beside, the old one is renamed, the new one takes its name, the old one
goes. No system renames over a folder that holds something, so there is a moment without one under
the name; then what lies beside is complete, and `leftover` finds it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from onlay.machine.disk import writing
from onlay.machine.system import alive, flush_folder

_OLD = 3600.0
"""Seconds after which what another process left is its leftover, where it cannot be asked after."""


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` hold exactly `files`; a reader sees the old ones or the new ones, never a
    mixture.

    Raises:
        RunError: it cannot be written; the old one is as it was.
    """
    fresh, stale = _beside(folder, "new"), _beside(folder, "old")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            fresh.mkdir()
            for name, content in files.items():
                _write(fresh / name, content)
            flush_folder(fresh)
            _swap(fresh, folder, stale)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        flush_folder(folder.parent)
        for path in _leftovers(folder):
            shutil.rmtree(path, ignore_errors=True)


def leftover(folder: Path) -> Path | None:
    """Where `folder` should be and a kill came between the two renames: the new one, else the
    old."""
    if folder.exists() or not folder.parent.is_dir():
        return None
    for stale in sorted(folder.parent.glob(f".{_plain(folder.name)}.old-*")):
        fresh = stale.with_name(stale.name.replace(".old-", ".new-"))
        return fresh if fresh.is_dir() else stale
    return None


def _beside(folder: Path, word: str) -> Path:
    return folder.parent / f".{folder.name}.{word}-{os.getpid()}"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _swap(fresh: Path, folder: Path, stale: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    shutil.rmtree(stale, ignore_errors=True)
    folder.rename(stale)
    try:
        fresh.rename(folder)
    except OSError:
        stale.rename(folder)
        raise
    shutil.rmtree(stale, ignore_errors=True)


def _leftovers(folder: Path) -> Iterator[Path]:
    """What processes left that were killed."""
    for path in list(folder.parent.glob(f".{_plain(folder.name)}.*-*")):
        word, _, pid = path.name.removeprefix(f".{folder.name}.").partition("-")
        if word not in ("new", "old") or not pid.isdigit():
            continue
        if not alive(int(pid)) or time.time() - path.stat().st_mtime > _OLD:
            yield path


def _plain(name: str) -> str:
    """A name without meaning to `glob`."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
