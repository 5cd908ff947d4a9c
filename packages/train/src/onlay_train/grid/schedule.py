"""The loop that keeps cells going: what is ready is handed to an executor, what ends is looked
at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from onlay.errors import OnlayError, RunError
from onlay.host.mistakes import mistakes_of
from onlay_train.grid.cells import Cell
from onlay_train.grid.executors.ending import Refused
from onlay_train.grid.plan import Plan
from onlay_train.grid.state import Failure, State
from onlay_train.grid.worker import run_cell

if TYPE_CHECKING:
    from onlay.host import PluginHost

TRIES = 3
"""How often a cell is begun in one start whose process is killed: it goes on where it was."""
LATE = (0.5, 2.0, 8.0)
"""Seconds between looks at a folder that should hold what its job is said to have written."""
_PAUSE = 2.0
"""Seconds between two looks at cells that another scheduler trains."""

Seen = Callable[[Cell, State], None]


def handed(executor: Executor, name: str, host: PluginHost, *asked: Any) -> Future[Any]:
    """What an executor makes of a job: a function and what it is given.

    Raises:
        PluginError: it fails, or gives something else; names it.
    """
    with mistakes_of("executor", name, host):
        future: Any = executor.submit(*asked)
        if not isinstance(future, Future):
            kind = type(future).__name__
            raise TypeError(f"its `submit` gives a `{kind}`, no `concurrent.futures.Future`")
    return future


@dataclass
class Schedule:
    """One start of a comparison."""

    plan: Plan
    executor: Executor
    plugins: Sequence[str] = ()
    retry: bool = False
    """Try failed cells once more."""
    seen: Seen = lambda cell, state: None
    """Told of every cell whose state has changed."""
    warn: Callable[[str], None] = lambda text: None
    """Says what holds nothing up."""
    survey: Callable[[list[Mapping[str, Any]]], Mapping[str, str]] = lambda runs: {}
    """Reads the data and the backbones of runs, and keeps what it found."""
    running: dict[Future[str], Cell] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    refused: Refused | None = None
    """Why no cell is begun any more."""
    left: set[str] = field(default_factory=set)
    """Cells that this start does not begin again."""

    def run(self) -> None:
        """Until nothing is left that can be trained; a `KeyboardInterrupt` leaves checkpoints.

        Raises:
            Refused: no cell can be trained there; those that were begun have ended.
        """
        self._pass_over(self.plan.everything())
        while True:
            if self.refused and not self.running:
                raise self.refused
            cells = self.plan.everything()
            if self.plan.unread:
                self.plan.known.update(self.survey(list(self.plan.unread)))
                continue
            waiting = not self.refused and self._submit(cells)
            if self.running:
                self._look(wait(self.running, _PAUSE, FIRST_COMPLETED).done)
            elif waiting:
                time.sleep(_PAUSE)
            else:
                return

    def _pass_over(self, cells: Iterable[Cell]) -> None:
        """What ended in an earlier start is no news."""
        self.left.update(cell.name for cell in cells if self._ended(self.plan.folder(cell).state))

    def _ended(self, state: State) -> bool:
        return state == "done" or (state == "failed" and not self.retry)

    def _submit(self, cells: Iterable[Cell]) -> bool:
        """Hand on what is ready; says whether another scheduler is at work on a cell."""
        busy = {cell.name for cell in self.running.values()}
        elsewhere = False
        for cell in cells:
            if cell.name in busy | self.left:
                continue
            folder = self.plan.folder(cell)
            state = folder.state
            if self._ended(state):
                self.left.add(cell.name)
                self.seen(cell, state)
            elif state == "running":
                elsewhere = True
            else:
                folder.forgive()
                folder.place(cell)
                self._begin(cell)
                busy.add(cell.name)
        return elsewhere

    def _begin(self, cell: Cell) -> None:
        asked = run_cell, str(self.plan.root.resolve()), cell.name, tuple(self.plugins)
        self.running[handed(self.executor, self.plan.grid.where.name, self.plan.host, *asked)] = (
            cell
        )

    def _look(self, done: Iterable[Future[str]]) -> None:
        for future in done:
            cell = self.running.pop(future)
            error = future.exception()
            state = (
                self._left(cell, future.result()) if error is None else self._broken(cell, error)
            )
            if state in ("done", "failed"):
                self.left.add(cell.name)
            self.seen(cell, state)  # type: ignore[arg-type]
            if state == "done":
                self._tell(cell)

    def _left(self, cell: Cell, told: Any) -> str:
        """Where its job left a cell: its folder says that, and an executor may be mistaken."""
        if told == "running":
            return told
        state = self._read(cell, late=told in ("done", "failed"))
        if state in ("done", "failed") or told == state == "interrupted":
            return state
        return self._broken(cell, RuntimeError("its job ended, and it was not trained"))

    def _read(self, cell: Cell, *, late: bool) -> State:
        """A folder's state; files that another machine wrote may be seen a little later."""
        folder = self.plan.folder(cell)
        for pause in LATE if late else ():
            if folder.state in ("done", "failed"):
                break
            time.sleep(pause)
            with suppress(OSError):
                os.listdir(folder.path)  # makes a network file system look again
        return folder.state

    def _tell(self, cell: Cell) -> None:
        """Plugins hear of it; what one of them makes of that holds up no cell."""
        try:
            self.plan.host.cell_finished(asdict(cell), self.plan.folder(cell).summary().dump())
        except OnlayError as error:
            self.warn(str(error))

    def _broken(self, cell: Cell, error: BaseException) -> str:
        """The process ended without a word: it goes on where it was, a few times."""
        folder = self.plan.folder(cell)
        if folder.state in ("done", "failed"):
            return folder.state
        if isinstance(error, Refused):
            self.refused = error
            return folder.state
        self.tries[cell.name] = self.tries.get(cell.name, 0) + 1
        if self.tries[cell.name] < TRIES:
            return "interrupted"
        with suppress(RunError):  # a full disk keeps no reasons
            folder.fail(Failure(type(error).__name__, f"{error}, {TRIES} times"))
        return "failed"
