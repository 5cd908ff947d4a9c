"""What modules take from the data before training."""

from __future__ import annotations

from typing import Any

import torch

from onlay.data import Splits
from onlay.model.adapted import AdaptedModel
from onlay.model.losses import asked
from onlay.testing.case import LABELS, MethodCase
from onlay.testing.methods.saving import reloads
from onlay.testing.states import step

ITEMS = 6
"""Of the training part: two of each class."""


def nothing_taken(case: MethodCase) -> str:
    return "" if asked(case.lent().adapter, "prepare") else "no module takes anything from the data"


def check_what_is_prepared_is_in_the_bundle(case: MethodCase) -> None:
    """What `prepare` takes from the data is kept in buffers: a bundle of a model that was prepared
    and trained gives its outputs where it is loaded, without the data."""
    model = case.model()
    torch.manual_seed(7)
    prepare(case, model)
    step(model, case.batch(model), 2)
    reloads(case, model, "cpu")


def prepare(case: MethodCase, model: AdaptedModel) -> None:
    """As a run does it before it trains, with a few items for the data."""
    inputs, targets = case.batch(model, ITEMS)
    items: Any = [*zip(inputs, targets.tolist(), strict=True)]
    counts = {label: targets.tolist().count(n) for n, label in enumerate(LABELS)}
    facts = {"counts": {"train": counts}}
    model.prepare(
        Splits(
            train=items,
            validation=None,
            test=None,
            labels=LABELS,
            targets="class",
            preprocessing={},
            facts=facts,
        )
    )
