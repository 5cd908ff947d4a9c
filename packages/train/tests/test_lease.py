"""Folders that several machines share: who holds one tells the others by touching a file."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from onlay.errors import RunError
from onlay_train import lease, lock
from onlay_train.grid.state import CellFolder
from onlay_train.lease import Lease, boot

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /home rw,relatime shared:20 - nfs4 store:/home rw,vers=4.2,local_lock=none
41 40 0:51 / /home/ann/local rw - xfs /dev/sdb rw
42 22 0:52 / /mnt/my\\040drive rw - fuse.sshfs ann@there: rw
"""


@pytest.fixture(autouse=True)
def on_a_shared_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "shared", lambda folder: True)
    monkeypatch.setattr(lease, "_SETTLE", 0.0)


def test_the_innermost_mount_tells_whether_other_machines_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "mounts", lambda: MOUNTS)
    seen = ("/home/ann/runs", "/home/ann/local/runs", "/homes", "/mnt/my drive/a", "/")
    assert [lease.shared(Path(each)) for each in seen] == [True, False, False, True, False]
    monkeypatch.setattr(lease, "mounts", lambda: "")  # no Linux
    assert not lease.shared(Path("/home"))


def elsewhere(folder: Path, age: float, started: str = "another start") -> Lease:
    """A lease that another machine took, and last touched so many seconds ago."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"own": "x", "host": "n7", "pid": os.getpid(), "boot": started, "since": "noon"}
    own = Lease(folder)
    own.path.write_text(json.dumps(told))
    os.utime(own.path, (time.time() - age,) * 2)
    return own


def test_what_another_machine_writes_is_left_to_it_as_long_as_it_lives(tmp_path: Path) -> None:
    cell = CellFolder(tmp_path, "0" * 12)
    elsewhere(cell.path, age=30)
    assert cell.state == "running"
    said = rf"written by another start of this run \(process {os.getpid()} on n7, since noon\)"
    with pytest.raises(RunError, match=said), lock.only_writer(cell.path):
        pass
    elsewhere(cell.path, age=90)
    assert cell.state == "waiting"
    with lock.only_writer(cell.path):
        assert Lease(cell.path).holder()["pid"] == os.getpid()
        assert cell.state == "running"
    assert list(cell.path.iterdir()) == []


def test_a_process_of_this_machine_that_is_gone_leaves_nothing_that_blocks(tmp_path: Path) -> None:
    """Its lock of the system is free, however fresh its lease is."""
    left = elsewhere(tmp_path, age=0, started=boot())
    assert left.held(locked=False)  # where there are no locks, its process counts
    with lock.only_writer(tmp_path):
        pass
    left.path.write_text("")  # killed while it wrote
    assert left.held(locked=True)
    os.utime(left.path, (0, 0))
    with lock.only_writer(tmp_path):
        pass


def test_a_lease_is_touched_until_it_is_released_and_never_taken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_BEAT", 0.01)
    first = Lease(tmp_path)
    assert first.take(locked=True)
    monkeypatch.setattr(lease, "boot", lambda: "another start")
    assert not Lease(tmp_path).take(locked=True)
    os.utime(first.path, (0, 0))
    end = time.monotonic() + 30
    while first.path.stat().st_mtime == 0:
        assert time.monotonic() < end
        time.sleep(0.01)
    first._remove({"own": "somebody else, who was judged before"})
    assert first.holder()["own"] == first.own
    first.release()
    assert list(tmp_path.iterdir()) == []
