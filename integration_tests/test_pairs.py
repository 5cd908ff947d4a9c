"""Every installed method on every installed family of backbones.

Either the two declare that they do not fit, or the pair learns, saves, is the same in another
process, and comes off without a trace. Backbones are tiny: what is tested is that the pieces meet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
import torch
from torch import nn

import inlay
from inlay import PluginHost
from inlay.descriptors import Method
from inlay.errors import AnatomyError

ELSEWHERE = Path(__file__).with_name("predict_elsewhere.py")
made = run_path(str(ELSEWHERE))["made"]
HOST = PluginHost.discover()
TIMM = {
    "vit": ("vit_tiny_patch16_224", {"img_size": 32, "patch_size": 8}),
    "beit": ("beit_base_patch16_224", {"img_size": 32, "patch_size": 8}),
    "eva02": ("eva02_tiny_patch14_224", {"img_size": 28, "patch_size": 7}),
    "dinov3": ("vit_small_patch16_dinov3", {"img_size": 32, "patch_size": 8}),
    "swin": ("swin_tiny_patch4_window7_224", {"img_size": 32, "window_size": 4}),
    "swinv2": ("swinv2_tiny_window8_256", {"img_size": 32, "window_size": 4}),
}
CLOUDS = {
    "point_mae": ("PointMae", {}),
    "point_bert": ("PointMae", {"embed": 16}),
    "recon": ("ReCon", {}),
}
GROUPED = {"groups": 12, "group_size": 8, "width": 24, "depth": 2, "heads": 2, "embed": 24}
COLUMN = {"embed_dim": 32, "depth": 2, "num_heads": 2}
PYRAMID = {"embed_dim": 16, "depths": (2, 2), "num_heads": (2, 2)}


def families() -> dict[str, str | tuple[str, dict]]:
    """Small models of every kind that the installed backbones take, and the bundled ones by
    name."""
    found = {name: name for name in HOST.backbones if name.startswith("inlay_")}
    if "timm" in HOST.backbones:
        found |= TIMM
    if "point_mae" in HOST.backbones:
        found |= CLOUDS
    return found


def recipe(family: tuple[str, dict]) -> dict:
    """Class and arguments; the other process makes the same model from them."""
    architecture, sizes = family
    if architecture in ("PointMae", "ReCon"):
        return {"cloud": architecture, **GROUPED, **sizes}
    shape = PYRAMID if "window_size" in sizes else COLUMN
    return {"model_name": architecture, **shape, **sizes}


def make(family: str | tuple[str, dict]) -> str | nn.Module:
    """A name is built by its plugin; another model is made here, as a user would hold it."""
    return family if isinstance(family, str) else made(recipe(family))


def bits(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.fixture(scope="session")
def elsewhere():
    """Predict with a bundle in a process that has never seen the model that wrote it."""
    command = [sys.executable, "-u", str(ELSEWHERE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def predict(folder: Path, backbone: dict | None) -> torch.Tensor:
            print(json.dumps([str(folder), backbone]), file=process.stdin, flush=True)
            answer = process.stdout.readline()
            assert answer, "the other process died; its traceback is above"
            return torch.tensor(json.loads(answer))

        yield predict
        process.stdin.close()


@pytest.mark.skipif(not HOST.backbones, reason="core alone brings no backbone")
def test_there_are_pairs():
    assert families()
    assert {"full", "linear", "bitfit"} <= set(HOST.methods)


@pytest.mark.parametrize("method", HOST.methods)
@pytest.mark.parametrize("family", families().values(), ids=families())
def test_pair(family, method, elsewhere, tmp_path):
    backbone = make(family)
    torch.manual_seed(1)
    try:
        model = inlay.adapt(backbone, method, num_classes=3)
    except AnatomyError as error:
        model, refusal = None, str(error)
    if model is None:
        assert declared(HOST.methods[method], refusal)
        return
    inputs = model.anatomy.example(4)
    with model.disabled() as bare, torch.no_grad():
        before = bits(bare), bare.eval()(inputs).clone()

    learn(model, inputs)
    with torch.no_grad():
        expected = model.eval()(inputs)
    folder = model.save_pretrained(tmp_path / "bundle")
    torch.save(inputs, tmp_path / "inputs.pt")
    spec = None if isinstance(backbone, str) else recipe(family)
    torch.testing.assert_close(elsewhere(folder, spec), expected, rtol=0, atol=1e-6)

    bare = model.detach()
    after = bits(bare)
    assert after.keys() == before[0].keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before[0].items())
    with torch.no_grad():
        assert torch.equal(bare.eval()(inputs), before[1])


def declared(method: Method, refusal: str) -> bool:
    """Whether the refusal is one that the method's descriptor announces."""
    needs = any(f"`{trait}`" in refusal for trait in method.needs)
    return needs or any(reason in refusal for reason in method.refuses.values())


def learn(model: nn.Module, inputs: torch.Tensor) -> None:
    """Two steps lower the loss."""
    batch = inputs, torch.tensor([0, 1, 2, 0])
    optimizer = torch.optim.AdamW(model.trained_parameters().values(), lr=1e-3, weight_decay=0)
    start = loss_of(model, batch)
    model.train()
    for _ in range(2):
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()
    assert loss_of(model, batch) < start


def loss_of(model: nn.Module, batch: tuple) -> float:
    with torch.no_grad():
        return model.eval().loss(batch).item()
