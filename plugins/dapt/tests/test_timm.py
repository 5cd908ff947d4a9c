"""DAPT on timm's own models, and why Swin cannot carry it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

import onlay
from onlay.config.run import RunConfig
from onlay.errors import AnatomyError, CannotFold

pytest.importorskip("onlay_image", reason="the backbones are timm's, which come with onlay-image")
timm = pytest.importorskip("timm", reason="comes with onlay-image")

SMALL = {"embed_dim": 48, "num_heads": 3, "depth": 2, "img_size": 32, "num_classes": 0}


@pytest.fixture
def photographs() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def test_published_vit_b_size(host: Any) -> None:
    with torch.device("meta"):
        backbone = timm.create_model("vit_base_patch16_224")
    model = onlay.adapt(backbone, "dapt", num_classes=10, host=host, verify=False)
    # 12 (4 * 768 + 1 + 1537 * 64 + 2 * (3 * 768 + 4 * 768 + 5 * 768)) + 4 * 768, and a class token
    block = 3_073 + 98_368 + 2 * 12 * 768
    assert model.trainable_report().method == 12 * block + 4 * 768
    assert model.trainable_report().other == 768


@pytest.mark.parametrize(
    ("name", "method", "other"),
    [
        # a block: 4 * 768 + 1 + 1537 * 64 of the adapter; twice the channels: 6 * 768 at norms and
        # attention, 2 * 768 behind the MLP and on the prompt, 2 * 2048 of gate and value
        ("eva02_base_patch14_224", 12 * (101_441 + 2 * (4_608 + 1_536 + 4_096)) + 4 * 768, 768),
        # 4 * 384 + 1 + 769 * 64; 8 * 384 and 2 * 1536 channels
        ("vit_small_plus_patch16_dinov3", 12 * (50_753 + 2 * (3_072 + 3_072)) + 4 * 384, 384),
    ],
)
def test_gated_mlps_of_full_size(name: str, method: int, other: int, host: Any) -> None:
    with torch.device("meta"):
        model = onlay.adapt(timm.create_model(name), "dapt", host=host, num_classes=3, verify=False)
    assert (model.trainable_report().method, model.trainable_report().other) == (method, other)


@pytest.mark.parametrize(
    ("name", "changes", "left"),
    [
        ("vit_tiny_patch16_224", {}, []),
        ("vit_tiny_patch16_224", {"qkv_bias": False, "reg_tokens": 2}, []),
        ("vit_medium_patch16_reg4_gap_256", {}, ["norm.out"]),  # its norm comes after pooling
        ("eva02_base_patch14_224", {"patch_size": 8}, ["norm.out"]),  # q, k, v and SwiGLU apart
        ("vit_small_plus_patch16_dinov3", {}, []),
    ],
)
def test_trains_and_exports(
    name: str, changes: Any, left: list[str], adapt: Any, photographs: Tensor, randomize: Any
) -> None:
    torch.manual_seed(0)
    backbone = timm.create_model(name, **(SMALL | changes))
    before = {n: t.clone() for n, t in backbone.state_dict().items()}
    model = adapt(backbone, pool="prompts+mean").train()
    model.loss((photographs, torch.tensor([0, 1]))).backward()
    randomize(model.eval())
    with torch.no_grad():
        merged = model.merge(partial=True)
        torch.testing.assert_close(merged(photographs), model(photographs), atol=1e-5, rtol=1e-5)
    assert [path for path, pipe in merged.adapter.pipes.items() if len(pipe.rewrites)] == left
    with pytest.raises(CannotFold):
        model.merge()
    model.detach()
    assert all(torch.equal(backbone.state_dict()[n], t) for n, t in before.items())


def test_refuses_swin_in_one_sentence(host: Any, tmp_path: Any) -> None:
    reason = "cannot run on `.*swin.*`: its attention works in windows of a fixed number of tokens"
    name = "swin_tiny_patch4_window7_224"
    with torch.device("meta"):
        swin = timm.create_model(name)
    with pytest.raises(AnatomyError, match=reason):
        onlay.adapt(swin, "dapt", num_classes=3, host=host)
    run = {"backbone": name, "method": "dapt", "data": {"name": "image_folder", "path": "x"}}
    with pytest.raises(ValidationError, match=reason):
        RunConfig.model_validate(run, context={"host": host})


@pytest.mark.parametrize("version", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_without_prompts_on_swin(version: str, adapt: Any, photographs: Tensor) -> None:
    """Widths 24 and 48: 4 D + 1 + (2 D + 1) r and 2 * 11 D a block, and 2 D at either end."""
    sizes = {"embed_dim": 24, "depths": (1, 1), "num_heads": (2, 4)}
    shape = {"img_size": 32, "window_size": 4, "num_classes": 0}
    swin = timm.create_model(version, **sizes, **shape)
    for norm in (block.norm2 for layer in swin.layers for block in layer.blocks):
        torch.nn.init.ones_(norm.weight)  # Swin-V2's start at zero, behind the MLP
    model = adapt(swin, pool="mean", prompts=False).train()
    blocks = [4 * D + 1 + (2 * D + 1) * 4 + 2 * 11 * D for D in (24, 48)]
    assert model.trainable_report().method == sum(blocks) + 2 * (24 + 48)
    model.loss((photographs, torch.tensor([0, 1]))).backward()
    up = [p.grad for n, p in model.adapter.named_parameters() if n.endswith("up.weight")]
    assert [bool(g.any()) for g in up] == [True, True]


def test_a_gated_block_written_out(adapt: Any, photographs: Tensor, randomize: Any) -> None:
    """Scale and shift stand on gate and value before the product, one vector of both."""
    backbone = timm.create_model("vit_small_plus_patch16_dinov3", **(SMALL | {"depth": 1})).eval()
    model = adapt(backbone, prompts=False, pool="cls+mean")
    randomize(model)
    seen: dict[str, Tensor] = {}
    mlp, home = backbone.blocks[0].mlp, model.adapter.get_submodule("blocks.0")
    mlp.register_forward_pre_hook(lambda _, args: seen.update(read=args[0]))
    mlp.fc2.register_forward_pre_hook(lambda _, args: seen.update(product=args[0]))
    with torch.no_grad():
        model(photographs)
        model.detach()
        gamma, beta = home.fc1_out.rewrites[0].gamma, home.fc1_out.rewrites[0].beta
        gate = mlp.fc1_g(seen["read"]) * gamma[:192] + beta[:192]
        value = mlp.fc1_x(seen["read"]) * gamma[192:] + beta[192:]
    torch.testing.assert_close(seen["product"], torch.nn.functional.silu(gate) * value)
