"""What makes tokens of inputs."""

from __future__ import annotations

import torch

from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import encoded
from onlay.testing.checking import require
from onlay.testing.states import shake


def no_embedders(case: BackboneCase) -> str:
    return "" if case.anatomy.embedders else "it names no `embedders`"


def no_fixed_count(case: BackboneCase) -> str:
    return "not told" if case.anatomy.patches is None else ""


def check_embedders_make_tokens(case: BackboneCase) -> None:
    """Each of `embedders` is a part of the network, and other parameters in it are other
    features."""
    built, inputs = case.copied(), case.inputs()
    own, before = set(built.module.modules()), encoded(built.anatomy, inputs)["patches"]
    for name, module in built.anatomy.embedders.items():
        require(module in own, f"the embedder `{name}` is no part of the network")
        former = [p.clone() for p in module.parameters()]
        shake(module.parameters(), 0.5)
        after = encoded(built.anatomy, inputs)["patches"]
        require(not torch.equal(before, after), f"the embedder `{name}` changes no feature")
        with torch.no_grad():
            for parameter, value in zip(module.parameters(), former, strict=True):
                parameter.copy_(value)


def check_patches_are_as_many_as_it_says(case: BackboneCase) -> None:
    """Where `patches` says how many patches or groups every input has, the layout has as many."""
    encoded(case.anatomy, case.inputs())
    found = case.anatomy.layout(0).count
    require(found == case.anatomy.patches, f"it says {case.anatomy.patches} and has {found}")
