"""Rows of two starts of one run."""

import sqlite3
from pathlib import Path

import pytest

from onlay.hooks import Run
from onlay_example_sqlite.tracker import Sqlite


def started(folder: Path, steps: list[int], loss: float) -> None:
    """One start of a run, which reports a loss at each of these steps."""
    tracker = Sqlite(Run(folder=folder, id="0123456789ab", config=None))  # type: ignore[arg-type]
    tracker.store_init_configuration({"train.lr": 0.01, "train.trackers": ["sqlite"]})
    for step in steps:
        tracker.log({"train/loss": loss}, step=step)
    tracker.log({"final/test_top1": 0.5})
    tracker.finish()


def test_a_step_that_is_done_again_is_there_once(tmp_path: Path) -> None:
    started(tmp_path, [1, 2, 3], loss=2.0)
    started(tmp_path, [3, 4], loss=1.0)
    base = sqlite3.connect(tmp_path / "metrics.sqlite")
    found = base.execute("select * from metrics where name = 'train/loss' order by step")
    rows = [(1, 2.0), (2, 2.0), (3, 1.0), (4, 1.0)]
    assert found.fetchall() == [("0123456789ab", n, "train/loss", loss) for n, loss in rows]
    assert base.execute("select step, value from metrics where name like 'final/%'").fetchall() == [
        ("end", 0.5)
    ]
    settings = dict(base.execute("select name, value from settings").fetchall())
    assert settings == {"train.lr": "0.01", "train.trackers": '["sqlite"]'}


def test_what_is_finished_takes_nothing_more(tmp_path: Path) -> None:
    started(tmp_path, [], loss=0.0)
    tracker = Sqlite(Run(folder=tmp_path, id="0123456789ab", config=None))  # type: ignore[arg-type]
    tracker.finish()
    with pytest.raises(sqlite3.ProgrammingError):
        tracker.log({"train/loss": 1.0}, step=1)
