"""A freshly attached adapter."""

from __future__ import annotations

from dataclasses import replace

import torch

from onlay.anatomy.last_blocks import held_to
from onlay.anatomy.liveness import prove_alive
from onlay.descriptors import resolve
from onlay.errors import AnatomyError
from onlay.methods.held import Held, last_blocks
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.states import bits, changed, features_of


def check_fits_where_its_needs_are_met(case: MethodCase) -> None:
    """With its usual settings the method attaches to every backbone that provides what it `needs`
    and nothing that it `refuses`."""
    case.model()


def check_every_site_is_met_and_every_parameter_connected(case: MethodCase) -> None:
    """Data pass every site that the method acts on, and a path leads from every parameter to the
    features."""
    prove_alive(case.model().adapter)


def check_starts_as_identity(case: MethodCase) -> None:
    """A method that promises `identity` leaves every feature of the backbone as it is until the
    first step."""
    built = case.bare()
    inputs = built.anatomy.example(2)
    with torch.no_grad():
        before = features_of(built, inputs)
        model = case.model(built)
        after = features_of(built, inputs, inserted=model.adapter.tokens)
    for name, tensor in before.items():
        worst = (after[name] - tensor).abs().max().item()
        require(worst <= 1e-6, f"`{name}` moves by {worst:.2g} before any step")


def check_counts_its_parameters(case: MethodCase) -> None:
    """The method trains as many parameters as its formula says, whatever the number of inputs."""
    model = case.model()
    report = model.trainable_report()
    seen = held_to(model.anatomy, last_blocks(case.config))
    declared = resolve(case.method.count or "")(case.config, seen)
    actual = report.method + report.other
    require(declared == actual, f"the formula says {declared:,} and {actual:,} train")


def check_is_held_to_the_last_blocks(case: MethodCase) -> None:
    """With `last_blocks` the method acts in these blocks alone and trains what its formula says of
    them, or says in a sentence that it acts before them; a block's `index` is its place in the
    whole backbone, not among those that are given."""
    require(
        isinstance(case.config, Held),
        "its settings have a field `last_blocks` of their own, for which the method sees all blocks"
        " whatever is set: give it another name",
    )
    held = replace(case, settings={**case.settings, "last_blocks": 1})
    try:
        model = held.model()
    except AnatomyError as error:
        require("last_blocks" in str(error), f"held to the last block it fails: {error}")
        return
    model(held.batch(model)[0])


def check_is_the_same_under_a_seed(case: MethodCase) -> None:
    """Two adapters that are made under one seed start with the same values."""
    first, second = (bits(case.model().adapter) for _ in range(2))
    require(not (names := changed(first, second)), f"{names} differ under one seed")
