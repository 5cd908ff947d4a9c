"""On timm's families: masked and packed give the same, and a closed token gets nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import onlay
from onlay.pages.observing import observe
from onlay_dyt.dispatch import Returning, Router, Taking
from onlay_dyt.macs import macs

timm = pytest.importorskip("timm", reason="comes with onlay-image")
pytest.importorskip("onlay_image", reason="the backbones are timm's: onlay-image")

COLUMN = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2}
PYRAMID = {"img_size": 32, "window_size": 4, "embed_dim": 16, "depths": (2, 2),
           "num_heads": (2, 2)}  # fmt: skip
FAMILIES = {
    "vit": ("vit_tiny_patch16_224", COLUMN),
    "beit": ("beit_base_patch16_224", COLUMN),
    "dinov3": ("vit_small_patch16_dinov3", COLUMN),
    "eva02": ("eva02_tiny_patch14_224", {**COLUMN, "img_size": 28, "patch_size": 7}),
    "gated": ("eva02_base_patch14_224", {**COLUMN, "img_size": 28, "patch_size": 7}),
    "swin": ("swin_tiny_patch4_window7_224", PYRAMID),
    "swinv2": ("swinv2_tiny_window8_256", PYRAMID),
}


def adapted(family: str, **settings: Any) -> tuple[Any, torch.Tensor]:
    """With gates that are open for some patches of every block, and what it may be given."""
    name, sizes = FAMILIES[family]
    torch.manual_seed(0)
    backbone = timm.create_model(name, num_classes=0, **sizes)
    for tensor in backbone.state_dict().values():  # Swin-V2's branches are silent at the start
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.randn_like(tensor))
    config = {"name": "dyt", "bottleneck": 8, **settings}
    model = onlay.adapt(backbone, config, num_classes=3, verify=False).eval()
    images = torch.randn(3, 3, sizes["img_size"], sizes["img_size"])
    with torch.no_grad():
        for parameter in model.trained_parameters().values():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for router in routers(model):
            router.score.weight.mul_(20)
    return model, images


def routers(model: Any) -> list[Router]:
    return [m for m in model.adapter.modules() if isinstance(m, Router)]


def rates(model: Any, images: torch.Tensor) -> list[float]:
    """Of the patches of each block, in evaluation."""
    found: list[float] = []
    hooks = [
        router.register_forward_hook(lambda m, a, y: found.append(m.now.gates.mean().item()))
        for router in routers(model)
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_masked_and_packed_agree(family: str) -> None:
    model, images = adapted(family)
    assert all(0.02 < rate < 0.98 for rate in rates(model, images))
    masked = model(images).detach()
    with torch.no_grad():
        torch.testing.assert_close(model(images), masked, rtol=1e-5, atol=1e-5)
        alone = torch.cat([model(one) for one in images.split(1)])
    torch.testing.assert_close(alone, masked, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bias", [-1e4, 1e4])
def test_none_and_all(family: str, bias: float) -> None:
    """Where all pass and adapters are silent it is the bare network; where none does, no MLP acts
    on a patch."""
    model, images = adapted(family)
    with torch.no_grad():
        for router in routers(model):
            router.score.weight.zero_()
            router.score.bias.fill_(bias)
        for name, parameter in model.trained_parameters().items():
            if name.endswith(("up", "up_bias")):
                parameter.zero_()
        features = model.features(images)
        packed = torch.cat([features.patches.flatten(1), model(images)], 1)
        with model.disabled():
            bare = model.anatomy.encode(images).patches.flatten(1)
    assert torch.equal(packed[:, : bare.shape[1]], bare) == (bias > 0)
    masked = model.features(images).patches.flatten(1)
    torch.testing.assert_close(masked, packed[:, : bare.shape[1]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["vit", "swinv2"])
def test_a_closed_patch_leaves_a_block_as_it_came_from_attention(family: str) -> None:
    model, images = adapted(family)
    streams, ends = [], []
    with torch.no_grad():
        for name, parameter in model.trained_parameters().items():
            if name.endswith(("up", "up_bias")):
                parameter.zero_()
    router, block = routers(model)[0], model.anatomy.blocks[0].module
    router.register_forward_hook(lambda m, a, y: streams.append((m.now.gates.clone(), y.clone())))
    block.register_forward_hook(lambda m, a, y: ends.append(y.clone()))
    with torch.no_grad():
        model(images)
    gates, stream = streams[0]
    closed = (gates == 0).flatten()
    width = stream.shape[-1]
    assert closed.any()
    assert torch.equal(stream.reshape(-1, width)[closed], ends[0].reshape(-1, width)[closed])
    assert not torch.equal(stream.reshape(-1, width)[~closed], ends[0].reshape(-1, width)[~closed])


def test_a_doubled_batch_is_two_passes() -> None:
    model, images = adapted("vit", dropout=0.0, rate_weight=0.0)
    targets = torch.tensor([0, 1, 2])
    model.train()
    torch.manual_seed(7)
    found = model.loss((images, targets))
    torch.manual_seed(7)
    own = model(images.repeat(2, 1, 1, 1))[:3]  # the same noise for the first half
    for router in routers(model):
        router.score.weight.data.zero_()
        router.score.bias.data.fill_(1e4)
    whole = model(images)
    kl = (whole.softmax(-1) * (whole.log_softmax(-1) - own.log_softmax(-1))).sum(-1).mean()
    expected = model.head.loss(own, targets) + model.head.loss(whole, targets) + kl
    torch.testing.assert_close(found, expected)


def test_figures_are_rates_by_block() -> None:
    model, images = adapted("vit")
    model.train().loss((images, torch.tensor([0, 1, 2])))
    values = model.figures().values
    assert set(values) == {"dyt/rate/block_00", "dyt/rate/block_01"}
    assert all(0 < value < 1 for value in values.values())


@pytest.mark.parametrize(("family", "maps", "hidden"), [("vit", 1, 96), ("gated", 2, 64)])
def test_packed_tokens_are_not_computed(family: str, maps: int, hidden: int) -> None:
    """By none of the first layers of the MLP, of which a gated one (SwiGLU) has two."""
    model, images = adapted(family)
    sizes: list[torch.Size] = []
    first, last = (
        [m for m in model.adapter.modules() if isinstance(m, kind)] for kind in (Taking, Returning)
    )
    assert len(first) == maps * len(last) == 2 * maps
    for map in first[:maps]:
        map.register_forward_hook(lambda m, a, y: sizes.append(y.shape))
    last[0].register_forward_hook(lambda m, a, y: sizes.append(a[0].shape))
    rate = rates(model, images)[0]
    assert sizes == [(round(rate * 3 * 17), hidden)] * (maps + 1)


def test_what_is_multiplied_is_what_the_arithmetic_says() -> None:
    """At the achieved rates, counted by torch; on ViT-B the same arithmetic gives the paper's.
    Routers score the class token, too, which the paper does not count."""
    model, images = adapted("vit")
    achieved = [(17 * 3 * rate - 3) / 48 for rate in rates(model, images)]  # of patches alone
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    blocks = 3 * macs(24, achieved, patches=16, bottleneck=8)
    embedding, head = 3 * 16 * 3 * 8 * 8 * 24, 3 * 24 * 3
    scored = 3 * 2 * 24
    expected = 2 * (blocks + embedding + head + scored)
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-6)


def test_a_page_shows_which_patches_were_computed() -> None:
    model, images = adapted("swin")
    seen = observe(model, Path("a.png"), images[:1])
    own = [signal for signal in seen.signals if signal.name == "passes the MLP"]
    assert [signal.block for signal in own] == [0, 1, 2, 3]
    with torch.no_grad():
        found = rates(model, images[:1])
    for signal, rate in zip(own, found, strict=True):
        assert set(signal.patches_NK.unique().tolist()) == {0.0, 1.0}
        assert signal.patches_NK.mean().item() == pytest.approx(rate)
