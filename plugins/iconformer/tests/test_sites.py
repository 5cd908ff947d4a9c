"""Where in a block the adapter adds: behind LayerScale in parallel, before it in sequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.anatomy import Placement
from onlay.testing import tiny_backbone
from onlay_iconformer.adapter import attach
from onlay_iconformer.config import IconformerConfig

KINDS = [
    "vit_tiny_patch16_224",
    "vit_small_patch14_reg4_dinov2",
    "vit_small_patch16_dinov3",
    "beit_base_patch16_224",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
]


def first_block(model: Any) -> tuple[Tensor, Tensor]:
    """What the first block of a network gives more than without adapter, and what its adapter
    did."""
    block, outputs, added = model.anatomy.blocks[0].module, [], []
    branch = next(m for m in model.adapter.modules() if type(m).__name__ == "InputConditioned")
    images = model.anatomy.example(2)
    hooks = [
        block.register_forward_hook(lambda _, __, out: outputs.append(out)),
        branch.register_forward_hook(lambda _, __, out: added.append(out)),
    ]
    with torch.no_grad():
        model(images)
        with model.disabled():
            model.anatomy.encode(images)
    for hook in hooks:
        hook.remove()
    ours, plain = outputs
    assert len(added) == 1
    return ours - plain, added[0].view(plain.shape)


@pytest.mark.parametrize("name", KINDS)
def test_in_parallel_nothing_scales_it(
    name: str, timm_model: Any, adapt: Any, randomize: Any
) -> None:
    size = {"img_size": 28} if "patch14" in name else {}
    more, added = first_block(randomize(adapt(timm_model(name, **size))).double())
    assert added.abs().mean() > 0.01
    torch.testing.assert_close(more, added)


def test_in_sequence_layer_scale_is_behind_it(timm_model: Any, adapt: Any, randomize: Any) -> None:
    net = timm_model("vit_small_patch14_reg4_dinov2", img_size=28)
    more, added = first_block(randomize(adapt(net, placement="after_ffn")).double())
    gamma = net.blocks[0].ls2.gamma.detach()
    assert not torch.isclose(gamma, torch.ones(48).double()).any()
    torch.testing.assert_close(more, gamma * added)


@pytest.mark.parametrize(
    ("placement", "sites"),
    [
        ("parallel_ffn", ("mlp.res", "block.out")),
        ("after_ffn", ("mlp.out",)),
        ("after_attn", ("attn.out",)),
    ],
)
def test_one_adapter_in_every_block(placement: Any, sites: tuple[str, ...]) -> None:
    place = Placement(tiny_backbone(depth=3).anatomy)
    attach(place, IconformerConfig(placement=placement, rank=2))
    assert set(place.adapter.pipes) == {f"blocks.{i}.{site}" for i in range(3) for site in sites}
    branches = [b for pipe in place.adapter.pipes.values() for b in pipe.branches]
    assert len(branches) == 3 == len({id(b) for b in branches})
