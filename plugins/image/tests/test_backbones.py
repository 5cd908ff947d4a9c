"""Backbones built by config, taken from the user, or from the wheel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from small_vit import config, vit
from timm.models import get_pretrained_cfg
from torch import nn

import onlay
from onlay.errors import AnatomyError, BundleError
from onlay_image import bundled
from onlay_image.backbones import bundled as bundled_backbone
from onlay_image.backbones.build import adopt, build
from onlay_image.backbones.config import BundledConfig, TimmConfig
from onlay_image.backbones.traits import provides
from onlay_image.data.preprocess import cropping

Make = Callable[..., nn.Module]


def test_no_weights_are_the_same_weights_every_time() -> None:
    state = torch.random.get_rng_state()
    first, second = (build(config()).module.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_built_backbone_knows_where_it_came_from() -> None:
    built = build(config(model="vit_tiny_patch16_224.augreg_in21k", drop_path=0.2))
    assert built.label == "vit_tiny_patch16_224.augreg_in21k"
    assert built.modality == "image"
    again = TimmConfig.model_validate(dict(built.source))
    assert again.drop_path == 0.2
    assert built.module.blocks[1].drop_path1.drop_prob == pytest.approx(0.2)
    assert not list(built.module.head.parameters())
    assert built.input_spec == {
        "img_size": [32, 32],
        "dynamic_img_size": False,
        "resize": "crop",
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": [0.5, 0.5, 0.5],
        "in_chans": 3,
        "std": [0.5, 0.5, 0.5],
    }


@pytest.mark.parametrize(
    ("tag", "resize", "crop_pct"),
    [
        ("openai", "crop", 0.9),
        ("laion2b_ft_in1k", "squash", 1.0),
        ("openai_ft_in12k_in1k", "squash_crop", 0.95),
    ],
)
def test_pictures_are_resized_as_timm_resizes_them(tag: str, resize: str, crop_pct: float) -> None:
    """By the weights' own `crop_mode` and `crop_pct`."""
    name = "vit_base_patch16_clip_" + ("224" if resize == "crop" else "384") + f".{tag}"
    own = build(config(model=name)).input_spec
    assert (own["resize"], own["crop_pct"]) == (resize, crop_pct)
    timms = timm.data.resolve_data_config(pretrained_cfg=get_pretrained_cfg(name).to_dict())
    words = {"crop_mode": timms["crop_mode"], "crop_pct": timms["crop_pct"]}
    assert cropping(own) == words


def test_any_size_of_swin() -> None:
    kwargs = {"depths": (1, 1), "num_heads": (3, 6), "window_size": 4}
    own = config(model="swin_tiny_patch4_window7_224", dynamic_img_size=True, model_kwargs=kwargs)
    built = build(own)
    assert built.input_spec["dynamic_img_size"]
    assert built.anatomy.encode(torch.randn(1, 3, 40, 64)).layout.height == 5


def test_an_object_that_the_user_holds_is_taken_as_it_is() -> None:
    model = vit(img_size=48, global_pool="avg")
    built = adopt(model)
    assert built.module is model
    assert model.head.out_features == 5
    again = build(TimmConfig.model_validate(dict(built.source) | {"pretrained": False}))
    own = {name: tensor.shape for name, tensor in built.anatomy.trunk().items()}
    assert own == {name: tensor.shape for name, tensor in again.anatomy.trunk().items()}


def test_adopting_what_is_not_timms() -> None:
    assert adopt(nn.Linear(2, 2)) is None
    with pytest.raises(AnatomyError, match="`ResNet` models cannot be adapted"):
        adopt(timm.create_model("resnet18"))


def test_a_source_is_empty_where_none_can_be_told() -> None:
    model = timm.models.VisionTransformer(img_size=32, embed_dim=48, num_heads=3, depth=1)
    assert adopt(model).source == {}
    assert adopt(model).label == "VisionTransformer"


def test_the_bundled_backbone() -> None:
    built = bundled_backbone.build(BundledConfig())
    count = sum(parameter.numel() for parameter in built.module.parameters())
    assert count <= 3_000_000
    assert bundled.weights_path().stat().st_size <= 6_000_000
    assert built.anatomy.provides == provides(BundledConfig())
    assert all(p.dtype == torch.float32 for p in built.module.parameters())
    assert built.anatomy.encode(torch.zeros(1, 3, 64, 64)).pooled.shape == (1, 192)


def test_damaged_bundled_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / bundled.FILE
    damaged.write_bytes(bundled.weights_path().read_bytes()[:-1])
    monkeypatch.setattr(bundled, "weights_path", lambda: damaged)
    with pytest.raises(BundleError, match="missing or damaged; install `onlay-image` again"):
        bundled_backbone.build(BundledConfig())


def test_adapt_by_name_by_config_and_by_object() -> None:
    for backbone in ("onlay_vit_64", config(), vit()):
        model = onlay.adapt(backbone, "linear", num_classes=3)
        assert model(model.anatomy.example(2)).shape == (2, 3)
