"""One implementation on every kind of backbone: timm's image transformers and point networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay.errors import AnatomyError
from onlay_smoa.mixture import RoutedAdapter, SparseMixture
from onlay_smoa.prompt import PromptGenerator

TARGETS = torch.tensor([0, 2])
VIT = {"embed_dim": 48, "num_heads": 3, "depth": 2, "img_size": 32, "num_classes": 0}
SWIN = {
    "embed_dim": 24, "depths": (1, 2), "num_heads": (2, 4), "num_classes": 0,
    "img_size": 32, "window_size": 4,
}  # fmt: skip

SEQUENCES: dict[str, tuple[str, dict[str, Any], int]] = {
    "vit": ("vit_tiny_patch16_224", VIT, 4),
    "registers, average": ("vit_medium_patch16_reg4_gap_256", VIT, 4),
    "no class token, average": (
        "vit_tiny_patch16_224", VIT | {"class_token": False, "global_pool": "avg"}, 4,
    ),
    "dinov2 with registers": ("vit_small_patch14_reg4_dinov2", VIT | {"img_size": 28}, 4),
    "dinov3": ("vit_small_patch16_dinov3", VIT, 4),
    "eva02": ("eva02_tiny_patch14_224", VIT | {"img_size": 28}, 4),
    "beit": ("beit_base_patch16_224", VIT, 4),
}  # fmt: skip
"""timm's name, a small form of it, patches."""


def pictures(size: int) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(5))


def kinds(model: Any, kind: type) -> list[Any]:
    return [m for m in model.adapter.modules() if isinstance(m, kind)]


def step_moves_everything(model: Any, inputs: Tensor, idle: int = 0) -> None:
    """All but `idle` tensors have a gradient."""
    model.train()
    model.loss((inputs, TARGETS)).backward()
    still = [n for n, p in model.adapter.named_parameters() if p.grad is None or not p.grad.any()]
    assert len(still) == idle, still


def same_state(model: nn.Module, before: dict[str, Tensor]) -> bool:
    after = model.state_dict()
    return list(after) == list(before) and all(torch.equal(after[n], t) for n, t in before.items())


@pytest.mark.parametrize("case", SEQUENCES)
def test_sequences(case: str, timm_model: Any, adapt: Any, randomize: Any) -> None:
    name, changes, patches = SEQUENCES[case]
    backbone, images = timm_model(name, **changes), pictures(changes["img_size"])
    state = {n: t.clone() for n, t in backbone.state_dict().items()}
    with torch.no_grad():
        plain = backbone.forward_features(images)
        model = adapt(backbone, pool="mean", prompts=False)
        assert torch.equal(model.backbone.forward_features(images), plain)
        model.detach()

        model = randomize(adapt(backbone, pool="prompts+mean"))
        features = model.anatomy.encode(images, inserted=2)
        assert (features.prompts.shape, features.patches.shape) == ((2, 2, 48), (2, patches, 48))
        first = 0 if features.cls is None else 1
        changed = backbone.forward_features(images)
        assert changed.shape[1] == plain.shape[1] + 2
        assert not torch.allclose(changed[:, -patches:], plain[:, -patches:], atol=0.01)
    assert len({id(m) for m in kinds(model, SparseMixture)}) == 1
    assert [m.mixture.width for m in kinds(model, RoutedAdapter)] == [16, 16]
    assert [n for n in dict(model.adapter.thawed.named_parameters()) if "norm" not in n] == (
        ["cls_token"] if first else []
    )
    step_moves_everything(model, images)
    with torch.no_grad():
        model.detach()
        assert torch.equal(backbone.eval().forward_features(images), plain)
    assert same_state(backbone, state)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_swin_shares_within_a_stage(name: str, timm_model: Any, adapt: Any, randomize: Any) -> None:
    """Widths of 24 and 48 in heads of 12; no prompts."""
    backbone, images = timm_model(name, **SWIN), pictures(32)
    with torch.no_grad():
        plain = backbone.forward_features(images)
        model = adapt(backbone, pool="mean")
        assert torch.equal(backbone.forward_features(images), plain)
        randomize(model)
        assert not torch.allclose(backbone.forward_features(images), plain, atol=0.01)
    users = kinds(model, RoutedAdapter)
    assert [user.mixture.width for user in users] == [12, 12, 12]
    assert users[0].mixture is not users[1].mixture
    assert users[1].mixture is users[2].mixture
    assert not kinds(model, PromptGenerator)
    assert model.adapter.tokens == 0
    norms = {n.rsplit(".", 1)[0] for n, _ in model.adapter.thawed.named_parameters()}
    assert norms == {f"layers.{at}.norm2" for at in ("0.blocks.0", "1.blocks.0", "1.blocks.1")}
    step_moves_everything(model, images)
    figures = model.figures().values
    assert {f"smoa/stage_0/{end}" for end in ("balance", "entropy/block_00")} <= figures.keys()
    assert {f"smoa/stage_1/entropy/block_0{i}" for i in (1, 2)} <= figures.keys()
    with torch.no_grad():
        model.detach()
        assert torch.equal(backbone.eval().forward_features(images), plain)


def test_what_is_shown_of_swin(timm_model: Any, adapt: Any) -> None:
    """(B, H W, h): eight by eight patches and four by four, in two and four sub-tokens."""
    model = adapt(timm_model("swin_tiny_patch4_window7_224", **SWIN), pool="mean")
    shapes: list[Any] = []
    for user in kinds(model, RoutedAdapter):
        user.choice.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape)))
    with torch.no_grad():
        model(pictures(32))
    assert shapes == [(2, 64, 2), (2, 16, 4), (2, 16, 4)]


def test_prompts_have_no_room_on_swin(timm_model: Any, adapt: Any, host: Any) -> None:
    backbone = timm_model("swin_tiny_patch4_window7_224", **SWIN)
    reason = "windows of a fixed number of tokens, where the prompts .* have no place; leave it out"
    with pytest.raises(AnatomyError, match=reason):
        adapt(backbone, pool="mean", prompts=True)
    model = adapt(backbone, pool="mean")  # nothing was left behind
    assert model.adapter.tokens == 0


def test_swin_without_sharing(timm_model: Any, adapt: Any) -> None:
    """Each of the three blocks has its own library."""
    model = adapt(timm_model("swin_tiny_patch4_window7_224", **SWIN), pool="mean", sharing="none")
    mixtures = [user.mixture for user in kinds(model, RoutedAdapter)]
    assert len({id(m) for m in mixtures}) == 3
    library = 5 * (2 * 12 * 3 + 3 + 12) + 12 * 2 + 5 * 2 + 1
    assert [sum(p.numel() for p in m.parameters()) for m in mixtures] == 3 * [library]


@pytest.mark.parametrize("base", ["adaptformer", "adapter", "dapt"])
@pytest.mark.parametrize("kind", ["PointMae", "ReCon"])
def test_clouds(
    kind: str, base: str, points: Any, adapt: Any, clouds: Tensor, randomize: Any
) -> None:
    built = points(kind)
    with torch.no_grad():
        plain = built.module(clouds)
        model = adapt(built, base=base, pool="mean", prompts=False, position="backbone")
        assert torch.equal(built.module(clouds), plain)
        model.detach()
        model = randomize(adapt(built, base=base, pool="cls+prompts+max"))
        features = model.anatomy.encode(clouds, inserted=2)
        assert (features.prompts.shape, features.patches.shape) == ((2, 2, 24), (2, 16, 24))
        assert built.module(clouds).shape[1] == plain.shape[1] + 2
    step_moves_everything(model, clouds)
    with torch.no_grad():
        assert torch.equal(model.detach().eval()(clouds), plain)


@pytest.mark.parametrize("position", ["once", "every_block"])
def test_where_positions_are_added(position: str, points: Any, adapt: Any, clouds: Tensor) -> None:
    with torch.no_grad():
        expected = points(position=position).module(clouds)
        for own in ("once", "every_block"):
            built = points(position=own)
            adapt(built, prompts=False, position=position)
            assert torch.equal(built.module(clouds), expected)
            built = points(position=own)
            adapt(built, prompts=False, position="backbone")
            assert torch.equal(built.module(clouds), points(position=own).module(clouds))
        once = points(position="once").module(clouds)
        assert (once - points(position="every_block").module(clouds)).abs().max() > 0.01
