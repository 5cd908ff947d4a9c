"""Checkpoints of other people's trainings: in wrappers, under prefixes, damaged."""

from __future__ import annotations

import argparse
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from fuzzing import cases, made
from fuzzing.cases import Case
from onlay.config import parse
from onlay.model.assemble import build_backbone

_SMALL = {
    "name": "timm", "model": "vit_tiny_patch16_224", "pretrained": False, "img_size": 32,
    "model_kwargs": {"embed_dim": 24, "num_heads": 2, "depth": 1},
}  # fmt: skip
_POINTS = {"name": "point_mae", "pretrained": False}

State = dict[str, Any]


def make(rng: random.Random, folder: Path) -> Case:
    """A checkpoint of a small ViT with weights of its own."""
    state = _state(rng.getrandbits(16))
    told, content = rng.choice([_wrapped, _wrapped, _wrong, _wrong])(rng, dict(state))
    path = folder / f"weights{rng.choice(['.pth', '.pt', '.bin', '.ckpt', '.tar'])}"
    if all(isinstance(value, Tensor) for value in content.values()) and rng.random() < 0.4:
        path = folder / "weights.safetensors"
        save_file(content, path)
        checked = False
    else:
        checked = rng.random() < 0.85
        torch.save(content, path, _use_new_zipfile_serialization=checked)
    if rng.random() < 0.4:
        did, bytes_ = rng.choice([cases.truncated, cases.noise, cases.zeroed])(
            rng, path.read_bytes()
        )
        # only zip files hold checksums: nobody can tell zeros in another from weights that are zero
        if checked or not did.endswith("zero"):
            path.write_bytes(bytes_)
            told = f"{told}, {did}"

    def right(got: Any) -> bool:
        return all(torch.equal(got[n], t) for n, t in state.items())

    return Case(f"{path.name}: {told}", lambda: loaded(path), right)


def loaded(path: Path) -> dict[str, Tensor]:
    """The tensors of a small ViT with the weights in a file."""
    built = build_backbone(
        parse("backbone", _SMALL | {"weights": str(path)}, made.host()), made.host()
    )
    return {n: t for n, t in built.module.state_dict().items() if not n.startswith("head.")}


@cache
def _fresh() -> dict[str, Tensor]:
    built = build_backbone(parse("backbone", _SMALL, made.host()), made.host())
    return {n: t for n, t in built.module.state_dict().items() if not n.startswith("head.")}


def _state(seed: int) -> State:
    g = torch.Generator().manual_seed(seed)
    return {name: torch.randn(t.shape, generator=g) for name, t in _fresh().items()}


_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "encoder.", "module._orig_mod.")
_CONTAINERS = ("model", "state_dict", "model_state_dict", "state_dict_ema", "teacher")


def _wrapped(rng: random.Random, state: State) -> tuple[str, State]:
    """The same weights as trainers and wrappers leave them."""
    prefix = rng.choice(["", "", *_PREFIXES])
    content = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    told = f"names begin with `{prefix}`"
    if rng.random() < 0.5:
        key = rng.choice(_CONTAINERS)
        beside = rng.choice(
            [
                {},
                {"epoch": 3},
                {"epoch": np.int64(3), "best": np.float64(0.5)},
                {"optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
                {"note": "good"},
            ]
        )
        content, told = {key: content, **beside}, f"{told}, under `{key}`, beside {list(beside)}"
    return told, content


def _wrong(rng: random.Random, state: State) -> tuple[str, State]:
    """Not these weights, or not only weights."""
    name = rng.choice(list(state))
    did = rng.choice(["missing", "extra", "shape", "int", "text", "object", "nan", "empty", "list"])
    if did == "missing":
        del state[name]
    elif did == "extra":
        state["blocks.9.norm1.weight"] = torch.ones(24)
    elif did == "shape":
        state[name] = torch.ones(3, 5, 7)
    elif did == "int":
        state[name] = torch.ones(state[name].shape, dtype=torch.int64)
    elif did == "text":
        state[name] = "a text"
    elif did == "object":
        state["args"] = argparse.Namespace(lr=0.1)
    elif did == "nan":
        state[name] = torch.full_like(state[name], float("nan"))
    elif did == "empty":
        state.clear()
    else:
        state = {"model": [state]}
    return f"{did} at `{name}`", state
