"""Folders from and to plain peft, and what cannot be one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import onlay
from onlay.errors import BundleError, OnlayError
from onlay_peft.exporter import export
from onlay_peft.importer import read

pytest.importorskip("onlay_image", reason="the backbones are timm's, which come with onlay-image")
timm = pytest.importorskip("timm", reason="comes with onlay-image")
import peft  # noqa: E402
from peft_beside import (  # noqa: E402
    EVERY_LAYER,
    SWIN,
    THEIR_LAYERS,
    TUNERS,
    VIT,
    backbone,
    ours,
)


@pytest.mark.parametrize("kind", [VIT, SWIN], ids=["vit", "swin"])
@pytest.mark.parametrize("tuner", ["lora", "dora", "vera", "oft"])
def test_a_folder_of_ours_loads_in_plain_peft(
    tuner: str, kind: Any, photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    model = ours(kind, tuner, TUNERS[tuner][0], host).eval()
    move(model)
    assert export(model, tmp_path / "theirs") == ""
    plain = peft.PeftModel.from_pretrained(backbone(kind, classes=3), tmp_path / "theirs")
    with torch.no_grad():
        assert (plain.eval()(photographs) - model(photographs)).abs().max() < 1e-6


@pytest.mark.parametrize("kind", [VIT, SWIN], ids=["vit", "swin"])
@pytest.mark.parametrize("tuner", ["lora", "dora", "vera", "oft"])
def test_a_folder_of_plain_peft_becomes_a_bundle(
    tuner: str, kind: Any, photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    options, config = TUNERS[tuner]
    made = config(target_modules=THEIR_LAYERS, modules_to_save=["head"], **options)
    torch.manual_seed(7)
    plain = peft.get_peft_model(backbone(kind, classes=3), made)
    move(plain)
    plain.save_pretrained(tmp_path / "theirs")
    model = read(tmp_path / "theirs", backbone=backbone(kind), host=host)
    assert model.method.sites == tuple(EVERY_LAYER)
    with torch.no_grad():
        expected = plain.eval()(photographs)
        assert (model(photographs) - expected).abs().max() < 1e-6
        again = onlay.load(
            model.save_pretrained(tmp_path / "ours"), backbone=backbone(kind), host=host
        )
        assert (again(photographs) - expected).abs().max() < 1e-6


def test_patterns_and_single_layers_survive_both_ways(
    photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    config = peft.LoraConfig(
        target_modules=r"blocks\.(0\.attn\.(qkv|proj)|1\.attn\.qkv|1\.mlp\.fc2)",
        r=4,
        rank_pattern={r"blocks\.1\.attn\.qkv": 2, "fc2": 3},
        alpha_pattern={"qkv": 5},
        modules_to_save=["head"],
    )
    plain = peft.get_peft_model(backbone(VIT, classes=3), config)
    move(plain)
    plain.save_pretrained(tmp_path / "theirs")
    model = read(tmp_path / "theirs", backbone=backbone(VIT), host=host)
    assert set(model.method.sites) == {"qkv.out", "blocks.0.attn.out", "blocks.1.mlp.out"}
    assert model.method.options == {
        "r": 4,
        "rank_pattern": {"blocks.1.qkv.out": 2, "blocks.1.mlp.out": 3},
        "alpha_pattern": {"qkv.out": 5},
    }
    export(model, tmp_path / "back")
    back = peft.PeftModel.from_pretrained(backbone(VIT, classes=3), tmp_path / "back").eval()
    with torch.no_grad():
        expected = plain.eval()(photographs)
        assert (model(photographs) - expected).abs().max() < 1e-6
        assert (back(photographs) - expected).abs().max() < 1e-6
    first, second = (
        load_file(tmp_path / n / "adapter_model.safetensors") for n in ("theirs", "back")
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def saved(tmp_path: Any, **change: Any) -> Any:
    """A folder of plain peft, its `adapter_config.json` changed."""
    config = peft.LoraConfig(target_modules=["qkv"], modules_to_save=["head"], r=2)
    peft.get_peft_model(backbone(VIT, classes=3), config).save_pretrained(tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "holds a `prompt_tuning`, which has no place here"),
        ({"peft_type": "ADALORA"}, "holds a `adalora`.* shared out anew"),
        ({"peft_type": None}, "was not written by peft"),
        ({"bias": "lora_only"}, "its `bias` has no counterpart here"),
        ({"modules_to_save": ["head", "norm"]}, "also saves the module `norm`"),
        ({"modules_to_save": None, "target_modules": ["qkv", "head"]}, "cannot make `lora` here"),
        ({"r": 3}, r"lora_A\.weight` is \(2, 32\) and on this backbone should be \(3, 32\)"),
        ({"target_modules": ["fc1"]}, "does not agree|do not agree"),
        ({"init_lora_weights": "pissa"}, "changing the frozen weights"),
    ],
)
def test_says_why_a_folder_cannot_be_imported(
    change: dict[str, Any], told: str, host: Any, tmp_path: Any
) -> None:
    folder = saved(tmp_path, **change)
    with pytest.raises(ValueError, match=told) as caught:
        read(folder, backbone=backbone(VIT), host=host)
    assert isinstance(caught.value, OnlayError)
    assert "\n" not in str(caught.value)


def test_needs_a_classifier_and_a_backbone(photographs: Tensor, host: Any, tmp_path: Any) -> None:
    config = peft.LoraConfig(target_modules=["qkv"], r=2)
    plain = peft.get_peft_model(backbone(VIT, classes=3), config)
    plain.save_pretrained(tmp_path)
    with pytest.raises(BundleError, match="holds no classifier"):
        read(tmp_path, backbone=backbone(VIT), host=host)
    with pytest.raises(BundleError, match="does not say which backbone"):
        read(tmp_path, host=host)
    model = read(tmp_path, backbone=backbone(VIT, classes=3), host=host)  # with its own classifier
    with torch.no_grad():
        assert (model(photographs) - plain.eval()(photographs)).abs().max() < 1e-6


def test_a_head_that_timm_cannot_have_stays_behind(
    photographs: Tensor, host: Any, move: Any, tmp_path: Any
) -> None:
    task = {"name": "classification", "hidden": [8]}
    model = onlay.adapt(backbone(VIT), "peft", task=task, num_classes=3, host=host).eval()
    move(model.adapter)
    assert "hidden layers" in export(model, tmp_path / "theirs")
    plain = peft.PeftModel.from_pretrained(backbone(VIT), tmp_path / "theirs").eval()
    with torch.no_grad():
        pooled = model.anatomy.encode(photographs).pooled
        assert (plain(photographs) - pooled).abs().max() < 1e-6


def test_a_bundle_of_another_method_is_refused(host: Any, tmp_path: Any) -> None:
    model = onlay.adapt(backbone(VIT), "bitfit", num_classes=3, host=host)
    with pytest.raises(BundleError, match="adapter is one of `bitfit`"):
        export(model, tmp_path / "theirs")


def test_a_tensor_too_few_is_told(host: Any, tmp_path: Any) -> None:
    path = saved(tmp_path) / "adapter_model.safetensors"
    state = copy.copy(load_file(path))
    gone = state.pop("base_model.model.blocks.1.attn.qkv.lora_B.weight")
    save_file(state, path)
    assert gone.shape == (96, 2)
    with pytest.raises(BundleError, match=r"blocks\.1\.attn\.qkv\.lora_B\.weight` is missing"):
        read(tmp_path, backbone=backbone(VIT), host=host)
