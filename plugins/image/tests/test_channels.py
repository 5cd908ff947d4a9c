"""Backbones of other channels than red, green and blue: from the file to the bundle and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

import onlay
from onlay import PluginHost
from onlay.errors import DataError
from onlay.model.adapted import AdaptedModel
from onlay.model.predict import predict
from onlay_image.backbones.build import adopt, build
from onlay_image.backbones.config import BundledConfig, TimmConfig
from onlay_image.data import folder
from onlay_image.data.config import ImageFolderConfig
from onlay_image.export import export
from onlay_image.viewer import pixels

SMALL = {"embed_dim": 24, "num_heads": 2, "depth": 1}
TINY = {"model": "vit_tiny_patch16_224", "img_size": 32, "pretrained": False, "model_kwargs": SMALL}
LABELS = ["ant", "bee"]


def adapted(**backbone: Any) -> AdaptedModel:
    torch.manual_seed(1)
    return onlay.adapt(backbone, "linear", labels=LABELS).eval()


def bands(root: Path, count: int) -> Path:
    """Class folders of pictures of so many bands."""
    for label in LABELS:
        for number in range(4):
            (root / label).mkdir(parents=True, exist_ok=True)
            values = np.random.default_rng(number).integers(0, 256, (count, 9, 8), np.uint8)
            np.save(root / label / f"{number}.npy", values)
    return root


def splits(root: Path, spec: Any, **preprocess: Any) -> Any:
    config = ImageFolderConfig(path=root, val_size=0.25, test_size=0.25, preprocess=preprocess)
    return folder.build(config, spec, 0)


@pytest.mark.parametrize("count", [1, 2, 4, 13])
def test_pictures_of_as_many_bands_reach_the_backbone(count: int, tmp_path: Path) -> None:
    built = build(TimmConfig(**TINY, in_chans=count))
    assert built.input_spec["in_chans"] == count
    made = splits(bands(tmp_path, count), built.input_spec)
    first = made.train[0][0]
    assert first.shape == (count, 32, 32)
    assert made.preprocessing["in_chans"] == count == len(made.preprocessing["mean"])
    assert built.module(first[None]).shape == (1, 24)


@pytest.mark.parametrize(("given", "taken"), [(4, 3), (3, 4), (13, 4), (2, 1)])
def test_other_bands_are_refused_before_training(given: int, taken: int, tmp_path: Path) -> None:
    spec = build(TimmConfig(**TINY, in_chans=taken)).input_spec
    said = rf"of shape \({given}, 9, 8\), and the backbone takes {taken} channels, first or last"
    with pytest.raises(DataError, match=said):
        splits(bands(tmp_path, given), spec)


def test_of_a_large_data_set_one_file_of_each_class_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onlay_image.data import splits as module

    monkeypatch.setattr(module, "CHECKED_UP_TO", 1)
    spec = build(TimmConfig(**TINY, in_chans=4)).input_spec
    root = bands(tmp_path, 4)
    (root / "bee" / "0.npy").unlink()
    Image.new("RGB", (9, 9)).save(root / "bee" / "0.jpg")
    with pytest.raises(DataError, match=r"0\.jpg.* it has 3 channels, and the backbone takes 4"):
        splits(root, spec)


def test_a_bundle_says_how_many_and_gives_the_same_network(tmp_path: Path) -> None:
    model = adapted(name="timm", **TINY, in_chans=4)
    path = model.save_pretrained(tmp_path / "bundle")
    loaded = onlay.load(path)
    assert loaded.built.source["in_chans"] == 4
    assert loaded.preprocessing["in_chans"] == 4
    inputs = model.anatomy.example(2)
    assert inputs.shape == (2, 4, 32, 32)
    torch.testing.assert_close(loaded.eval()(inputs), model(inputs), rtol=0, atol=0)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 8, 8), np.uint16), photometric="minisblack")
    ((_, answer),) = predict(loaded, [tmp_path / "a.tif"], PluginHost.discover())
    assert set(answer.probabilities) == set(LABELS)


def test_a_network_that_the_user_holds_is_described_with_its_channels() -> None:
    name = "vit_tiny_patch16_224.augreg_in21k"
    held = timm.create_model(name, pretrained=False, in_chans=4, img_size=32, **SMALL)
    built = adopt(held)
    assert built is not None
    assert (built.source["in_chans"], built.input_spec["in_chans"]) == (4, 4)
    assert len(built.input_spec["mean"]) == 4
    again = build(TimmConfig(**{**built.source, "pretrained": False, "model_kwargs": SMALL}))
    shapes = {name: tensor.shape for name, tensor in again.module.state_dict().items()}
    own = {n: t.shape for n, t in held.state_dict().items() if not n.startswith("head.")}
    assert shapes == own


def test_one_channel_computes_what_three_equal_ones_do() -> None:
    grey = torch.randn(2, 1, 64, 64)
    one, three = adapted(name="onlay_vit_64", in_chans=1), adapted(name="onlay_vit_64")
    assert one.built.input_spec["mean"] == [0.5]
    expected = three.backbone(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(one.backbone(grey), expected, rtol=1e-4, atol=1e-4)


def test_a_checkpoint_for_colours_on_a_backbone_of_one_channel(tmp_path: Path) -> None:
    three = build(TimmConfig(**TINY)).module
    save_file(three.state_dict(), tmp_path / "w.safetensors")
    one = build(TimmConfig(**TINY, in_chans=1, weights=tmp_path / "w.safetensors")).module
    weight = three.patch_embed.proj.weight.sum(1, keepdim=True)
    torch.testing.assert_close(one.patch_embed.proj.weight, weight)


def test_timm_loads_a_merged_network_of_four_channels(tmp_path: Path) -> None:
    vit = {"model": "vit_tiny_patch16_224", "pretrained": False, "img_size": 64}
    model = adapted(name="timm", **vit, in_chans=4).merge()
    export(model, tmp_path / "out")
    loaded = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    images = model.anatomy.example(2)
    torch.testing.assert_close(loaded(images), model(images), rtol=1e-5, atol=1e-5)
    facts = json.loads((tmp_path / "out/config.json").read_text())["pretrained_cfg"]
    assert facts["input_size"] == [4, 64, 64]
    assert len(facts["mean"]) == 4


@pytest.mark.parametrize(("count", "shown"), [(1, [7, 7, 7]), (2, [7, 7, 7]), (4, [7, 8, 9])])
def test_pages_show_other_channels_as_colours(count: int, shown: list[int]) -> None:
    facts = {"mean": [0.5] * count, "std": [0.25] * count}
    values = torch.tensor([7.0, 8, 9, 10][:count]).view(-1, 1, 1).expand(-1, 2, 2) / 255
    assert pixels((values - 0.5) / 0.25, facts)[:, 0, 0].tolist() == shown


def test_the_config_has_the_field() -> None:
    assert BundledConfig().in_chans == 3
    assert TimmConfig(model="x").in_chans is None
