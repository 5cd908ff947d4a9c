"""What a method says of itself before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.effects import require_effects
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)
from onlay.testing.states import bits, step


def from_a_file(case: MethodCase) -> str:
    return not_installed("method", case.method.name, case.host)


def check_registering_imports_no_torch(case: MethodCase) -> None:
    """Listing the method, its settings and its traits imports neither torch nor a library of
    networks."""
    listing_imports_no_torch("method", case.method.name, case.settings)


def check_settings_round_trip(case: MethodCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("method", case.config, case.host)


def check_settings_are_described(case: MethodCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)


def check_what_folds_is_static(case: MethodCase) -> None:
    """A method that says what of it depends on the input does not promise to fold: folded weights
    are the same for all inputs."""
    told = case.method.dynamic
    require(
        not (told and "foldable" in case.traits),
        f"`{case.method.name}` promises `foldable` and declares `dynamic`: {told}",
    )


def check_refuses_in_words(case: MethodCase) -> None:
    """What a method refuses by its settings it says in words that end a sentence; nothing where it
    runs."""
    for provides in (frozenset[str](), case.build().anatomy.provides):
        told = case.method.refused(case.config, provides)
        words = isinstance(told, str) and "\n" not in told and not told.endswith(".")
        require(words, f"`{case.method.name}` answers {told!r} and not words to end a sentence")


def check_every_setting_has_an_effect(cases: Sequence[MethodCase]) -> None:
    """Of every setting some value changes what trains, where it starts or what training makes of
    it, or the method declares it `quiet` with a reason."""
    require_effects(cases, (_start, _training), cases[0].method.quiet)


def _start(case: MethodCase) -> dict[str, Tensor]:
    return bits(case.model().adapter)


def _training(case: MethodCase) -> dict[str, Tensor]:
    """Parameters and outputs behind two steps."""
    model = case.model()
    batch = case.batch(model)
    torch.manual_seed(7)
    step(model, batch, 2)
    with torch.no_grad():
        return {**bits(model.adapter), "outputs": model(batch[0])}
