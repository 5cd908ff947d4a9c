"""What tasks make of a data set's items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from onlay.batches import stacked
from onlay.config import parse
from onlay.data import item_at
from onlay.descriptors import Task
from onlay.errors import OnlayError
from onlay.model.assemble import build_head, move_targets
from onlay.tasks.several.named import targets_in
from onlay.testing.checking import Broken, require
from onlay.testing.datasets.case import DatasetCase

BATCH = 2


def no_task(case: DatasetCase) -> str:
    word = case.splits.targets
    if not word:
        return "it does not tell what its targets are"
    return "" if _tasks(case) else f"no installed task learns from `{word}` on such a backbone"


def check_tasks_learn_from_its_targets(case: DatasetCase) -> None:
    """Each installed task that learns from what `Splits.targets` says makes one batch of items of
    the training part, and its loss of them is a finite number."""
    for task in _tasks(case):
        try:
            loss = _loss(case, task)
        except (OnlayError, ValueError, TypeError, RuntimeError, LookupError) as error:
            raise Broken(f"task `{task.name}` does not take them: {error}") from error
        finite = loss.ndim == 0 and bool(loss.isfinite())
        require(finite, f"the loss of task `{task.name}` is {loss.detach().tolist()}")


def _tasks(case: DatasetCase) -> list[Task]:
    provides = case.backbone.anatomy.provides
    tasks = case.host.tasks.values()
    return [t for t in tasks if t.targets == case.splits.targets and t.needs <= provides]


def _settings(case: DatasetCase, task: Task) -> Mapping[str, Any]:
    """Its usual ones; of several heads one for each target that an installed task learns from."""
    if task.targets != "several":
        return task.examples[0]
    keys = targets_in(case.splits.labels)
    able = [(other.targets, other) for other in case.host.tasks.values() if other.targets in keys]
    return {"heads": {key: {"name": other.name, **other.examples[0]} for key, other in able}}


def _loss(case: DatasetCase, task: Task) -> Any:
    """Of data that are read anew, as the task changes how targets come."""
    splits, host = case.read(), case.host
    config = parse("task", {"name": task.name, **_settings(case, task)}, host)
    head: Any = build_head(config, case.backbone, splits.labels, host)
    move_targets(head, splits.train)
    head.prepare(splits)
    items = [item_at(splits.train, index) for index in range(min(BATCH, len(splits.train)))]  # type: ignore[arg-type]
    inputs, targets = getattr(head, "collate", stacked)(items)
    with torch.no_grad():
        features = case.backbone.anatomy.encode(inputs, levels=getattr(head, "levels", ()))
        whole = getattr(head.train(), "forward_loss", None)
        return whole(features, targets) if whole else head.loss(head(features), targets)
