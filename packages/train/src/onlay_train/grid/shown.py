"""What a comparison says while it goes on, before and afterwards."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onlay_train.grid.axes import labels
from onlay_train.grid.cells import Cell, group_of
from onlay_train.grid.others import of_other_schemas, of_other_versions
from onlay_train.grid.report.made_of import made_of
from onlay_train.grid.state import State

if TYPE_CHECKING:
    from rich.table import Table

    from onlay_train.grid.plan import Plan

Seen = Callable[[Cell, State], None]


def say(text: str) -> None:
    click.echo(text)


@contextmanager
def shown(plan: Plan) -> Iterator[Seen]:
    """A table of cells on a terminal, a line for each cell that ends elsewhere."""
    from rich.console import Console
    from rich.live import Live

    console, began = Console(), time.monotonic()
    states = _states(plan, plan.everything())
    left = Left(plan, began, states["done"] + states["failed"])
    if not console.is_terminal:
        yield lambda cell, state: _line(plan, cell, state, left)
        return
    with Live(_table(plan), console=console, refresh_per_second=2) as live:

        def seen(cell: Cell, state: State) -> None:
            live.update(_table(plan, left.after(state)))
            if state == "failed":
                live.console.print(_failed(plan, cell), markup=False, soft_wrap=True)

        yield seen


def described(plan: Plan, jobs: int) -> str:
    """For `--dry-run`."""
    cells = plan.everything()
    trials = [cell for cell in cells if cell.trial is not None]
    states = _states(plan, cells)
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    lines = [f"{len(plan.drawn.runs)} cells" + (f" and {len(trials)} trials" if trials else "")]
    lines[0] += f" in `{plan.root}`: {told}"
    if later := plan.size - len(cells) - plan.unnamed:
        lines.append(f"{later} cells wait for what the search chooses")
    lines += [_hours(plan, jobs), *skipped(plan), *of_other_versions(plan)]
    return "\n".join(lines)


def outcome(plan: Plan) -> str:
    """What there is now, and each failure in a sentence."""
    cells = plan.everything()
    states = _states(plan, cells)
    lines = [", ".join(f"{count} {state}" for state, count in sorted(states.items()))]
    lines += failures(plan)
    if missing := plan.size - len(cells) - plan.lost - plan.unnamed:
        lines.append(f"{missing} cells wait for what the search chooses")
    more = [*unchosen(plan), *skipped(plan), *of_other_versions(plan), *of_other_schemas(plan)]
    return "\n".join([*lines, *more])


def _states(plan: Plan, cells: Iterable[Cell]) -> Counter[str]:
    """How many cells stand where; those that have no name yet wait."""
    states: Counter[str] = Counter(plan.folder(cell).state for cell in cells)
    if plan.unnamed:
        states["waiting"] += plan.unnamed
    return states


def unchosen(plan: Plan) -> list[str]:
    """Searches that chose nothing."""
    return [
        f"not trained: {', '.join(plan.groups[key].labels.values())}: {reason}"
        for key, reason in plan.hopeless.items()
    ]


def failures(plan: Plan) -> list[str]:
    """A sentence for each cell that failed."""
    return [
        _failed(plan, cell) for cell in plan.everything() if plan.folder(cell).state == "failed"
    ]


def reported(plan: Plan, *, again: bool = False) -> str:
    """Write the report, and say what it says; one that was made of the same is read, unless it is
    asked for again."""
    path = plan.root / "report"
    told = None if again else _told(path / "report.json", made_of(plan))
    if told is None:
        from onlay_train.grid.report.writing import write_report

        told = write_report(plan)
    return "\n".join([*told, f"report {path / 'index.html'}"])


def _told(path: Path, of: str) -> list[str] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["said"] if found["made_of"] == of else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def skipped(plan: Plan) -> list[str]:
    """Combinations that cannot be, each reason once."""
    found: dict[str, list[str]] = {}
    for skip in plan.drawn.skipped:
        found.setdefault(skip.reason, []).append(", ".join(skip.labels.values()))
    return [
        f"left out: {cells[0]}{f' and {len(cells) - 1} more' if len(cells) > 1 else ''}: {reason}"
        for reason, cells in found.items()
    ]


def _line(plan: Plan, cell: Cell, state: State, left: Left) -> None:
    told_left = left.after(state)
    if state == "failed":
        say(_failed(plan, cell))
        return
    score = plan.folder(cell).summary().score if state == "done" else None
    told = f" {score[0]} {score[1]:.4f}" if score else ""
    say(f"{state}: {title(cell)}{told}{told_left}")


def _failed(plan: Plan, cell: Cell) -> str:
    failure = plan.folder(cell).failure()
    said = failure.said if failure else "nothing could be written that says why"
    return f"failed: {title(cell)}: {said}"


def title(cell: Cell) -> str:
    trial = "" if cell.trial is None else f" trial {cell.trial}"
    return ", ".join(cell.labels.values()) + trial


@dataclass
class Left:
    """How many cells are left, and how long they take if it goes on like this; of those that ended
    before this start nothing is known."""

    plan: Plan
    began: float
    before: int
    """Cells that ended earlier."""
    ended: int = 0

    def after(self, state: State) -> str:
        """What is to be said when one more changed its state."""
        self.ended += state in ("done", "failed")
        size, every = self.plan.size, self.before + self.ended
        if not self.ended or every >= size:
            return ""
        took = (time.monotonic() - self.began) / self.ended
        return f" ({every} of {size}; about {_time(took * (size - every))} left)"


def _hours(plan: Plan, jobs: int) -> str:
    """How long what is open takes, by what is done of the same labels but seeds: a trial by trials,
    for these are often shorter, and a cell by cells; by epochs where only others are done."""
    known: dict[tuple[str, bool], list[float]] = {}
    cells = plan.everything()
    for cell in cells:
        folder = plan.folder(cell)
        if folder.state == "done":
            spent = folder.summary().seconds / _epochs(cell)
            known.setdefault((cell.group, cell.trial is None), []).append(spent)
    means = {group: statistics.fmean(seconds) for group, seconds in known.items()}
    if not means:
        return "hours are not known before a cell is done"
    usual = statistics.fmean(means.values())
    open_ = [cell for cell in cells if plan.folder(cell).state not in ("done", "failed")]
    seconds = sum(_epochs(c) * _spent(means, c.group, c.trial is None, usual) for c in open_)
    named = Counter(cell.group for cell in cells if cell.trial is None)
    for group, epochs in _unnamed(plan):
        if named[group] > 0:
            named[group] -= 1
            continue
        seconds += epochs * _spent(means, group, True, usual)
    return f"about {_time(seconds / jobs)} are left with {jobs} at a time"


def _spent(means: Mapping[tuple[str, bool], float], group: str, whole: bool, usual: float) -> float:
    """Seconds of an epoch."""
    own = means.get((group, whole))
    return means.get((group, not whole), usual) if own is None else own


def _epochs(cell: Cell) -> int:
    return max(int(cell.config["train"]["epochs"]), 1)


def _unnamed(plan: Plan) -> Iterator[tuple[str, int]]:
    """Of every cell of the grid, named or not, its group and epochs."""
    for point, config in plan.drawn.runs:
        yield group_of(labels(point)), max(config.train.epochs, 1)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _table(plan: Plan, left: str = "") -> Table:
    """A row for each value of the first axis that has several, a column for each state."""
    from rich.table import Table

    axis = next((a for a, v in plan.grid.grid.items() if len(v) > 1), next(iter(plan.grid.grid)))
    rows: dict[str, Counter[str]] = {}
    for cell in plan.everything():
        rows.setdefault(cell.labels[axis], Counter())[plan.folder(cell).state] += 1
    table = Table(caption=left or None)
    states: Iterable[State] = ("done", "running", "interrupted", "waiting", "failed")
    table.add_column(axis)
    for state in states:
        table.add_column(state, justify="right")
    for label, counts in rows.items():
        table.add_row(label, *(str(counts[state] or "") for state in states))
    return table
