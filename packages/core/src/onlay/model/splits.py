"""The data of a run."""

from __future__ import annotations

from typing import Any

from onlay.config.run import RunConfig
from onlay.data import Splits, require_seekable
from onlay.host import PluginHost


def read_splits(config: RunConfig, input_spec: Any, host: PluginHost) -> Splits:
    """What the run's data set gives for a backbone, or the fold of it that the run has.

    Raises:
        DataError: the data cannot be used, in one sentence.
    """
    build = host.load("dataset", config.data.name, "build")
    splits: Splits = build(config.data, input_spec, config.train.seed)
    require_seekable(splits, config.data.name)
    if config.fold is None:
        return splits
    from onlay.reading.folds import one_fold

    return one_fold(splits, config.fold)
