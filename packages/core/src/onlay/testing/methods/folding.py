"""Merging an adapter into the backbone's weights."""

from __future__ import annotations

import torch

from onlay.errors import CannotFold
from onlay.testing.case import MethodCase
from onlay.testing.checking import Broken, require

CLOSE = 1e-4


def check_folds_exactly(case: MethodCase) -> None:
    """A method that promises `foldable` merges into plain weights with the same outputs, and the
    model itself stays as it is."""
    model = case.moved()
    inputs, _ = case.batch(model)
    with torch.no_grad():
        before = model(inputs)
        merged = model.merge()
        worst = (merged(inputs) - before).abs().max().item()
        require(torch.equal(model(inputs), before), "merging changed the model itself")
    require(worst <= CLOSE * max(before.abs().max().item(), 1), f"outputs move by {worst:.2g}")
    require(not list(merged.adapter.parameters()), "parameters are left after merging")


def check_folding_twice_changes_nothing(case: MethodCase) -> None:
    """Merging what is merged gives the same weights."""
    model = case.lent()
    inputs, _ = case.batch(model)
    with torch.no_grad():
        once = model.merge()
        twice = once.merge()
        require(torch.equal(once(inputs), twice(inputs)), "merging again changes the outputs")


def check_folding_is_refused_with_a_reason(case: MethodCase) -> None:
    """A method that does not promise `foldable` refuses to merge in one sentence that says why."""
    model = case.lent()
    try:
        model.merge()
    except CannotFold as error:
        require(len(str(error).split()) > 8, f"the refusal gives no reason: {error}")
    else:
        raise Broken("it merges: promise `foldable`")
