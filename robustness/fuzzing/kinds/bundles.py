"""Damaged bundles: every one is refused, or gives the outputs that the whole one gives."""

from __future__ import annotations

import os
import random
import shutil
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

import onlay
from fuzzing import cases, made
from fuzzing.cases import Case


def make(rng: random.Random, folder: Path) -> Case:
    """A bundle of three classes with one thing changed."""
    bundle = folder / "bundle"
    shutil.copytree(made.image_bundle(), bundle)
    told = rng.choice([_bytes, _bytes, _bytes, _tensors, _files])(rng, bundle)
    return Case(told, lambda: outputs(bundle), lambda got: torch.equal(got, _whole()))


def outputs(bundle: Path) -> Tensor:
    """What a bundle's model answers for two inputs."""
    model = onlay.load(bundle, host=made.host())
    with torch.inference_mode():
        return model(model.anatomy.example(2))


@cache
def _whole() -> Tensor:
    return outputs(made.image_bundle())


def _bytes(rng: random.Random, bundle: Path) -> str:
    path = rng.choice(sorted(bundle.iterdir()))
    how = [cases.truncated, cases.flipped, cases.flipped, cases.zeroed, cases.noise, cases.doubled]
    did, content = rng.choice(how)(rng, path.read_bytes())
    path.write_bytes(content)
    return f"{path.name}: {did}"


def _tensors(rng: random.Random, bundle: Path) -> str:
    """A safetensors file that is right in itself, and another one."""
    path = bundle / "adapter_model.safetensors"
    tensors = load_file(path)
    name = rng.choice(sorted(tensors))
    did = rng.choice(["nan", "int", "fp8", "missing", "renamed", "transposed", "half", "extra"])
    tensor = tensors.pop(name)
    if did == "nan":
        tensors[name] = tensor * float("nan")
    elif did == "int":
        tensors[name] = tensor.to(torch.int32)
    elif did == "fp8":
        tensors[name] = tensor.to(torch.float8_e4m3fn)
    elif did == "renamed":
        tensors[f"{name}x"] = tensor
    elif did == "transposed":
        tensors[name] = tensor[None]
    elif did == "half":
        tensors[name] = tensor.half()
    elif did == "extra":
        tensors |= {name: tensor, "extra": torch.ones(1)}
    path.write_bytes(save(tensors))
    return f"{did} at `{name}`"


def _files(rng: random.Random, bundle: Path) -> str:
    """Files that are none."""
    path = rng.choice(sorted(bundle.iterdir()))
    path.unlink()
    did = rng.choice(["gone", "a folder", "a pipe", "a link to a device", "a link to nothing"])
    if did == "a folder":
        path.mkdir()
    elif did == "a pipe" and hasattr(os, "mkfifo"):
        os.mkfifo(path)
    elif did == "a link to a device":
        path.symlink_to("/dev/zero")
    elif did == "a link to nothing":
        path.symlink_to("nowhere")
    return f"{path.name} is {did}"
