"""What a task's checks are given: one of its examples on one small backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from onlay.anatomy import BuiltBackbone
from onlay.batches import row
from onlay.config import parse
from onlay.data import Splits
from onlay.descriptors import Task, resolve
from onlay.errors import OnlayError
from onlay.features import Features
from onlay.host import PluginHost
from onlay.model.assemble import build_head
from onlay.settings import Config
from onlay.testing.case import LABELS
from onlay.testing.registered import in_words
from onlay.testing.small import small_backbones
from onlay.testing.states import shake

BATCH = 4


@dataclass(frozen=True, eq=False)
class TaskCase:
    """An example of a task on a small backbone."""

    host: PluginHost
    task: Task
    settings: Mapping[str, Any]
    label: str
    """The backbone, in words."""
    make: Callable[[], BuiltBackbone]

    def __str__(self) -> str:
        return f"{in_words(self.task.name, self.settings)} on {self.label}"

    @property
    def first(self) -> bool:
        """Whether these are the task's usual settings."""
        return self.settings == self.task.examples[0]

    @cached_property
    def config(self) -> Config:
        return parse("task", {"name": self.task.name, **self.settings}, self.host)

    @cached_property
    def built(self) -> BuiltBackbone:
        built = self.make()
        built.module.eval().requires_grad_(False)
        return built

    @cached_property
    def data(self) -> tuple[tuple[str, ...], Tensor, Any, Mapping[str, Any]]:
        """Labels, inputs, targets and what the data set tells of itself."""
        if self.task.example is None:
            targets = torch.arange(BATCH) % len(LABELS)
            counts = {label: 1 + n for n, label in enumerate(LABELS)}
            facts = {"counts": {"train": counts}}
            return LABELS, self.built.anatomy.example(BATCH), targets, facts
        labels, inputs, targets, *facts = resolve(self.task.example)(self.built.anatomy, BATCH)
        return tuple(labels), inputs, targets, facts[0] if facts else {}

    @property
    def targets(self) -> Any:
        return self.data[2]

    @property
    def of_classes(self) -> bool:
        """Whether every target is known to be the index of a label: the task says that it learns
        from classes, or leaves it to the kit what it learns from."""
        known = "" if self.task.example is None else "class"
        if self.task.targets not in ("class", known) or not isinstance(self.targets, Tensor):
            return False
        if self.targets.ndim != 1 or self.targets.dtype not in (torch.int64, torch.int32):
            return False
        return bool(((self.targets >= 0) & (self.targets < len(self.data[0]))).all())

    def unprepared(self, config: Config, seed: int = 0) -> Any:
        """A fresh one that has seen no data, as a bundle is loaded into."""
        torch.manual_seed(seed)
        return build_head(config, self.built, self.data[0], self.host)

    def head(self) -> Any:
        """A fresh one that has seen the data, in evaluation mode."""
        labels, inputs, targets, facts = self.data
        head = self.unprepared(self.config)
        items: Any = [(row(inputs, n), row(targets, n)) for n in range(BATCH)]
        head.prepare(
            Splits(
                train=items,
                validation=None,
                test=None,
                labels=labels,
                preprocessing={},
                facts=facts,
            )
        )
        return head.eval()

    def moved(self) -> Any:
        """One whose parameters are away from where they start."""
        head = self.head()
        shake(head.parameters(), 0.1)
        return head

    def loss(self, head: Any, features: Features, targets: Any = None) -> Tensor:
        """As training takes it: by the head's `forward_loss`, where it has one."""
        targets = self.targets if targets is None else targets
        whole = getattr(head, "forward_loss", None)
        if whole is not None:
            return whole(features, targets)
        return head.loss(head(features), targets)

    def features(self, head: Any, inputs: Tensor | None = None) -> Features:
        """What the backbone gives to this head."""
        inputs = self.data[1] if inputs is None else inputs
        levels = getattr(head, "levels", ())
        with torch.no_grad():
            return self.built.anatomy.encode(inputs, levels=levels)


def task_cases(name: str, host: PluginHost) -> list[TaskCase]:
    """Every example on every small backbone that provides what the task needs; an example may
    refuse one in a sentence, the first may not."""
    task = host.find("task", name)
    cases = [
        TaskCase(host, task, settings, label, make)
        for settings in task.examples
        for label, make in small_backbones(task, host)
    ]
    if not cases:
        needs = ", ".join(f"`{trait}`" for trait in sorted(task.needs))
        raise OnlayError(f"no small backbone is at hand that provides what `{name}` needs: {needs}")
    return [case for case in cases if case.first or _takes(case)]


def _takes(case: TaskCase) -> bool:
    try:
        head = case.head()
        head(case.features(head))
    except OnlayError:
        return False
    return True
