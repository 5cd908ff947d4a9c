"""The data of a run."""

from __future__ import annotations

from typing import Any

from onlay.config.data import ListedConfig
from onlay.config.run import RunConfig
from onlay.data import Splits, require_seekable, require_usable
from onlay.errors import DataError
from onlay.host import PluginHost
from onlay.host.mistakes import mistakes_of
from onlay.machine.chance import seeds_kept


def read_splits(config: RunConfig, input_spec: Any, host: PluginHost) -> Splits:
    """What the run's data set gives for a backbone, or the fold of it that the run has.

    Raises:
        DataError: the data cannot be used, in one sentence.
        PluginError: the data set's own code fails.
    """
    build = host.load("dataset", config.data.name, "build")
    with seeds_kept(), mistakes_of("dataset", config.data.name, host):
        splits: Splits = build(config.data, input_spec, config.train.seed)
        if not isinstance(splits, Splits):
            raise TypeError(
                f"its `build` gives a `{type(splits).__name__}`, no `onlay.data.Splits`"
            )
    require_seekable(splits, config.data.name)
    require_usable(splits, config.data.name)
    require_heard(config.data, splits)
    if config.fold is None:
        return splits
    from onlay.reading.folds import one_fold

    return one_fold(splits, config.fold, getattr(config.data, "duplicates", None))


def require_heard(config: Any, splits: Splits) -> None:
    """A data set that makes no list of items has none to choose from and to repeat.

    Raises:
        DataError: that was asked, and the splits do not say that they heard it.
    """
    asked = config.of_training() if isinstance(config, ListedConfig) else {}
    for name, value in asked.items():
        if splits.facts.get(name) != value:
            raise DataError(
                f"data.{name}: `{config.name}` takes its training items as they are, so that"
                f" {value} would change nothing: leave it out"
            )
