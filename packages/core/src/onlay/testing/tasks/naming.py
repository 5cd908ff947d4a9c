"""Whether answers about classes name the right ones."""

from __future__ import annotations

from typing import Any

import torch

from onlay.batches import rows
from onlay.task import Prediction
from onlay.testing.checking import require
from onlay.testing.tasks.answering import no_truths
from onlay.testing.tasks.case import BATCH, TaskCase
from onlay.testing.tasks.heads import as_wished

STEPS = (0.5, 0.05, 0.005)
"""Ever smaller ones: the first reach what the loss likes, the last do not step over it."""


def no_classes(case: TaskCase) -> str:
    if not hasattr(case.head(), "loss"):
        return "the head has no `loss` of an output alone"
    return "" if case.of_classes else "its targets are no classes"


def check_predictions_name_the_class(case: TaskCase) -> None:
    """Where targets are classes and `predict` gives a `Prediction`, its label is the class for
    which the loss likes the output best."""
    head = case.moved()
    output, labels = head(case.features(head)), case.data[0]
    for size in STEPS:
        output = as_wished(head, output, case.targets, 1.0, size)
    for index, answer in enumerate(head.predict(output)):
        place = int(case.targets[index])
        if isinstance(answer, Prediction) and _is_for(case, head, output, index):
            seen = f"the loss likes an output best for `{labels[place]}`, and `predict` says"
            require(answer.label == labels[place], f"{seen} `{answer.label}`")


@torch.no_grad()
def _is_for(case: TaskCase, head: Any, output: Any, index: int) -> bool:
    """Whether the loss itself would have no other class for this output."""
    alone, own = rows(output, slice(index, index + 1)), int(case.targets[index])
    places = torch.arange(len(case.data[0]), dtype=case.targets.dtype)
    losses = [head.loss(alone, place[None]).item() for place in places]
    return all(losses[own] < loss for place, loss in enumerate(losses) if place != own)


def no_true_classes(case: TaskCase) -> str:
    return no_truths(case) or ("" if case.of_classes else "its targets are no classes")


def check_truths_name_the_class(case: TaskCase) -> None:
    """Where targets are classes and `truths` gives a `Prediction`, its label is the target's."""
    truths = case.head().truths(case.targets)
    for index in range(BATCH):
        label = case.data[0][int(case.targets[index])]
        if isinstance(truth := truths[index], Prediction):
            require(truth.label == label, f"of the target `{label}` the truth is `{truth.label}`")
