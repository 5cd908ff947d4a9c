"""A pass that begins behind a block, with what the blocks up to it gave."""

from __future__ import annotations

import torch

import onlay
from onlay.features import Features
from onlay.model.prefix import Prefix
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import outputs_of
from onlay.testing.checking import require


def no_second_block(case: BackboneCase) -> str:
    return "" if len(case.anatomy.blocks) > 1 else "it has one block"


def check_a_pass_can_begin_behind_a_block(case: BackboneCase) -> None:
    """What leaves a block, with what `kept_beside` gives, makes the same features as the inputs:
    nothing behind needs more of `skipped` than its shape."""
    model = onlay.adapt(case.copied(), "linear", num_classes=2, host=case.host, verify=False)
    inputs = case.inputs()
    with torch.no_grad():
        expected = outputs_of(model.features(inputs))
        found = [_begun(model, inputs, keeps) for keeps in (False, True)]
    moved = [[n for n, t in expected.items() if not torch.equal(o[n], t)] for o in found]
    require(not all(moved), f"`{(moved[1] or [''])[0]}` is another where a pass begins later")


def _begun(model: onlay.AdaptedModel, inputs: torch.Tensor, keeps: bool) -> dict[str, torch.Tensor]:
    """With inputs beside, which a block may read, or without."""
    model.prefix = Prefix(len(model.anatomy.blocks) - 1, inputs=keeps)
    features: Features = model._features(model.prefix.capture(model, inputs), ())
    return outputs_of(features)
