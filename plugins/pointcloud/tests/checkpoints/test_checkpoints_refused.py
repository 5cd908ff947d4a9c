"""Files that are refused, each in a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from official_files import UNTOUCHED, Listed, backbone_of, numbered, prefixed, saved

from onlay.errors import BundleError
from onlay_pointcloud.backbones.checkpoints import load_weights
from onlay_pointcloud.backbones.config import (
    PointMaeConfig,
    PublishedBackbone,
)


def refusal(config: PublishedBackbone, network: Any) -> str:
    model = network(config)
    with pytest.raises(BundleError) as caught:
        load_weights(model, config)
    touched = [name for name, t in model.state_dict().items() if t.flatten()[0] != UNTOUCHED]
    assert not touched, "a refused file changes nothing"
    return str(caught.value)


def test_another_width_is_refused_naming_tensors(
    tmp_path: Path, listed: Listed, network: Any
) -> None:
    shapes = listed("mae_pretrain")
    narrow = {n: tuple(256 if d == 384 else d for d in s) for n, s in shapes.items()}
    path = saved(tmp_path / "narrow.pth", numbered(narrow))
    text = refusal(PointMaeConfig(weights=path), network)
    assert text.startswith(f"`{path}` is no checkpoint for `point_mae`: other shapes:")
    assert "`blocks.blocks.0.attn.proj.bias` (256,) instead of (384,)" in text
    assert text.count("instead of") == 4
    assert text.endswith(" more")


def test_point_berts_narrow_encoder_is_no_point_mae(
    tmp_path: Path, listed: Listed, network: Any
) -> None:
    path = saved(tmp_path / "bert.pth", numbered(listed("bert_ft")))
    text = refusal(PointMaeConfig(weights=path), network)
    assert "`encoder.second_conv.3.weight` (256, 512, 1) instead of (384, 512, 1)" in text


def test_recon_is_not_taken_for_point_mae(tmp_path: Path, listed: Listed, network: Any) -> None:
    shapes = prefixed("MAE_encoder.", backbone_of(listed("recon_ft")))
    path = saved(tmp_path / "recon.pth", numbered(shapes))
    text = refusal(PointMaeConfig(weights=path), network)
    assert "unexpected tensors: `blocks.blocks.0.attn_contrast.kv.weight`" in text


@pytest.mark.parametrize(
    "name", ["MAE_encoder.surplus", "surplus", "MAE_encoder.blocks.blocks.12.norm1.bias"]
)
def test_an_extra_tensor_is_refused_by_name(
    tmp_path: Path, listed: Listed, network: Any, name: str
) -> None:
    state = numbered(listed("mae_pretrain") | {name: (384,)})
    text = refusal(PointMaeConfig(weights=saved(tmp_path / "p.pth", state)), network)
    assert text.endswith(f"unexpected tensors: `{name.removeprefix('MAE_encoder.')}`")


def test_a_missing_tensor_is_refused_by_name(tmp_path: Path, listed: Listed, network: Any) -> None:
    state = numbered(listed("mae_pretrain"))
    del state["MAE_encoder.blocks.blocks.7.attn.qkv.weight"]
    text = refusal(PointMaeConfig(weights=saved(tmp_path / "p.pth", state)), network)
    assert text.endswith("missing tensors: `blocks.blocks.7.attn.qkv.weight`")


def test_a_truncated_file_is_refused(tmp_path: Path, listed: Listed, network: Any) -> None:
    path = saved(tmp_path / "p.pth", numbered(listed("mae_pretrain")))
    path.write_bytes(path.read_bytes()[:-4000])
    text = refusal(PointMaeConfig(weights=path), network)
    assert text.startswith(f"`{path}` cannot be read as tensors: it is truncated")


def test_a_file_with_code_is_refused_and_does_not_run(
    tmp_path: Path, listed: Listed, network: Any
) -> None:
    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "p.pth"
    torch.save({"base_model": numbered(listed("mae_pretrain")), "metrics": Code()}, path)
    assert "or it holds code" in refusal(PointMaeConfig(weights=path), network)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_not_there(tmp_path: Path, network: Any) -> None:
    path = tmp_path / "nowhere.pth"
    assert f"there is no file `{path}`" in refusal(PointMaeConfig(weights=path), network)


def test_weights_must_be_given_or_done_without() -> None:
    with pytest.raises(ValueError, match=r"give `weights`, .* or `pretrained: false`"):
        PointMaeConfig()
