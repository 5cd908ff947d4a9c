"""Files in every layout that the authors published, each tensor filled with a number of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from onlay.errors import BundleError
from onlay_pointcloud.backbones.build import empty
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

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
Listed = Callable[[str], Shapes]
UNTOUCHED = -1
NO_CLASS_TOKEN = {"cls_token", "cls_pos"}


@pytest.fixture(scope="module")
def network() -> Callable[[PublishedBackbone], PointMae]:
    """The full-size network of a config; weights alone differ from test to test."""
    made: dict[Any, PointMae] = {}

    def make(config: PublishedBackbone) -> PointMae:
        key = config.name, getattr(config, "class_token", True)
        if key not in made:
            made[key] = empty(config, **({"embed": 256} if config.name == "point_bert" else {}))
        for tensor in made[key].state_dict().values():
            tensor.fill_(UNTOUCHED)
        return made[key]

    return make


def numbered(shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
    """The i-th tensor holds i everywhere; on disk one number each, however large the tensor."""
    return {
        name: torch.tensor(i if name.endswith("tracked") else float(i)).expand(shape)
        for i, (name, shape) in enumerate(shapes.items())
    }


def saved(path: Path, state: Mapping[str, Tensor], *, under: str | None = "base_model") -> Path:
    """As the authors' training writes it: weights beside the optimizer's state and numbers."""
    extra = {"optimizer": {"state": {0: {"step": 3}}}, "epoch": 300, "metrics": {"acc": 85.18}}
    torch.save({under: dict(state), **extra} if under else dict(state), path)
    return path


def backbone_of(shapes: Shapes) -> Shapes:
    return {name: s for name, s in shapes.items() if not name.startswith("cls_head_finetune.")}


def prefixed(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


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
