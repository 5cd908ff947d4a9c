"""A call as a job of a cluster: what is called lies in a file, and so does what it gave.

`python -m onlay_train.grid.executors.job FILE` makes the call.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onlay.descriptors import imported
from onlay.errors import OnlayError
from onlay.machine.disk import write_text
from onlay.machine.system import exit_code, terminate
from onlay_train.grid.executors.ending import Killed, by_signal


@dataclass(frozen=True)
class Call:
    """A function of a module, and plain data that it is called with."""

    function: str
    """`"package.module:name"`."""
    args: Sequence[Any]
    named: dict[str, Any]

    @classmethod
    def of(cls, function: Callable[..., Any], args: Sequence[Any], named: dict[str, Any]) -> Call:
        return cls(f"{function.__module__}:{function.__qualname__}", list(args), named)

    def write(self, path: Path) -> None:
        write_text(path, json.dumps(asdict(self)) + "\n")


class Job:
    """What submitit pickles and calls in a job; the answer is a file, and not what this returns.

    The call has a process of its own, so that its memory, its signals and its end are its own.
    """

    def __init__(self, file: Path, threads: int) -> None:
        self.file, self.threads, self.folder = file, threads, os.getcwd()
        self.child = 0

    @property
    def answer(self) -> Path:
        """Written when the call has ended for good."""
        return self.file.with_suffix(".told.json")

    def __call__(self) -> None:
        words = [sys.executable, "-m", __name__, str(self.file)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))
        process = subprocess.Popen(words, cwd=self.folder, env=os.environ | threads)
        self.child = process.pid
        signal.signal(signal.SIGTERM, lambda number, frame: self._stop())
        code = exit_code(process.pid)
        self.child = 0
        if code:
            write_text(_told(self.file), json.dumps({"killed": by_signal(code)}))
        os.replace(_told(self.file), self.answer)

    def checkpoint(self, *args: Any) -> Any:
        """Slurm is about to stop the job, or wants its place: the call ends by itself, and the job
        is queued again."""
        from submitit.helpers import DelayedSubmission

        child = self.child
        if child:
            self._stop()
            with suppress(ChildProcessError):
                exit_code(child)
        self.child = 0
        return DelayedSubmission(self)

    def _stop(self) -> None:
        if self.child:
            terminate(self.child)


def read_answer(path: Path) -> Any:
    """What a call gave.

    Raises:
        FileNotFoundError: it has not ended.
        OnlayError: what it raised in words, or that it was killed.
    """
    told = json.loads(path.read_text(encoding="utf-8"))
    if "killed" in told:
        raise Killed(told["killed"])
    if "failed" in told:
        raise OnlayError(told["failed"])
    return told["gave"]


def called(file: Path) -> dict[str, Any]:
    """Make the call that a file holds."""
    call = Call(**json.loads(file.read_text(encoding="utf-8")))
    try:
        return {"gave": imported(call.function)(*call.args, **call.named)}
    except OnlayError as error:
        return {"failed": str(error)}


def _told(file: Path) -> Path:
    """The answer, until the job knows that the call has ended for good."""
    return file.with_suffix(".told.new")


if __name__ == "__main__":
    file = Path(sys.argv[1])
    write_text(_told(file), json.dumps(called(file)) + "\n")
