"""Where a cell stands: what lies in its folder says it, nothing else is kept."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from onlay.errors import RunError
from onlay.machine.disk import write_text, writing
from onlay_train.folder import RunFolder
from onlay_train.grid.cells import Cell
from onlay_train.lock import held
from onlay_train.summary import Summary

State = Literal["done", "running", "failed", "interrupted", "waiting"]


@dataclass(frozen=True)
class Failure:
    """Why a cell ended without a result."""

    kind: str
    """The error's class: `RunError`, `OutOfMemoryError`."""
    said: str
    """One sentence."""
    diverged: bool = False
    """The loss or a weight was no longer finite."""


class CellFolder:
    """A cell's files: an ordinary run folder, and what the comparison adds."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = root / "cells" / name
        self.run = RunFolder(self.path)
        self.cell = self.path / "cell.json"
        self.error = self.path / "error.json"
        self.attempts = self.path / "attempts.jsonl"
        self.output = self.path / "output.txt"

    @property
    def state(self) -> State:
        """Derived, in this order: a summary, a lock that is held, an error, a checkpoint."""
        if self.run.finished:
            return "failed" if self.damage else "done"
        if held(self.path):
            return "running"
        if self.error.exists():
            return "failed"
        return "interrupted" if self.run.checkpoint.exists() else "waiting"

    def place(self, cell: Cell) -> None:
        """Make the folder and say what belongs into it."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        if not self.cell.exists():
            write_text(self.cell, cell.text())

    @cached_property
    def damage(self) -> str:
        """Why a summary that is there cannot be read; nothing where it can."""
        try:
            self.summary()
        except RunError as error:
            return str(error)
        return ""

    def summary(self) -> Summary:
        return Summary.read(self.run.summary)

    def failure(self) -> Failure | None:
        """Why it failed, if it did."""
        if self.run.finished and self.damage:
            return Failure("RunError", self.damage)
        try:
            return Failure(**json.loads(self.error.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            return Failure("?", f"`{self.error}` is damaged")

    def fail(self, failure: Failure) -> None:
        write_text(self.error, json.dumps(vars(failure)) + "\n")

    def forgive(self) -> None:
        """It may be tried again."""
        with writing(self.error):
            self.error.unlink(missing_ok=True)
        if self.run.finished and self.damage:
            self.run.summary.unlink()
            del self.damage

    def note(self, **facts: Any) -> None:
        """Add a line to the attempts."""
        with writing(self.attempts), self.attempts.open("ab") as file:
            file.write(json.dumps(facts).encode() + b"\n")

    def attempted(self) -> list[dict[str, Any]]:
        """The attempts so far; a line that a kill cut off is left out."""
        found = []
        with suppress(OSError):
            for line in self.attempts.read_bytes().splitlines(keepends=True):
                with suppress(ValueError):
                    if line.endswith(b"\n"):
                        found.append(json.loads(line))
        return found
