"""The lock of a folder that several machines share: a file whose holder touches it.

A lock of the system may count for one machine alone there. Who creates the file holds it; who
finds one that nobody has touched for a minute takes it over.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from onlay.machine.system import alive, mounts, started

LEASE = ".lease"
_BEAT = 10.0
"""Seconds between two touches."""
_STALE = 60.0
"""Seconds without a touch after which a holder is gone."""
_SETTLE = 1.0
"""Seconds in which another one that takes the same lease over is seen."""
_NETWORKS = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"),
        *("orangefs", "panfs", "pvfs2", "smb3", "smbfs", "virtiofs", "wekafs"),
    }
)


class Lease:
    """The file of a folder, and whether this process holds it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEASE
        self.own = uuid4().hex
        self._ended = threading.Event()

    def take(self, locked: bool) -> bool:
        """Hold it, unless somebody else does; `locked`: no process of this machine does."""
        fresh = self._create()
        if not fresh and not self.held(locked):
            self._remove(self.holder())
            fresh = self._create()
            time.sleep(_SETTLE)
        if not (fresh and self.holder().get("own") == self.own):
            return False
        threading.Thread(target=self._touch, name="lease", daemon=True).start()
        return True

    def release(self) -> None:
        """Let go of it."""
        self._ended.set()
        if self.holder().get("own") == self.own:
            self.path.unlink(missing_ok=True)

    def held(self, locked: bool) -> bool:
        """Whether somebody holds it, on this machine or another one."""
        try:
            touched = self.path.stat().st_mtime
        except OSError:
            return False
        holder = self.holder()
        if holder.get("boot") == boot() and (locked or not alive(int(holder.get("pid", 0)))):
            return False
        return self._now() - touched < _STALE

    def holder(self) -> dict[str, Any]:
        """What the holder wrote; nothing where there is none, or it was interrupted."""
        with suppress(OSError, ValueError):
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        return {}

    def _create(self) -> bool:
        facts = {"own": self.own, "host": socket.gethostname(), "pid": os.getpid(), "boot": boot()}
        facts["since"] = time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")
        return True

    def _remove(self, gone: Mapping[str, Any]) -> None:
        """Take away the lease of one who is gone, and no other that came to lie there meanwhile."""
        aside = self.path.with_name(f"{LEASE}.{self.own}")
        with suppress(OSError):
            os.rename(self.path, aside)
            if json.loads(aside.read_text(encoding="utf-8") or "{}") != gone:
                os.link(aside, self.path)
        aside.unlink(missing_ok=True)

    def _touch(self) -> None:
        while not self._ended.wait(_BEAT):
            with suppress(OSError):
                if (now := self.holder().get("own")) == self.own:
                    os.utime(self.path)
                elif now is not None and not self._ended.is_set():
                    self._lost()

    def _lost(self) -> None:
        """This process stood still for a minute, and another one goes on in its place: it ends
        before it writes anything more into the folder."""
        told = f"`{self.path.parent}` was taken over by another start: this one ends\n"
        with suppress(OSError):
            os.write(2, told.encode())
        os._exit(75)  # EX_TEMPFAIL

    def _now(self) -> float:
        """By the clock of the file system, which is not this machine's."""
        probe = self.path.with_name(f"{LEASE}.{uuid4().hex}")
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:  # a folder that one may only read
            return time.time()
        finally:
            with suppress(OSError):
                probe.unlink()


def shared(folder: Path) -> bool:
    """Whether a folder lies on a file system of several machines, as far as this one knows."""
    kind = _kind(str(folder.resolve()), mounts())
    return kind in _NETWORKS or kind.startswith("fuse.")


def _kind(folder: str, told: str) -> str:
    """Of the innermost mount that holds the folder: `ext4`, `nfs4`."""
    found = {}
    for line in told.splitlines():
        mount, _, kinds = line.partition(" - ")
        place = mount.split()[4].replace("\\040", " ")
        if f"{folder}/".startswith(f"{place.rstrip('/')}/"):
            found[place] = kinds.split()[0]
    return found[max(found, key=len)] if found else ""


@lru_cache
def boot() -> str:
    """Which start of which machine this is."""
    return started() or f"{socket.gethostname()} {psutil.boot_time():.0f}"
