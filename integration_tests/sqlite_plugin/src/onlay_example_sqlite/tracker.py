"""A run's settings and values in two tables."""

import json
import sqlite3
from typing import Any

from accelerate.tracking import GeneralTracker

from onlay.hooks import Run

TABLES = """
create table if not exists settings (run, name, value, primary key (run, name));
create table if not exists metrics (run, step, name, value, primary key (run, step, name));
"""


class Sqlite(GeneralTracker):
    """Steps that are done again, after a run goes on, write over their rows."""

    name = "sqlite"
    requires_logging_directory = False

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run, self.base = run.id, sqlite3.connect(run.folder / "metrics.sqlite")
        self.base.executescript(TABLES)

    @property
    def tracker(self) -> sqlite3.Connection:
        return self.base

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        rows = [(self.run, name, json.dumps(value)) for name, value in values.items()]
        with self.base:  # commits
            self.base.executemany("insert or replace into settings values (?, ?, ?)", rows)

    def log(self, values: dict[str, Any], step: int | None = None, **kwargs: Any) -> None:
        rows = [(self.run, step or "end", name, value) for name, value in values.items()]
        with self.base:
            self.base.executemany("insert or replace into metrics values (?, ?, ?, ?)", rows)

    def finish(self) -> None:
        self.base.close()
