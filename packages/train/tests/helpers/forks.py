"""`onlay` in processes of their own that have all imports behind them: copies of this one."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import pytest
import torch

from onlay.machine.system import CAN_FORK, forked

# autograd looks for devices once, at its first pass: behind `torch.export` it would find one, start
# threads for it, and refuse every pass in a copy of the process
torch.ones(1, requires_grad=True).sum().backward()

PATIENCE = 240
"""Seconds after which a process that does not end is ended."""

LEFT_BEHIND = 134
"""The status of a process that left threads of gloo behind, with which its end may abort."""


@dataclass(frozen=True)
class Ended:
    """As `subprocess.run` tells it; of several processes the first status that is not 0, and
    each one's."""

    returncode: int
    stdout: str
    stderr: str
    returncodes: tuple[int, ...]


def at_once(words: Sequence[str], *worlds: Mapping[str, str]) -> Ended:
    """`onlay WORDS...` in one process for each world, which is what it adds to the environment."""
    if not CAN_FORK:
        pytest.skip("processes are forked, on Linux only")
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "out"), Path(folder, "err")
        children = [forked(partial(_onlay, words, world, said)) for world in worlds]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        texts = [file.read_text(encoding="utf-8") for file in said]
    assert LEFT_BEHIND not in codes, texts[1]
    return Ended(next(filter(None, codes), 0), *texts, tuple(codes))


def side_by_side(*words: str, **variables: str) -> Ended:
    """`onlay` in two processes that no launcher watches, so that each must end by itself."""
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = ({"RANK": rank, "LOCAL_RANK": rank} for rank in "01")
    return at_once(words, *(world | rank | variables for rank in ranks))


def status_of(work: Callable[[], int]) -> int:
    """With which a copy of this process ends: what `work` gives."""
    if not CAN_FORK:
        pytest.skip("processes are forked, on Linux only")
    child = forked(lambda: os._exit(work()))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _onlay(words: Sequence[str], world: Mapping[str, str], said: Sequence[Path]) -> None:
    from onlay.cli import main

    _as_if_new(words, world, said)
    status = 0
    try:
        main(list(words), prog_name="onlay")
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    if any("gloo" in name for name in _threads()):
        print(
            "threads of gloo are left behind, which may abort an interpreter's end", file=sys.stderr
        )
        status = LEFT_BEHIND
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _threads() -> list[str]:
    return [name.read_text() for name in Path("/proc/self/task").glob("*/comm")]


def _as_if_new(words: Sequence[str], world: Mapping[str, str], said: Sequence[Path]) -> None:
    """No world of processes, no handlers and no output of the tests' own."""
    from accelerate.state import AcceleratorState, GradientState

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(PATIENCE)
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    sys.argv = ["onlay", *words]
    os.environ |= world
    for number, file in enumerate(said, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    sys.stdout, sys.stderr = (_text(number) for number in (1, 2))


def _text(number: int) -> TextIO:
    return os.fdopen(number, "w", encoding="utf-8", closefd=False)
