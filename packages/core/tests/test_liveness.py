"""An adapter that would do nothing is an error at attach, whatever the magnitudes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from onlay.anatomy.liveness import prove_alive
from onlay.errors import AnatomyError


def test_a_site_that_is_never_met_is_named(built, adapt_with, pieces):
    """The functional-weight trap of BEiT, EVA-02 and Swin-V2: `qkv` is read, never called."""
    attention = built.module.blocks[1].attn

    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.owner = [attention]

        def forward(self, x):
            return F.linear(x, self.owner[0].qkv.weight, self.owner[0].qkv.bias)

    reads = Reads()
    attention.forward = lambda x: attention.proj(reads(x)[..., :16])
    with pytest.raises(AnatomyError, match=r"`blocks.1.qkv.out` would do nothing"):
        adapt_with(
            built,
            lambda p: p.branch(
                p.blocks[1].site("attn.in"), p.blocks[1].site("qkv.out"), pieces["LowRank"](16, 48)
            ),
        )


def test_a_tensor_without_a_way_to_the_features_is_named(built, adapt_with):
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = (nn.Parameter(torch.zeros(16)) for _ in range(2))

        def forward(self, x):
            return x + self.used

    with pytest.raises(AnatomyError, match=r"`blocks.0.attn_in.rewrites.0.unused` would never"):
        adapt_with(built, lambda p: p.rewrite(p.blocks[0].site("attn.in"), Idle()))


def test_tiny_magnitudes_do_not_count_as_dead(built, adapt_with, pieces):
    """LayerScale at 1e-5 and zero-initialised factors hide an effect, not the graph."""
    low_rank = pieces["LowRank"](16, 16)
    with torch.no_grad():
        low_rank.up.zero_()
        built.module.blocks[0].mlp.fc2.weight.mul_(1e-12)
    adapt_with(
        built, lambda p: p.branch(p.blocks[0].site("mlp.in"), p.blocks[0].site("mlp.out"), low_rank)
    )


def test_a_frozen_adapter_tensor_and_a_leaked_backbone_tensor_are_named(built, adapt_with, pieces):
    frozen = pieces["ScaleShift"](16)
    frozen.shift.requires_grad_(False)
    with pytest.raises(AnatomyError, match=r"`blocks.0.attn_in.rewrites.0.shift` does not require"):
        adapt_with(built, lambda p: p.rewrite(p.blocks[0].site("attn.in"), frozen), name="a")

    def leak(place):
        place.blocks[0].module.norm1.weight.requires_grad_(True)

    with pytest.raises(AnatomyError, match=r"lets `blocks.0.norm1.weight` of the backbone train"):
        adapt_with(built, leak, name="b")


def test_the_check_leaves_modes_and_generators_alone(built, adapt_with, pieces):
    model = adapt_with(
        built, lambda p: p.rewrite(p.blocks[0].site("attn.in"), pieces["ScaleShift"](16))
    )
    model.train()
    before = torch.get_rng_state()
    prove_alive(model.adapter)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(m.training for m in built.module.modules())
