"""Merged models as plain timm models: `timm.create_model` loads them and computes the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn

import onlay
from onlay.errors import CannotFold
from onlay.model.adapted import AdaptedModel
from onlay.model.program import export as program
from onlay_image.export import export

Make = Callable[..., nn.Module]
LABELS = ["ant", "bee", "cat"]
PLAIN = {
    "name": "timm",
    "model": "vit_tiny_patch16_224",
    "pretrained": False,
    "img_size": 64,
    "model_kwargs": {"patch_size": 8, "depth": 2},
}

EXPORTED = [
    "vit",
    "deit3",
    "reg4_gap",
    "siglip",
    "dinov2_reg4",
    "clip",
    "beit",
    "beit_shared_bias",
    "eva02_functional",
    "eva02_split",
    "dinov3",
    "perception_encoder",
    "swin",
    "swin_padded",
    "swinv2",
]


def merged(backbone: Any, **kwargs: Any) -> AdaptedModel:
    """A head alone: nothing to merge, so that only the export is looked at."""
    torch.manual_seed(2)
    return onlay.adapt(backbone, "linear", labels=LABELS, **kwargs).eval().merge()


def assert_same_logits(model: AdaptedModel, other: nn.Module) -> None:
    images = model.anatomy.example(2)
    with torch.no_grad():
        torch.testing.assert_close(other.eval()(images), model(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", EXPORTED)
def test_timm_loads_it_and_computes_the_same(name: str, make: Make, tmp_path: Path) -> None:
    model = merged(make(name))
    export(model, tmp_path / "out")
    assert_same_logits(model, timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True))
    call = json.loads((tmp_path / "out/config.json").read_text())["create_model"]
    other = eval(call, {"timm": timm})
    other.load_state_dict(load_file(tmp_path / "out/model.safetensors"), strict=True)
    assert_same_logits(model, other)


def test_the_facts_beside_it(tmp_path: Path) -> None:
    statistics = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "resize": "squash"}
    model = merged(PLAIN)
    model.preprocessing.update(model.built.input_spec | statistics)
    export(model, tmp_path / "out")
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["architecture"] == "vit_tiny_patch16_224"
    assert config["label_names"] == LABELS
    assert config["num_classes"] == 3
    facts = config["pretrained_cfg"]
    assert (facts["mean"], facts["std"]) == (statistics["mean"], statistics["std"])
    assert (facts["input_size"], facts["crop_mode"]) == ([3, 64, 64], "squash")
    assert facts["crop_pct"] == 1.0
    loaded = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    assert_same_logits(model, loaded)
    assert timm.data.resolve_data_config(model=loaded)["mean"] == statistics["mean"]


def test_the_bundled_backbone_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CannotFold, match="how `onlay_vit_64` makes its patches"):
        export(merged("onlay_vit_64"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_heads_batch_norm_is_folded(tmp_path: Path) -> None:
    task = {"name": "classification", "head_norm": "batch"}
    model = merged(PLAIN, task=task)
    model.head.norm.running_mean.normal_()
    model.head.norm.running_var.uniform_(0.5, 2.0)
    export(model, tmp_path / "out")
    loaded = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    assert_same_logits(model, loaded)


def test_numbers_come_in_their_own_unit(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = onlay.adapt(PLAIN, "linear", task="regression", labels=["age", "height"])
    model.head.scale_to(torch.tensor([[1000.0, 1.5], [3000.0, 2.5]]))
    model = model.eval().merge()
    export(model, tmp_path / "out")
    other = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    images = model.anatomy.example(2)
    with torch.no_grad():
        torch.testing.assert_close(other(images), model(images), rtol=1e-4, atol=1e-4)
        assert (other(images)[:, 0] > 100).all()


def test_a_head_that_is_no_linear_layer_is_refused_in_words(tmp_path: Path) -> None:
    model = merged(PLAIN)
    model.head = nn.Linear(192, 3)
    model.head.labels = LABELS
    with pytest.raises(CannotFold, match="the head of task `classification` is none"):
        export(model, tmp_path / "out")


def test_a_single_file(tmp_path: Path) -> None:
    model = merged(PLAIN)
    export(model, tmp_path / "pets.safetensors")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pets.json", "pets.safetensors"]
    other = eval(json.loads((tmp_path / "pets.json").read_text())["create_model"], {"timm": timm})
    other.load_state_dict(load_file(tmp_path / "pets.safetensors"), strict=True)
    assert_same_logits(model, other)


@pytest.mark.parametrize("name", ["vit", "beit", "eva02_split", "swin"])
def test_the_mean_of_the_patches(name: str, make: Make, tmp_path: Path) -> None:
    kwargs = {} if name == "swin" else {"global_pool": "token"}
    model = merged(make(name, **kwargs), task={"name": "classification", "pool": "mean"})
    export(model, tmp_path / "out")
    assert_same_logits(model, timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True))


@pytest.mark.parametrize(("name", "pool"), [("vit", "cls+mean"), ("reg4_gap", "max")])
def test_pooling_that_timm_does_not_have(name: str, pool: str, make: Make, tmp_path: Path) -> None:
    model = merged(make(name), task={"name": "classification", "pool": pool})
    with pytest.raises(CannotFold) as error:
        export(model, tmp_path / "out")
    text = f"timm's `VisionTransformer` cannot pool as the head does (`{pool}`)"
    assert str(error.value) == text
    assert not (tmp_path / "out").exists()


def test_a_bias_that_merging_made(make: Make, tmp_path: Path) -> None:
    """In one block only; in the other it is zero, and `qkv_bias` says that there is one."""
    model = merged(make("vit_biasless_qkv"))
    qkv = model.backbone.blocks[1].attn.qkv
    qkv.bias = nn.Parameter(torch.randn(len(qkv.weight)))
    export(model, tmp_path / "out")
    other = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    assert not other.blocks[0].attn.qkv.bias.any()
    assert_same_logits(model, other)


def test_a_bias_that_timm_has_no_place_for(make: Make, tmp_path: Path) -> None:
    model = merged(make("eva02_split"))
    key = model.backbone.blocks[0].attn.k_proj
    key.bias = nn.Parameter(torch.ones(len(key.weight)))
    with pytest.raises(CannotFold, match=r"`Eva` .* `blocks\.0\.attn\.k_proj\.bias`"):
        export(model, tmp_path / "out")


def test_an_adapter_that_is_not_merged(tmp_path: Path) -> None:
    model = onlay.adapt("onlay_vit_64", "bitfit", labels=LABELS)
    with pytest.raises(CannotFold, match="is still an adapter"):
        export(model, tmp_path / "out")


def test_a_model_of_which_timm_does_not_know_how_it_was_made(make: Make, tmp_path: Path) -> None:
    model = merged(make("vit"))
    del model.backbone._model_args
    model.built.source = {}
    with pytest.raises(CannotFold, match="`VisionTransformer` and the merged model do not agree"):
        export(model, tmp_path / "out")


@pytest.mark.parametrize(
    "own", [{"resize": "pad"}, {"value_range": (0.0, 4095.0)}, {"percentile": (1.0, 99.0)}]
)
def test_pixels_that_timm_would_prepare_otherwise_are_refused(
    own: dict[str, Any], tmp_path: Path
) -> None:
    model = merged(PLAIN)
    model.preprocessing = {**model.built.input_spec, "resize": "crop", **own}
    (name,) = own
    with pytest.raises(CannotFold, match=f"timm has no word for `preprocess.{name}: "):
        export(model, tmp_path / "out")


def test_a_program_takes_pictures_of_the_size_that_files_are_read_to(tmp_path: Path) -> None:
    backbone = {"name": "onlay_vit_64", "dynamic_img_size": True}
    model = merged(backbone)
    model.preprocessing = {**model.built.input_spec, "img_size": (96, 96)}
    assert model.example(2).shape == (2, 3, 96, 96)
    program(model, tmp_path / "a.pt2")
    images = torch.rand(3, 3, 96, 96)
    with torch.no_grad():
        found = torch.export.load(tmp_path / "a.pt2").module()(images)
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=1e-5)
