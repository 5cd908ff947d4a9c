"""None"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from official_files import UNTOUCHED, Listed, Shapes, backbone_of, numbered, prefixed, saved
from safetensors.torch import save_file
from torch import Tensor

from onlay.errors import BundleError
from onlay_pointcloud.backbones.checkpoints import load_weights
from onlay_pointcloud.backbones.config import (
    ActConfig,
    PointBertConfig,
    PointMaeConfig,
    PublishedBackbone,
    ReConAsMaeConfig,
    ReConConfig,
)
from onlay_pointcloud.network.point_mae import PointMae

NO_CLASS_TOKEN = {"cls_token", "cls_pos"}


def check(
    model: PointMae, state: Mapping[str, Tensor], prefix: str, missing: Iterable[str]
) -> None:
    """Every tensor of the model holds its number, but those that such a file does not have."""
    missing = set(missing)
    for name, tensor in model.state_dict().items():
        expected = UNTOUCHED if name in missing else state[prefix + name].flatten()[0]
        assert tensor.flatten()[0] == tensor.flatten()[-1] == expected, name


def test_pretraining_of_point_mae(tmp_path: Path, listed: Listed, network: Any) -> None:
    """209 tensors: 156 of the encoder, 53 left out; class token and position are not in it."""
    state = numbered(listed("mae_pretrain"))
    assert len(state) == 209
    assert len([name for name in state if name.startswith("MAE_encoder.")]) == 156
    config = PointMaeConfig(weights=saved(tmp_path / "pretrain.pth", state))
    model = network(config)
    load_weights(model, config)
    check(model, state, "MAE_encoder.", NO_CLASS_TOKEN)


def test_pretraining_of_point_mae_on_several_gpus(
    tmp_path: Path, listed: Listed, network: Any
) -> None:
    state = numbered(listed("mae_pretrain"))
    path = saved(tmp_path / "p.pth", {f"module.{name}": t for name, t in state.items()})
    config = PointMaeConfig(weights=path)
    model = network(config)
    load_weights(model, config)
    check(model, state, "MAE_encoder.", NO_CLASS_TOKEN)


def test_pretraining_of_act(tmp_path: Path, listed: Listed, network: Any) -> None:
    """Class token and position are in it; teacher, heads and mask token are left out."""
    shapes = prefixed("ACT_encoder.", backbone_of(listed("mae_ft")))
    more: Shapes = {
        "ACT_encoder.lm_head.weight": (8, 384), "ACT_encoder.cls_head.0.weight": (8, 384),
        "ACT_encoder.mask_token": (1, 1, 384), "dvae.encoder.weight": (3, 3),
    }  # fmt: skip
    state = numbered(shapes | more)
    config = ActConfig(weights=saved(tmp_path / "act.pth", state))
    model = network(config)
    load_weights(model, config)
    check(model, state, "ACT_encoder.", ())


@pytest.mark.parametrize("momentum", [False, True])
def test_pretraining_of_point_bert(
    tmp_path: Path, listed: Listed, network: Any, momentum: bool
) -> None:
    """Two copies of the network; the authors fine-tune `transformer_q`, DAPT's `transformer_k`."""
    own = backbone_of(listed("bert_ft"))
    head: Shapes = {"cls_head.0.weight": (8, 384), "lm_head.bias": (8,), "mask_token": (1, 1, 384)}
    shapes = prefixed("transformer_q.", own | head) | prefixed("transformer_k.", own | head)
    state = numbered(shapes | {"dvae.codebook": (8, 4), "queue": (4, 4), "queue_ptr": (1,)})
    config = PointBertConfig(weights=saved(tmp_path / "bert.pth", state), momentum=momentum)
    model = network(config)
    load_weights(model, config)
    check(model, state, "transformer_k." if momentum else "transformer_q.", ())


def test_pretraining_of_recon_for_both_of_its_forms(
    tmp_path: Path, listed: Listed, network: Any
) -> None:
    shapes = prefixed("MAE_encoder.", backbone_of(listed("recon_ft")))
    state = numbered(shapes | {"visual.proj": (3, 3), "MAE_decoder.norm.weight": (384,)})
    path = saved(tmp_path / "recon.pth", state)
    for config in (ReConConfig(weights=path), ReConAsMaeConfig(weights=path)):
        model = network(config)
        load_weights(model, config)
        check(model, state, "MAE_encoder.", ())


@pytest.mark.parametrize(
    ("config", "listing"),
    [
        (PointMaeConfig, "mae_ft"),
        (ActConfig, "mae_ft"),
        (PointBertConfig, "bert_ft"),
        (ReConConfig, "recon_ft"),
        (ReConAsMaeConfig, "recon_ft"),
    ],
)
def test_fine_tuned_files(
    tmp_path: Path,
    listed: Listed,
    network: Any,
    config: Callable[..., PublishedBackbone],
    listing: str,
) -> None:
    """Names without a prefix; the classifier is left out."""
    state = numbered(listed(listing))
    given = config(weights=saved(tmp_path / "best.pth", state))
    model = network(given)
    load_weights(model, given)
    check(model, state, "", ())


def test_part_segmentation_files(tmp_path: Path, listed: Listed, network: Any) -> None:
    """Under `model_state_dict`, without class token; the decoder is left out. A network that has
    a class token does not take its absence in silence."""
    shapes = {n: s for n, s in backbone_of(listed("mae_ft")).items() if n not in NO_CLASS_TOKEN}
    decoder: Shapes = {
        "label_conv.0.weight": (64, 16, 1), "propagation_0.mlp_convs.0.weight": (1536, 1155, 1),
        "convs1.weight": (512, 3392, 1), "bns1.weight": (512,), "convs3.bias": (50,),
    }  # fmt: skip
    state = numbered(shapes | decoder)
    path = saved(tmp_path / "best_model.pth", state, under="model_state_dict")
    config = PointMaeConfig(weights=path, class_token=False)
    model = network(config)
    load_weights(model, config)
    check(model, state, "", ())
    strict = PointMaeConfig(weights=path)
    with pytest.raises(BundleError, match=r"missing tensors: `cls_pos`, `cls_token`"):
        load_weights(network(strict), strict)


def test_pretraining_loads_without_a_class_token(
    tmp_path: Path, listed: Listed, network: Any
) -> None:
    state = numbered(listed("mae_pretrain"))
    config = PointMaeConfig(weights=saved(tmp_path / "p.pth", state), class_token=False)
    model = network(config)
    load_weights(model, config)
    check(model, state, "MAE_encoder.", ())


@pytest.mark.parametrize("prefix", ["", "base_model.", "module.base_model."])
def test_second_spellings_and_safetensors(
    tmp_path: Path, listed: Listed, network: Any, prefix: str
) -> None:
    state = numbered(backbone_of(listed("mae_ft")))
    path = tmp_path / "weights.safetensors"
    save_file({prefix + name: tensor.contiguous() for name, tensor in state.items()}, path)
    config = PointMaeConfig(weights=path)
    model = network(config)
    load_weights(model, config)
    check(model, state, "", ())


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "module.", "model.", "net.backbone._orig_mod."])
def test_names_that_wrappers_put_before_all_are_looked_through(
    tmp_path: Path, listed: Listed, network: Any, wrapper: str
) -> None:
    state = numbered(listed("mae_pretrain"))
    beside = {"criterion.temperature": torch.zeros(1)} if wrapper.startswith(("mod", "net")) else {}
    wrapped = {wrapper + name: tensor for name, tensor in state.items()} | beside
    config = PointMaeConfig(weights=tmp_path / "p.ckpt")
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "p.ckpt")
    model = network(config)
    load_weights(model, config)
    check(model, state, "MAE_encoder.", NO_CLASS_TOKEN)
