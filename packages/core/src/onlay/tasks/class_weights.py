"""What classes weigh in a loss.

Shapes: C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from onlay.errors import ConfigError


def starting_weights(setting: str | Sequence[float], labels: Sequence[str]) -> Tensor | None:
    """Of `class_weights`: None for `none`; NaN for `balanced`, until data are seen or a bundle is
    loaded; the listed ones, (C,).

    Raises:
        ConfigError: another number of them than classes.
    """
    if setting == "none":
        return None
    if setting == "balanced":
        return torch.full((len(labels),), float("nan"))
    if len(setting) != len(labels):
        given = len(setting)
        raise ConfigError(f"`class_weights` has {given} values and there are {len(labels)} classes")
    return torch.tensor(setting)


def balanced_weights(counts: Mapping[str, int], labels: Sequence[str]) -> Tensor:
    """n / (C · n_c) for each class c (scikit-learn's `balanced`), (C,); 0 for a class without
    items.

    >>> balanced_weights({"cat": 1, "dog": 3}, ["cat", "dog"])
    tensor([2.0000, 0.6667])
    """
    items = [counts.get(label, 0) for label in labels]
    return torch.tensor([sum(items) / (len(items) * n) if n else 0.0 for n in items])
