"""One run folder has one writer."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from onlay.errors import RunError
from onlay.machine.disk import writing
from onlay.machine.processes import rank
from onlay.machine.system import alive, open_plain
from onlay_train.lease import Lease, shared


class Held(RunError):
    """Another start of the run is writing its folder."""


LOCK, HOLDER = ".lock", ".lock.json"
_LINGERING = 15.0
"""Seconds for which the loaders of a process that was killed can outlive it, and its lock."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Inside, no other start of the run writes into the folder, which is made where it is missing;
    a folder in which nothing came to lie is gone afterwards.

    The system takes the lock from a process that ends, however it ends; on file systems of several
    machines there is a lease beside it. Of several processes of one run the first one holds it.

    Raises:
        RunError: another start holds it (says which), or the folder cannot be written.
    """
    if rank():
        yield
        return
    made = _made(folder)
    lock = FileLock(folder / LOCK)
    with writing(folder):
        _acquire(lock, folder)
        lease = _leased(lock, folder)
        _write(folder / HOLDER)
    try:
        yield
    finally:
        _release(lock, folder)
        if lease is not None:
            lease.release()
        for path in made:
            with suppress(OSError):  # it holds something
                path.rmdir()


def _made(folder: Path) -> list[Path]:
    """Make the folder; gives what was missing, the innermost first."""
    with writing(folder):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    return missing


def _acquire(lock: FileLock, folder: Path) -> None:
    holder = _holder(folder)
    gone = holder.get("host") == socket.gethostname() and not alive(int(holder.get("pid", 0)))
    try:
        lock.acquire(timeout=_LINGERING if gone else 0)
        if not (folder / LOCK).exists():  # its holder let go and took the name away just now
            lock.release()
            lock.acquire(timeout=0)
    except NotImplementedError:  # a file system without locks
        return
    except Timeout:
        raise _is_held(folder, _holder(folder)) from None


def _leased(lock: FileLock, folder: Path) -> Lease | None:
    """What keeps out other machines, where they could be at the folder."""
    if not shared(folder):
        return None
    lease = Lease(folder)
    if not lease.take(lock.is_locked):
        lock.release()
        raise _is_held(folder, lease.holder())
    return lease


def _is_held(folder: Path, holder: dict[str, Any]) -> Held:
    return Held(
        f"`{folder}` is being written by another start of this run{_told(holder)}:"
        " wait for its end or stop it, or choose another folder with `out=...`"
    )


def held(folder: Path) -> bool:
    """Whether a start writes into a folder, on this machine or another one."""
    if (folder / LOCK).exists():
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            return True
        lock.release()
    return Lease(folder).held(locked=True)


def _write(path: Path) -> None:
    facts = {"pid": os.getpid(), "host": socket.gethostname()}
    facts["since"] = time.strftime("%Y-%m-%d %H:%M:%S")
    path.unlink(missing_ok=True)  # a pipe there would wait for a reader
    path.write_text(json.dumps(facts) + "\n", encoding="utf-8")


def _holder(folder: Path) -> dict[str, Any]:
    """What the holder wrote, if it did: text by key, and its number."""
    try:
        with open_plain(folder / HOLDER) as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    known = isinstance(found, dict) and isinstance(found.get("pid"), int)
    return found if known else {}


def _told(holder: dict[str, Any]) -> str:
    if not holder:
        return ""
    return f" (process {holder['pid']} on {holder.get('host')}, since {holder.get('since')})"


def _release(lock: FileLock, folder: Path) -> None:
    with suppress(OSError):
        (folder / HOLDER).unlink()
    if not lock.is_locked:
        return
    try:
        (folder / LOCK).unlink()
    except OSError:  # Windows keeps the name of an open file
        lock.release()
        with suppress(OSError):
            (folder / LOCK).unlink()
    lock.release()
