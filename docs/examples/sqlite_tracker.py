"""Every value of a run as a row of `metrics.sqlite` in its folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from onlay import hookimpl
from onlay.descriptors import Tracker

if TYPE_CHECKING:
    from onlay.hooks import Run


def make(run: Run) -> Any:
    """A function, so that registering imports neither Accelerate nor torch."""
    from accelerate.tracking import GeneralTracker

    class Sqlite(GeneralTracker):
        name = "sqlite"
        requires_logging_directory = False

        def __init__(self) -> None:
            super().__init__()
            self.table = sqlite3.connect(run.folder / "metrics.sqlite")
            self.table.execute("create table if not exists metrics (run, step, name, value)")

        @property
        def tracker(self) -> sqlite3.Connection:
            return self.table

        def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
            rows = [(run.id, step, name, value) for name, value in values.items()]
            with self.table:  # commits
                self.table.executemany("insert into metrics values (?, ?, ?, ?)", rows)

        def finish(self) -> None:
            self.table.close()

    return Sqlite()


@hookimpl
def register_trackers() -> Iterable[Tracker]:
    """Takes part in `train.trackers` and `--tracker` as `sqlite`."""
    yield Tracker(name="sqlite", tracker=f"{__name__}:make", summary="rows of a table")
