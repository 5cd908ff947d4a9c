"""Signals and a disk that is full, met by a real process outside any training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="this system sends no signals to others")


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """A job of a shell ignores Ctrl-C, and so would what it starts."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def command(*words: str, **how: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "onlay", *words]
    return subprocess.run(line, stderr=subprocess.PIPE, text=True, timeout=120, **how)


@posix
@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("SIGTERM", 143, "stopped by SIGTERM; to go on or to start again: onlay --plugin"),
        ("SIGINT", 130, "interrupted"),
    ],
)
@pytest.mark.parametrize("held_up", ["", "BaseException"])
def test_a_signal_while_things_are_imported_ends_with_a_word(
    tmp_path: Path, name: str, status: int, word: str, held_up: str
) -> None:
    plugin = tmp_path / "slow.py"
    lines = ["import os, signal", "try:", f"    os.kill(os.getpid(), signal.{name})"]
    lines += [f"except {held_up or 'KeyError'}:", "    pass"]
    plugin.write_text("\n".join(lines) + "\n")
    done = command("--plugin", str(plugin), "plugins", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(word)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_an_answer_to_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = command("plugins", stdout=full)
    assert done.returncode == 2
    assert done.stderr == "Error: the output cannot be written: the disk is full\n"
