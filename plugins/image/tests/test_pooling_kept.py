"""A bundle goes onto a backbone that pools, normalises and is as large as the one it was trained
on, whenever that was set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

import onlay
from onlay.errors import AnatomyError, BundleError, ConfigError
from onlay.host import PluginHost
from onlay_image.anatomy.pooling import pooling_arguments
from onlay_image.backbones.build import adopt

Make = Callable[..., nn.Module]
HOST = PluginHost.discover(only="image")


def averaged(model: Any) -> None:
    model.reset_classifier(0, global_pool="avg")


def set_by_hand(model: Any) -> None:
    model.global_pool = "avg"


def maximal(model: Any) -> None:
    model.reset_classifier(0, global_pool="max")


def of_class_token(model: Any) -> None:
    model.reset_classifier(0, global_pool="token")


def adapted(model: nn.Module, **task: Any) -> Any:
    torch.manual_seed(3)
    task = {"name": "classification", **task}
    return onlay.adapt(model, "bitfit", task=task, num_classes=3, host=HOST).eval()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vit", averaged),
        ("vit", set_by_hand),
        ("siglip", maximal),
        ("beit", of_class_token),
        ("dinov3", maximal),
        ("perception_encoder", maximal),
        ("swin", maximal),
        ("swinv2", maximal),
    ],
)
@torch.no_grad()
def test_timm_makes_a_model_that_pools_as_one_does_that_was_changed(
    name: str, change: Callable[[Any], None], make: Make
) -> None:
    model = make(name)
    change(model)
    told = pooling_arguments(model)
    if told is None:  # timm before 1.0.31 has no words for such a BEiT
        assert name == "beit"
        return
    try:
        twin = make(name, **told)
    except AssertionError:
        pytest.skip("this timm makes a Swin that pools otherwise only by `reset_classifier`")
    twin.load_state_dict(model.state_dict(), strict=False)
    images = torch.randn(2, 3, *model.patch_embed.img_size)
    pooled = [adopt(each).anatomy.encode(images).pooled for each in (model, twin)]
    assert torch.equal(*pooled)
    assert not torch.equal(pooled[0], adopt(make(name)).anatomy.encode(images).pooled)


NAME = "vit_tiny_patch16_224.augreg_in21k"
SMALL = {"embed_dim": 48, "num_heads": 3, "depth": 1, "img_size": 32}


@pytest.mark.parametrize("change", [averaged, set_by_hand])
def test_the_source_of_a_bundle_says_how_it_pools(change: Callable[[Any], None]) -> None:
    model = timm.create_model(NAME, num_classes=0, **SMALL)
    change(model)
    source = adopt(model).source
    assert (
        source["model_kwargs"] | {"global_pool": "avg", "fc_norm": False}
        == (source["model_kwargs"])
    )


def test_a_pool_that_timm_does_not_know_is_a_sentence() -> None:
    config = {"name": "timm", "model": "vit_tiny_patch16_224", "pretrained": False}
    with pytest.raises(ConfigError, match=r"cannot build .* with these `model_kwargs`"):
        onlay.adapt(
            config | {"model_kwargs": {"global_pool": "median"}}, "linear", num_classes=2, host=HOST
        )


def test_a_backbone_that_pools_otherwise_is_refused_where_it_matters(
    make: Make, tmp_path: Path
) -> None:
    images = torch.randn(2, 3, 32, 32)
    bundle = adapted(make("vit")).save_pretrained(tmp_path / "a")
    other = make("vit")
    averaged(other)
    with pytest.raises(BundleError, match=r"pools by `token`, and .* pools by `avg`"):
        onlay.load(bundle, backbone=other, host=HOST)
    model = adapted(make("vit"), pool="mean")
    bundle = model.save_pretrained(tmp_path / "b")
    assert torch.equal(onlay.load(bundle, backbone=other, host=HOST)(images), model(images))


def test_norms_of_another_eps_are_refused(make: Make, tmp_path: Path) -> None:
    bundle = adapted(make("vit")).save_pretrained(tmp_path / "a")
    other: Any = make("vit")
    other.norm.eps = 1e-2
    with pytest.raises(BundleError, match=r"`eps` 1e-06, and .* 1e-06 and 0\.01"):
        onlay.load(bundle, backbone=other, host=HOST)


def test_a_backbone_of_a_fixed_other_size_is_refused(make: Make, tmp_path: Path) -> None:
    bundle = adapted(make("swin")).save_pretrained(tmp_path / "a")
    with pytest.raises(BundleError, match="does not take: the network takes images of 64 x 64"):
        onlay.load(bundle, backbone=make("swin", img_size=64), host=HOST)


def test_a_backbone_of_any_size_reads_at_the_size_of_training(make: Make, tmp_path: Path) -> None:
    bundle = adapted(make("dinov3")).save_pretrained(tmp_path / "a")
    model = onlay.load(bundle, backbone=make("dinov3", img_size=64), host=HOST)
    assert model.preprocessing["img_size"] == [32, 32]
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 3)


def test_preprocessing_that_loading_would_refuse(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"`preprocessing\.img_size`: Input should be"):
        onlay.adapt(make("vit"), "linear", num_classes=2, preprocessing={"img_size": 32}, host=HOST)


class OwnVit(VisionTransformer):
    """What somebody makes of timm's."""


@pytest.mark.parametrize("wrap", [lambda model: model, nn.Sequential])
def test_a_class_of_ones_own_is_named(wrap: Callable[[nn.Module], nn.Module]) -> None:
    model = OwnVit(img_size=32, embed_dim=48, depth=1, num_heads=3)
    with pytest.raises(AnatomyError, match=r"`OwnVit` models cannot be adapted; .* themselves"):
        onlay.adapt(wrap(model), "linear", num_classes=2, host=HOST)


def test_of_a_part_the_whole_is_named() -> None:
    held = nn.Sequential(nn.Flatten(), timm.layers.PatchEmbed(32, 16, 3, 48))
    with pytest.raises(AnatomyError, match=r"a `Sequential` holds no .* of `1`: `PatchEm"):
        onlay.adapt(held, "linear", num_classes=2, host=HOST)
