"""The metrics of a task."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from onlay.batches import row, rows, tensors_of
from onlay.errors import OnlayError
from onlay.reports import Measure, measures_of
from onlay.testing.checking import require
from onlay.testing.tasks.case import BATCH, TaskCase
from onlay.testing.tasks.heads import as_wished, changed_in


def no_metrics(case: TaskCase) -> str:
    if not find_spec("torchmetrics"):
        return "torchmetrics is not installed (onlay-train)"
    try:
        case.head().metrics()
    except OnlayError as error:  # a package is missing, and the head says which
        return str(error) if isinstance(error.__cause__, ImportError) else ""
    return ""


def no_loss_of_outputs(case: TaskCase) -> str:
    has = hasattr(case.head(), "loss")
    return no_metrics(case) if has else "the head has no `loss` of an output alone"


def check_metrics_hold_the_main_one(case: TaskCase) -> None:
    """`metrics` gives a fresh collection each time, with `main_metric` in it, whose values are
    finite scalars."""
    head = case.moved()
    values = _values(head, changed_in(head(case.features(head)), Tensor.detach), case.targets)
    main = head.main_metric
    require(main in values, f"`{main}` is not among {', '.join(f'`{n}`' for n in values)}")
    for name, value in values.items():
        require(value.numel() == 1, f"`{name}` has the shape {tuple(value.shape)}")
        require(bool(value.isfinite().all()), f"`{name}` is {value}")


def check_main_metric_tells_good_from_bad(case: TaskCase) -> None:
    """Outputs that the loss likes have a better `main_metric` than outputs that it dislikes: a
    higher one, unless `measures` or the metric itself says that lower is better."""
    head = case.moved()
    output = head(case.features(head))
    best, worst = (
        _values(head, as_wished(head, output, case.targets, sign), case.targets)[head.main_metric]
        for sign in (1.0, -1.0)
    )
    measure = measures_of(head).get(head.main_metric, Measure())
    require(
        measure.improves(best.item(), worst.item()),
        f"good outputs reach {best.item():.4g}, bad ones {worst.item():.4g}, and"
        f" {measure.better} is better",
    )


def check_measures_are_of_metrics(case: TaskCase) -> None:
    """`measures`, if there are any, maps names of metrics to `onlay.task.Measure`s."""
    head = case.moved()
    values = _values(head, changed_in(head(case.features(head)), Tensor.detach), case.targets)
    for name, measure in getattr(head, "measures", {}).items():
        require(name in values, f"`{name}` is no metric")
        require(isinstance(measure, Measure), f"`{name}` has a `{type(measure).__name__}`")


def check_metrics_add_up(case: TaskCase) -> None:
    """A collection that sees a batch in two halves tells what one tells that sees it whole; after
    `reset` it has forgotten all."""
    head = case.moved()
    output = changed_in(head(case.features(head)), Tensor.detach)
    whole = _values(head, output, case.targets)
    metrics = head.metrics()
    metrics.update(changed_in(output, _turned), case.targets)
    metrics.reset()
    half = BATCH // 2
    for part in (slice(half), slice(half, None)):
        metrics.update(rows(output, part), rows(case.targets, part))
    for name, value in metrics.compute().items():
        same = bool(torch.isclose(value, whole[name], atol=1e-6).all())
        require(
            same, f"`{name}` is {value.item():.4g} in halves and {whole[name].item():.4g} whole"
        )


def no_constant(case: TaskCase) -> str:
    has = hasattr(case.head(), "constant")
    return no_metrics(case) if has else "the head has no `constant`"


def check_constant_is_an_answer_to_every_input(case: TaskCase) -> None:
    """`constant`, if there is one, made of the targets of single items, gives outputs that metrics
    can judge and `predict` can read, the same for every input, and says in words what it is."""
    head = case.head()
    constant = head.constant([row(case.targets, n) for n in range(BATCH)])
    require(constant.what.strip(), "`what` is empty")
    output = constant.outputs(case.targets)
    value = _values(head, output, case.targets)[head.main_metric]
    require(bool(value.isfinite().all()), f"`{head.main_metric}` of it is {value}")
    require(len(head.predict(output)) == BATCH, f"{BATCH} targets do not get as many outputs")
    shifted = rows(output, slice(1, None)), rows(output, slice(-1))
    same = (torch.equal(*pair) for pair in zip(*map(tensors_of, shifted), strict=True))
    require(all(same), "its outputs differ from input to input")


def _turned(leaf: Tensor) -> Tensor:
    return -leaf if leaf.is_floating_point() else leaf


def _values(head: Any, output: Any, targets: Any) -> dict[str, Tensor]:
    metrics = head.metrics()
    metrics.update(output, targets)
    return metrics.compute()
