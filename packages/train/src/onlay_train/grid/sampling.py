"""Samplers that look at earlier trials: optuna's, asked and told in memory.

Nothing of theirs is kept. A start asks anew from the first trial on and tells what lies in the run
folders, so that it is given the trials which were trained, and goes on behind them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from onlay_train.grid.cells import Cell
from onlay_train.grid.executors.ending import needed
from onlay_train.grid.file import SearchConfig
from onlay_train.grid.search import rounded
from onlay_train.grid.state import CellFolder

_FIRST = 6
"""Trials that `tpe` draws at random: as many however many follow, so that a search that is given
more of them begins as it did."""


class Draws:
    """The trials of one search, a batch at a time."""

    def __init__(
        self,
        search: SearchConfig,
        fields: Mapping[str, bool],
        made: Callable[[Mapping[str, float], int], Cell | None],
    ) -> None:
        """`made(values, number)` is a trial as a cell; `None`: nobody has read its data yet."""
        self.search, self.fields, self.made = search, fields, made
        self.optuna = needed("optuna", "search")
        self.optuna.logging.set_verbosity(self.optuna.logging.WARNING)
        self.study = self.optuna.create_study(direction="maximize", sampler=self._sampler())
        self.asked: list[Any] = []
        self.told = 0

    def extend(self, trials: list[Cell], folder: Callable[[Cell], CellFolder]) -> None:
        """Draw what can be drawn now: the next batch, once all that was drawn has ended."""
        while True:
            for number in range(len(trials), len(self.asked)):
                cell = self.made(self._values(number), number)
                if cell is None:
                    return
                trials.append(cell)
            left = self.search.trials - len(trials)
            if not left or not self._tell(trials, folder):
                return
            own = self._distributions()
            self.asked += [self.study.ask(own) for _ in range(min(left, self.search.batch))]

    def _tell(self, trials: list[Cell], folder: Callable[[Cell], CellFolder]) -> bool:
        """Whether all trials have ended; what they came to is told in their order."""
        new = [folder(trial) for trial in trials[self.told :]]
        if any(each.state not in ("done", "failed") for each in new):
            return False
        for asked, each in zip(self.asked[self.told :], new, strict=True):
            score = _score(each)
            state = self.optuna.trial.TrialState.FAIL if score is None else None
            self.study.tell(asked, score, state)
        self.told = len(trials)
        return True

    def _values(self, number: int) -> dict[str, float]:
        drawn = self.asked[number].params
        return {key: rounded(drawn[key], whole) for key, whole in self.fields.items()}

    def _distributions(self) -> dict[str, Any]:
        known = self.optuna.distributions
        found = {}
        for key, whole in self.fields.items():
            low, high, *log = self.search.keys[key]
            if whole:
                found[key] = known.IntDistribution(round(low), round(high), log=bool(log))
            else:
                found[key] = known.FloatDistribution(low, high, log=bool(log))
        return found

    def _sampler(self) -> Any:
        """All searches begin with one seed, and so with the same first values."""
        samplers, seed = self.optuna.samplers, self.search.seed
        if self.search.sampler == "qmc":
            with warnings.catch_warnings():  # optuna calls it experimental
                warnings.simplefilter("ignore")
                return samplers.QMCSampler(scramble=True, seed=seed)
        if self.search.sampler == "cmaes":
            needed("cmaes", "search")
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        return samplers.TPESampler(seed=seed, n_startup_trials=_FIRST)


def _score(folder: CellFolder) -> float | None:
    """What a sampler is to make large; `None` where a trial came to nothing."""
    if folder.state != "done":
        return None
    summary = folder.summary()
    score = summary.metrics.get(f"validation_{summary.main_metric}", math.nan)
    if not math.isfinite(score):
        return None
    return score if summary.measure(summary.main_metric).better == "higher" else -score
