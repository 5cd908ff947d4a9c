"""A plugin file for the tests: a task whose error, in centimetres, has to fall."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

import onlay
from onlay.descriptors import Task
from onlay.reports import Measure
from onlay.tasks.classification import ClassificationHead
from onlay.tasks.config import ClassificationConfig
from onlay.tasks.pooled import pooled_size


class FallingConfig(ClassificationConfig):
    """Classes, judged by an error."""

    name: Literal["falling"] = "falling"
    """This task."""


class Scripted(Metric):
    """Tells one number after the other, whatever it sees."""

    numbers: ClassVar[list[float]] = []

    def update(self, output: Tensor, targets: Tensor) -> None:
        pass

    def compute(self) -> Tensor:
        return torch.tensor(self.numbers.pop(0))


class FallingHead(ClassificationHead):
    main_metric = "error"
    measures = MappingProxyType({"error": Measure("cm", better="lower")})

    def metrics(self) -> MetricCollection:
        return MetricCollection({"error": Scripted()})


def build(config: FallingConfig, anatomy: Any, labels: Any) -> FallingHead:
    return FallingHead(config, pooled_size(config, anatomy), labels)


@onlay.hookimpl
def register_tasks() -> Any:
    yield Task(name="falling", config=FallingConfig, build=f"{__name__}:build", summary="an error")
