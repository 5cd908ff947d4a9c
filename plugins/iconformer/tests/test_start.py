"""At the start an adapted backbone is the backbone, bit for bit; what moves when."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay.features import Grid
from onlay_iconformer.adapter import InputConditioned
from onlay_iconformer.config import IconformerConfig

TARGETS = torch.tensor([0, 2])
PLACEMENTS = ("parallel_ffn", "after_ffn", "after_attn")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("vit_tiny_patch16_224", {}),
    "registers, average": ("vit_medium_patch16_reg4_gap_256", {}),
    "no class token": ("vit_tiny_patch16_224", {"class_token": False, "global_pool": "avg"}),
    "dinov2 with registers": ("vit_small_patch14_reg4_dinov2", {"img_size": 28}),
    "dinov3": ("vit_small_patch16_dinov3", {}),
    "eva02": ("eva02_tiny_patch14_224", {"img_size": 28}),
    "beit": ("beit_base_patch16_224", {}),
    "siglip": ("vit_base_patch16_siglip_224", {}),
    "swin": ("swin_tiny_patch4_window7_224", {}),
    "swinv2": ("swinv2_tiny_window8_256", {}),
    "swin, padded": ("swin_tiny_patch4_window7_224", {"img_size": 40}),
}


def check(backbone: nn.Module, run: Any, inputs: Tensor, adapt: Any, randomize: Any) -> None:
    """`run`: the network's own forward pass."""
    state = {n: t.clone() for n, t in backbone.state_dict().items()}
    with torch.no_grad():
        plain = run(inputs)
        for placement in PLACEMENTS:
            model = adapt(backbone, placement=placement)
            model.anatomy.encode(inputs)
            assert torch.equal(run(inputs), plain)
            randomize(model)
            changed = run(inputs)
            assert not torch.allclose(changed, plain, atol=0.01)
            assert torch.equal(model.detach().eval()(inputs), backbone(inputs))
            assert torch.equal(run(inputs), plain)
    after = backbone.state_dict()
    assert list(after) == list(state)
    assert all(torch.equal(after[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("case", MODELS)
def test_image_backbones(case: str, timm_model: Any, adapt: Any, randomize: Any) -> None:
    name, changes = MODELS[case]
    backbone: Any = timm_model(name, **changes)
    size = changes.get("img_size", 32)
    inputs = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(5))
    check(backbone, backbone.forward_features, inputs, adapt, randomize)


@pytest.mark.parametrize("kind", ["PointMae", "ReCon"])
def test_point_backbones(
    kind: str, points: Any, adapt: Any, clouds: Tensor, randomize: Any
) -> None:
    backbone = points(kind).module
    check(backbone, backbone, clouds, adapt, randomize)


def test_how_an_adapter_starts() -> None:
    torch.manual_seed(0)
    adapter: Any = InputConditioned(9, IconformerConfig(rank=200), lambda: Grid(2, 3), None)
    assert 0.33 < adapter.down.weight.abs().max() <= 1 / 3  # Kaiming, a = sqrt(5): 1 / sqrt(9)
    assert not any(t.any() for t in (adapter.down.bias, adapter.up.weight, adapter.up.bias))
    narrow = adapter.generator.kernels.weight.abs().max()
    assert 0.9 * 200**-0.5 < narrow <= 200**-0.5  # torch's own


def gradients(model: Any, inputs: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    model.train().loss((inputs, TARGETS)).backward()
    return {n: p.grad for n, p in model.adapter.named_parameters()}


def silent(found: dict[str, Tensor]) -> set[str]:
    return {name for name, gradient in found.items() if gradient is None or not gradient.any()}


@pytest.mark.parametrize(
    ("where", "generator"),
    [
        *(("map", name) for name in ("linear", "conv_pool", "se", "static")),
        *(("cloud", name) for name in ("linear", "se", "static")),
    ],
)
def test_what_moves_in_the_first_two_steps(
    where: str, generator: str, vit: Any, points: Any, adapt: Any, images: Tensor, clouds: Tensor
) -> None:
    """A zero `up` hides all that lies before it, for one step."""
    built, inputs = (vit(), images) if where == "map" else (points(), clouds)
    model = adapt(built, generator=generator, learnable_scale=True, rank=16, kernel_norm="filter")
    optimizer = torch.optim.SGD(model.adapter.parameters(), lr=1.0)
    first = gradients(model, inputs)
    assert silent(first) == {name for name in first if ".up." not in name}
    assert all(gradient is not None for gradient in first.values())
    optimizer.step()
    second = gradients(model, inputs)
    assert silent(second) == set()
    assert all(gradient.isfinite().all() for gradient in second.values())


@pytest.mark.parametrize(("prefix_tokens", "idle"), [("pass", True), ("centre_tap", False)])
def test_a_head_on_the_class_token_does_not_see_the_last_convolution(
    prefix_tokens: str, idle: bool, vit: Any, adapt: Any, images: Tensor, randomize: Any
) -> None:
    """Behind the last block only heads that read patches do; earlier blocks pass it on."""
    model = randomize(adapt(vit(depth=3), pool="cls", prefix_tokens=prefix_tokens))
    last = {
        name for name, _ in model.adapter.named_parameters()
        if name.startswith("blocks.2.") and ".generator." in name
    }  # fmt: skip
    assert len(last) == 2
    assert silent(gradients(model, images)) == (last if idle else set())


def test_learns(vit: Any, adapt: Any, images: Tensor) -> None:
    """Two images apart, from zero, with the head as it started."""
    model = adapt(vit()).train()
    optimizer = torch.optim.AdamW(model.adapter.parameters(), lr=3e-2)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = model.loss((images, TARGETS))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
