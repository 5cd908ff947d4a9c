"""One run for each fold of a data set, and their mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState
from rich.console import Console
from rich.table import Table
from rich.text import Text

from onlay.config.run import RunConfig
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.machine.disk import write_text
from onlay_train.compare import Comparison, trained
from onlay_train.report import print_note, say
from onlay_train.summary import Summary

USUAL = 5
"""Folds, where nobody says how many."""


@dataclass(frozen=True)
class Folds:
    """Finished runs, one for each fold, in order."""

    name: str
    found: Comparison

    @property
    def runs(self) -> Sequence[Summary]:
        return self.found.runs[self.name]

    @property
    def split(self) -> str:
        """The part that the scores are of."""
        score = self.runs[0].score
        assert score, "data with folds has a part to judge them on"
        return score[0]

    def table(self) -> Table:
        """One row for each fold, and the mean with the sample standard deviation (n - 1)."""
        table, measure = Table(title=Text(self.name)), self.found.measure
        table.add_column("fold")
        table.add_column(Text(f"{self.split} {self.runs[0].main_metric}"), justify="right")
        for fold, score in enumerate(self.found.scores(self.name)):
            table.add_row(str(fold), measure.text(score, places=1))
        table.add_section()
        mean, deviation = self.found.mean(self.name), self.found.deviation(self.name)
        table.add_row("mean ± sd", measure.text(mean, deviation, places=1))
        return table

    def dump(self) -> dict[str, Any]:
        """Scores that are shares are fractions."""
        return {
            "metric": self.runs[0].main_metric,
            "split": self.split,
            "selection": self.runs[0].selection,
            "scores": self.found.scores(self.name),
            "mean": self.found.mean(self.name),
            "deviation": self.found.deviation(self.name),
            "runs": [run.dump() for run in self.runs],
        }


def train_folds(
    config: RunConfig,
    host: PluginHost,
    *,
    of: int | None = None,
    seed: int = 0,
    console: Console | None = None,
) -> Folds:
    """Train every fold of the configured data in `<out>/fold-0` and so on; finished ones are read
    back. Leaves `<out>/folds.json`.

    A data set has folds of its own if its config class has a field `fold` and a class attribute
    `folds`, how many there are. All others are dealt to `of` folds, stratified, by `seed`.

    Raises:
        ConfigError: a number of folds for data that have their own.
    """
    assert config.out is not None, "resolve the configuration first"
    base = config.model_dump(mode="json")
    runs = [
        trained(base, changes, config.out / f"fold-{fold}", host, console)
        for fold, changes in enumerate(_each(config, of, seed))
    ]
    name = f"{config.method.name} on {config.data.name}"
    folds = Folds(name, Comparison({name: runs}))
    if PartialState().is_main_process:
        write_text(config.out / "folds.json", json.dumps(folds.dump(), indent=2) + "\n")
    return folds


def _each(config: RunConfig, of: int | None, seed: int) -> list[dict[str, Any]]:
    """What is different in the run of each fold."""
    own = getattr(type(config.data), "folds", None)
    if own is None:
        whole = _undivided(config)
        count = USUAL if of is None else of
        return [
            {"data": whole, "fold": {"of": count, "fold": n, "seed": seed}} for n in range(count)
        ]
    if of is not None or seed:
        raise ConfigError(
            f"data set `{config.data.name}` has {own} folds of its own: leave out `--folds` and"
            " `--seed`"
        )
    return [{"data": {"fold": fold}} for fold in range(own)]


def _undivided(config: RunConfig) -> dict[str, int]:
    """Settings with which nothing is split off the training part, but what epochs are chosen by."""
    judged = config.train.selection == "best_val" or config.train.early_stopping is not None
    names = ["test_size"] if judged else ["test_size", "val_size"]
    return {name: 0 for name in names if name in type(config.data).model_fields}


def print_folds(folds: Folds, out: Path, console: Console) -> None:
    """The table, what it was chosen by if that matters, and where everything is."""
    console.print(folds.table())
    print_note(folds.runs[0].selection, console)
    say(f"scores {out}/folds.json, bundles {out}/fold-*/bundle", console)
