"""Three adapters on one backbone."""

from __future__ import annotations

import sys

import pytest
import torch
from at_once import NAMES


@pytest.fixture
def three(pieces, adapt_with, built):
    """Adapters of one shape, whose saved tensors could be taken for one another's."""

    def attach(seed):
        def place_all(place):
            for block in place.blocks:
                for name in ("block.in", "attn.in", "mlp.res"):
                    place.rewrite(block.site(name), pieces["ScaleShift"](16, seed))
                side = pieces["LowRank"](16, 16, seed=seed)
                place.branch(block.site("block.in"), block.site("mlp.out"), side)
                place.thaw(block.module.norm2)

        return place_all

    models = [adapt_with(built, attach(seed), name=name) for seed, name in enumerate(NAMES)]
    for seed, model in enumerate(models):
        with torch.no_grad():
            for copied in model.adapter.thawed.parameters():
                copied.add_(0.3 * seed)
    return models


@pytest.fixture(autouse=True)
def often():
    """Threads change after nearly every line."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
