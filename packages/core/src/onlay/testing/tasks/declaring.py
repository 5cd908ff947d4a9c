"""What a task says of itself before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from onlay.batches import tensors_of
from onlay.errors import OnlayError
from onlay.model.assemble import build_head
from onlay.testing.checking import Broken, require
from onlay.testing.effects import require_effects
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)
from onlay.testing.small import TINY, fits
from onlay.testing.states import bits
from onlay.testing.tasks.case import TaskCase


def from_a_file(case: TaskCase) -> str:
    return not_installed("task", case.task.name, case.host)


def needs_nothing(case: TaskCase) -> str:
    return "" if case.task.needs else "the task needs nothing in particular"


def check_registering_imports_no_torch(case: TaskCase) -> None:
    """Listing the task and its settings imports neither torch nor a library of networks."""
    listing_imports_no_torch("task", case.task.name, case.settings)


def check_settings_round_trip(case: TaskCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("task", case.config, case.host)


def check_settings_are_described(case: TaskCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)


def check_every_setting_has_an_effect(cases: Sequence[TaskCase]) -> None:
    """Of every setting some value changes the head, its loss, its answers, its metrics or which is
    the main one, or the task declares it `quiet` with a reason."""
    require_effects(cases, (_start, _work), cases[0].task.quiet)


def _start(case: TaskCase) -> dict[str, Tensor]:
    return bits(case.head())


def _work(case: TaskCase) -> dict[str, Tensor]:
    """What a head that is away from its start makes of the case's data."""
    head = case.moved()
    features = case.features(head)
    with torch.no_grad():
        torch.manual_seed(0)
        found = {"loss": case.loss(head.train(), features)}
        output = head.eval()(features)
        found |= {f"output {n}": leaf for n, leaf in enumerate(tensors_of(output))}
        found |= {"answers": _bytes(head.predict(output)), "judged by": _bytes(head.main_metric)}
    return found | _measured(head, output, case.targets)


def _bytes(said: Any) -> Tensor:
    return torch.frombuffer(bytearray(repr(said).encode()), dtype=torch.uint8)


def _measured(head: Any, output: Any, targets: Any) -> dict[str, Tensor]:
    if not find_spec("torchmetrics"):
        return {}
    metrics = head.metrics()
    metrics.update(output, targets)
    return {f"metric {name}": value for name, value in metrics.compute().items()}


def check_refuses_what_lacks_its_needs(case: TaskCase) -> None:
    """A backbone that lacks what the task `needs` is refused in one sentence that names it."""
    for built in (make() for make in TINY.values()):
        if fits(case.task, built):
            continue
        try:
            build_head(case.config, built, case.data[0], case.host)
        except OnlayError as error:
            text = str(error)
            lacking = case.task.needs - built.anatomy.provides
            named = any(f"`{trait}`" in text for trait in lacking)
            require(named and "\n" not in text, f"the refusal does not say what lacks: {text}")
        else:
            raise Broken(f"it takes `{built.label}`")
