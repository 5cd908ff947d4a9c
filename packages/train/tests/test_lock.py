"""One run folder has one writer; a killed one leaves nothing that blocks."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from onlay.errors import RunError
from onlay.machine.system import CAN_FORK, forked
from onlay_train.lock import HOLDER, only_writer


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[int]:
    """Another process, by its number, that holds the folder `run` until it is killed."""
    if not CAN_FORK:
        pytest.skip("processes are forked, on Linux only")
    hears, tells = os.pipe()
    child = forked(partial(hold, tmp_path / "run", tells))
    assert os.read(hears, 4) == b"held"
    yield child
    kill(child)


def hold(folder: Path, tells: int) -> None:
    with only_writer(folder):
        os.write(tells, b"held")
        signal.pause()


def kill(child: int) -> None:
    with suppress(ProcessLookupError):  # it has been
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_second_start_says_who_holds_it_and_a_killed_one_never_blocks(
    holder: int, tmp_path: Path
) -> None:
    message = rf"is being written by another start of this run \(process {holder} on .+, since"
    with pytest.raises(RunError, match=message), only_writer(tmp_path / "run"):
        pass
    kill(holder)
    with only_writer(tmp_path / "run"):
        told = json.loads((tmp_path / "run" / ".lock.json").read_text())
        assert told["pid"] == os.getpid()


def test_other_processes_of_a_distributed_run_share_it(
    holder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with only_writer(tmp_path / "run"):
        assert os.waitpid(holder, os.WNOHANG) == (0, 0)


def test_a_folder_in_which_nothing_came_to_lie_is_gone_afterwards(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_writer(tmp_path / "runs" / "a"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with only_writer(tmp_path / "runs" / "a"):
        (tmp_path / "runs" / "a" / "config.yaml").write_text("")
    assert [p.name for p in (tmp_path / "runs" / "a").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("file/run", "a part of its path is a file, not a folder|a file is in the way"),
        ("file", "a part of its path is a file, not a folder|a file is in the way"),
        ("n" * 300, "its name is too long"),
        ("nul\0byte", "its name holds a NUL character"),
    ],
)
def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, out: str, reason: str
) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunError, match=f"cannot be written: ({reason})"),
        only_writer(tmp_path / out),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(RunError, match="it is not permitted"), only_writer(tmp_path / "run"):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_the_place_of_the_holders_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / HOLDER)
    with only_writer(tmp_path):
        assert json.loads((tmp_path / HOLDER).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []
