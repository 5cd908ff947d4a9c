"""Workers under a bound of time and of memory."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil

from fuzzing.cases import Outcome, Verdict

SECONDS = 20.0
"""That one case may take, on a busy machine."""
MEBIBYTES = 1500
"""By which a worker may grow over what it had before the case."""
_START = 180.0
_LOOK = 0.02


class Worker:
    """One process of `fuzzing.worker`, started again when it had to be ended."""

    def __init__(self, kind: str, seed: int) -> None:
        self.command = [sys.executable, __file__.replace("bounded.py", "serve.py"), kind, str(seed)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, self.lines), daemon=True).start()
        if self.lines.get(timeout=_START) is None:
            raise SystemExit(f"a worker does not start: {' '.join(self.command)}")

    def judge(self, number: int) -> Outcome:
        """What becomes of a case; the process is ended where it goes beyond a bound."""
        assert self.process.stdin is not None
        before, began = self._memory(), time.monotonic()
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        while True:
            try:
                line = self.lines.get(timeout=_LOOK)
            except queue.Empty:
                grown = self._memory() - before
                if time.monotonic() - began > SECONDS:
                    return self._ended(Verdict.SLOW, f"more than {SECONDS:.0f} s")
                if grown > MEBIBYTES:
                    return self._ended(Verdict.SLOW, f"{grown} MiB more memory")
                continue
            if line is None:
                status = self.process.wait()
                return self._ended(Verdict.CRASH, f"the process ended with {status}")
            return Outcome(**{**json.loads(line), "verdict": Verdict(json.loads(line)["verdict"])})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def _ended(self, verdict: Verdict, said: str) -> Outcome:
        self.close()
        self.start()
        return Outcome(verdict, "", said)

    def _memory(self) -> int:
        """Of the process and its children, in MiB."""
        try:
            process = psutil.Process(self.process.pid)
            family = [process, *process.children(recursive=True)]
            return sum(p.memory_info().rss for p in family) >> 20
        except psutil.Error:
            return 0

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)


def outcomes(kind: str, seed: int, numbers: range) -> Iterator[tuple[int, Outcome]]:
    """The cases of one kind, one after the other."""
    worker = Worker(kind, seed)
    try:
        for number in numbers:
            yield number, worker.judge(number)
    finally:
        worker.close()
