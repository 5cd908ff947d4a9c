"""A head on a device that is not the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from onlay.batches import tensors_of
from onlay.testing.checking import require
from onlay.testing.stub_device import StubDevice, there
from onlay.testing.tasks.answering import ASKED, answers_by
from onlay.testing.tasks.case import TaskCase
from onlay.testing.tasks.measuring import no_metrics

CLOSE = 1e-4


def check_stays_on_the_device_of_its_inputs(case: TaskCase) -> None:
    """On a device that is not the CPU outputs, loss and metrics are the CPU's, and so is what it
    answers: the head makes its tensors where its inputs lie, holds none that stays behind, and
    reads numbers of that device as ones of the CPU."""
    measured = not no_metrics(case)
    expected, answers = _told(case, case.moved(), measured)
    with StubDevice() as device:
        built, head = case.make(), case.moved()
        for module in (built.module.eval().requires_grad_(False), head):
            there(module)
        labels, inputs, targets, facts = case.data
        moved = replace(case)
        moved.__dict__["built"] = built
        moved.__dict__["data"] = labels, device.moved(inputs), device.all_moved(targets), facts
        found, told = _told(moved, head, measured)
        found = {name: device.brought(value) for name, value in found.items()}
    for name, value in expected.items():
        same = torch.allclose(found[name], value, rtol=CLOSE, atol=CLOSE, equal_nan=True)
        require(same, f"{name} differs on another device and on the CPU")
    require(_near(told, answers), "the answers differ on another device and on the CPU")


def _told(case: TaskCase, head: Any, measured: bool) -> tuple[dict[str, Tensor], list[Any]]:
    """What a head gives of the case's batch, by name, and what its answers say."""
    answers = [ASKED.record(answer) for answer in answers_by(case, head)]
    features = case.features(head)
    output = head(features)
    found = {f"tensor {n} of the output": t for n, t in enumerate(tensors_of(output))}
    if hasattr(head, "weight_of") and (weight := head.weight_of(case.targets)) is not None:
        found["`weight_of`"] = weight
    if measured:
        metrics = head.metrics().to(next(iter(tensors_of(output))).device)
        with torch.no_grad():
            metrics.update(output, case.targets)
        found |= {f"`{name}`": torch.as_tensor(float(v)) for name, v in metrics.compute().items()}
    torch.manual_seed(0)
    found["the loss"] = case.loss(head.train(), features)
    found["the loss"].backward()
    return {name: value.detach() for name, value in found.items()}, answers


def _near(told: Any, expected: Any) -> bool:
    """Whether two records say the same, up to rounding."""
    if isinstance(expected, dict):
        same = isinstance(told, dict) and told.keys() == expected.keys()
        return same and all(_near(told[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        same = isinstance(told, list) and len(told) == len(expected)
        return same and all(_near(*pair) for pair in zip(told, expected, strict=True))
    if isinstance(expected, float) and isinstance(told, float):
        return abs(told - expected) <= CLOSE * max(1.0, abs(expected))
    return told == expected
