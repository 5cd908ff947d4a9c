"""What modules tell of themselves: figures of a training, signals of an input, what decays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import nn

from onlay.inspecting import Observation
from onlay.model.adapted import AdaptedModel
from onlay.model.losses import asked
from onlay.pages.observing import observe
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.states import OF_ALL, bits, changed, listed


def tells_no_figures(case: MethodCase) -> str:
    return "" if asked(case.lent().adapter, "figures") else "no module tells `figures`"


def shows_nothing(case: MethodCase) -> str:
    found = (_shows(module) for module in case.lent().adapter.modules())
    return "" if any(found) else "no module is `shown` or `pictured`"


def _shows(module: nn.Module) -> bool:
    return hasattr(module, "shown") or hasattr(module, "pictured")


def spares_nothing(case: MethodCase) -> str:
    asked_for = asked(case.lent().adapter, "no_weight_decay")
    return "" if asked_for else "no module brings `no_weight_decay`"


def check_figures_change_nothing(case: MethodCase) -> None:
    """What modules tell by `figures()`, before a batch and behind a step, is `Figures` of numbers
    under names that no other module uses, and asking moves no tensor and draws no random number."""
    model = case.moved().train()
    _figures(model)
    model.loss(case.batch(model)).backward()
    model.after_step(1, OF_ALL)
    _figures(model)


def _figures(model: AdaptedModel) -> None:
    with _left_alone(model, "asking for figures"):
        values: Mapping[str, Any] = model.figures().values
    odd = [name for name, value in values.items() if not isinstance(value, (int, float))]
    require(not odd, f"the figure {listed(odd)} is no number (a tensor's is `x.item()`)")


def check_what_is_shown_fits_the_input(case: MethodCase) -> None:
    """What modules show of one input, as `onlay inspect` asks for it, is a value for each token or
    a few pictures, and showing moves no tensor and draws no random number."""
    model = case.lent()
    inputs, _ = case.batch(model, 1)
    with _left_alone(model, "showing an input"):
        seen = observe(model, Path("an input"), inputs)
    _require_whole(seen)


def _require_whole(seen: Observation) -> None:
    for signal in seen.signals:
        values = signal.patches_NK  # which says so where there are fewer values than patches
        if (count := signal.categories) is not None:
            inside = bool(((values >= 0) & (values < count)).all())
            require(inside, f"`{signal.name}` shows categories outside of its {count}")


@contextmanager
def _left_alone(model: AdaptedModel, what: str) -> Iterator[None]:
    state, before = torch.get_rng_state(), bits(model)
    yield
    require(torch.equal(state, torch.get_rng_state()), f"{what} draws random numbers")
    require(not (names := changed(before, bits(model))), f"{names} changed by {what}")


def check_what_is_spared_is_there(cases: Sequence[MethodCase]) -> None:
    """What a module's `no_weight_decay()` gives are names of its own parameters: one of them at
    least is there with some settings."""
    met: dict[str, bool] = {}
    for case in cases:
        for module in case.lent().adapter.modules():
            names = _spared(module)
            if names:
                own = [name for name, _ in module.named_parameters()]
                found = any(fnmatchcase(name, pattern) for pattern in names for name in own)
                told = f"{', '.join(sorted(names))}` of `{type(module).__name__}"
                met[told] = met.get(told, False) or found
    lost = [told for told, found in met.items() if not found]
    require(not lost, f"{listed(lost)} is to be without weight decay and is no parameter")


def _spared(module: nn.Module) -> set[str]:
    names = getattr(module, "no_weight_decay", None)
    return set(names()) if callable(names) else set()
