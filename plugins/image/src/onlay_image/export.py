"""Writing a merged model as a plain timm model: `model.safetensors` and timm's own `config.json`.

`timm.create_model("local-dir:FOLDER", pretrained=True)` reads the two, and so does the call that
the `config.json` spells out under `create_model`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from onlay.errors import CannotFold
from onlay.model.adapted import AdaptedModel
from onlay_image import bundled
from onlay_image.anatomy.pooling import NORM_FLAG
from onlay_image.backbones.channels import COLOURS, channels_of
from onlay_image.backbones.config import BundledConfig
from onlay_image.data.preprocess import cropping
from onlay_image.timm_types import TimmModule

TOLERANCE = 1e-4
"""Largest change of a logit, relative to the largest logit, at which two models count as one."""


def export(model: AdaptedModel, path: Path) -> None:
    """Write `path/model.safetensors` and `path/config.json`, or, for a path that ends in
    `.safetensors`, that file and a `.json` beside it.

    Raises:
        CannotFold: adapters are left, or timm cannot express the head's pooling or a bias that
            merging made; says which.
    """
    left = [name for name, _ in model.adapter.own_tensors()]
    if left:
        raise CannotFold(f"`{left[0]}` is still an adapter; only a merged model can be exported")
    kwargs = _create_kwargs(model)
    backbone: TimmModule = model.backbone
    twin = timm.create_model(backbone.pretrained_cfg["architecture"], **kwargs).eval()
    _fill(twin, _state(model))
    _compare(model, twin)
    _write(twin, kwargs, model, Path(path))


def _create_kwargs(model: AdaptedModel) -> dict[str, Any]:
    """The arguments of `timm.create_model`, beside the name."""
    backbone: TimmModule = model.backbone
    kwargs = dict(getattr(backbone, "_model_args", {})) | _from_source(model.built.source)
    kwargs |= {
        "num_classes": len(model.head.labels),
        "img_size": list(backbone.patch_embed.img_size),
    }
    if channels_of(backbone) != COLOURS:
        kwargs["in_chans"] = channels_of(backbone)
    kwargs |= _pooling(model)
    if any(name.endswith("attn.qkv.bias") for name in backbone.state_dict()):
        kwargs["qkv_bias"] = True
    for only_training in ("drop_path_rate", "drop_rate", "pretrained"):
        kwargs.pop(only_training, None)
    return kwargs


def _from_source(source: Mapping[str, Any]) -> dict[str, Any]:
    """What the config says; versions of timm before 1.0.31 do not note how a model was made."""
    bundled_ = source.get("name") == BundledConfig().name
    own = {**(bundled.ARCHITECTURE if bundled_ else {}), **source.get("model_kwargs", {})}
    if "embed_layer" in own:
        raise CannotFold(
            f"timm has no name for how `{source.get('model', BundledConfig().name)}` makes its"
            " patches (`embed_layer`): a folder of timm's cannot hold it; `--out NAME.pt2` writes a"
            " program instead"
        )
    return own


def _pooling(model: AdaptedModel) -> dict[str, Any]:
    """timm's name for what the head reads; the norm stays where the backbone has it."""
    pool, backbone = getattr(model.task, "pool", "pretrained"), model.backbone
    own = backbone.global_pool or ("avg" if model.anatomy.class_token is None else "token")
    wanted = {"pretrained": own, "cls": "token", "mean": "avg", "max": "max"}.get(pool)
    moved = not isinstance(getattr(backbone, "fc_norm", nn.Identity()), nn.Identity)
    fixed = moved or hasattr(backbone, "head_dist")
    if wanted is None or (fixed and pool != "pretrained"):
        raise CannotFold(
            f"timm's `{type(backbone).__name__}` cannot pool as the head does (`{pool}`)"
        )
    if "hierarchical" in model.anatomy.provides or pool == "pretrained":
        return {"global_pool": wanted}
    return {"global_pool": wanted, NORM_FLAG[type(backbone).__name__]: False}


def _state(model: AdaptedModel) -> dict[str, Tensor]:
    head = "head.fc." if "hierarchical" in model.anatomy.provides else "head."
    state = dict(model.anatomy.trunk())
    weight, bias = _classifier(model)
    state |= {f"{head}weight": weight, f"{head}bias": bias}
    if hasattr(model.backbone, "head_dist"):  # timm takes the mean of two heads: both are this one
        state |= {"head_dist.weight": weight.clone(), "head_dist.bias": bias.clone()}
    return state


def _classifier(model: AdaptedModel) -> tuple[Tensor, Tensor]:
    linear = getattr(model.head, "linear", None)
    if linear is None:
        raise CannotFold(
            f"timm's models end in one linear layer, and the head of task `{model.task.name}` is"
            " none (it has no method `linear`)"
        )
    return linear()


def _fill(twin: TimmModule, state: dict[str, Tensor]) -> None:
    """Load strictly; a bias that only some blocks needed is zero in the others."""
    own = twin.state_dict()
    for name in own.keys() - state.keys():
        if name.endswith("attn.qkv.bias"):
            state[name] = torch.zeros_like(own[name])
    if twin.global_pool != "map":
        state = {name: t for name, t in state.items() if not name.startswith("attn_pool.")}
    shapes, expected = ({n: t.shape for n, t in tensors.items()} for tensors in (own, state))
    if shapes != expected:
        odd = min(dict(shapes.items() ^ expected.items()))
        name = type(twin).__name__
        raise CannotFold(f"timm's `{name}` and the merged model do not agree on `{odd}`")
    twin.load_state_dict(state, strict=True)


@torch.no_grad()
def _compare(model: AdaptedModel, twin: TimmModule) -> None:
    images = model.example(2)
    was_training = model.training
    expected = model.eval()(images).float()
    model.train(was_training)
    actual = twin.to(images.device, images.dtype)(images).float()
    if actual.shape != expected.shape or _distance(actual, expected) > TOLERANCE:
        raise CannotFold(
            f"timm's `{type(twin).__name__}` computes other logits than the merged model"
        )


def _distance(actual: Tensor, expected: Tensor) -> float:
    return ((actual - expected).abs().max() / expected.abs().max().clamp(min=1)).item()


def _write(twin: TimmModule, kwargs: Mapping[str, Any], model: AdaptedModel, path: Path) -> None:
    twin.pretrained_cfg = twin.pretrained_cfg | _facts(model)
    single = path.suffix.lower() == ".safetensors"
    folder = path.parent if single else path
    folder.mkdir(parents=True, exist_ok=True)
    names = (path.name, f"{path.stem}.json") if single else ("model.safetensors", "config.json")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        labels = {"label_names": list(model.head.labels)}
        save_for_hf(twin, scratch, labels, dict(kwargs), safe_serialization=True)
        _spell_out(Path(scratch, "config.json"), kwargs)
        for written, name in zip(("model.safetensors", "config.json"), names, strict=True):
            os.replace(Path(scratch, written), folder / name)


_USUAL: Mapping[str, tuple[Any, ...]] = {
    "resize": ("crop", "squash", "squash_crop"),
    "value_range": (None,),
    "percentile": (None,),
    "frame": (0,),
}
"""What timm's transforms can do, the defaults first."""


def _facts(model: AdaptedModel) -> dict[str, Any]:
    """How the model's images are prepared, in timm's words."""
    facts = {**model.built.input_spec, **model.preprocessing}
    for name, usual in _USUAL.items():
        if (own := facts.get(name, usual[0])) not in usual:
            raise CannotFold(
                f"timm has no word for `preprocess.{name}: {own}`, so that a folder of timm's would"
                " see other pixels; `--out NAME.pt2` writes a program, whose inputs Onlay's reader"
                " prepares"
            )
    return {
        "input_size": (channels_of(model.backbone), *facts["img_size"]),
        **cropping(facts),
        "interpolation": facts["interpolation"],
        "mean": tuple(facts["mean"]),
        "std": tuple(facts["std"]),
        "num_classes": len(model.head.labels),
    }


def _spell_out(path: Path, kwargs: Mapping[str, Any]) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    call = ", ".join(f"{name}={value!r}" for name, value in kwargs.items())
    config["create_model"] = f"timm.create_model({config['architecture']!r}, {call})"
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
