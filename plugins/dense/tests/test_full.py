"""Below a head that reads maps of blocks what it never reads does not train."""

from __future__ import annotations

from pathlib import Path

import torch

import onlay
from onlay import PluginHost
from onlay.model.loading import load
from onlay.testing.tiny import tiny_backbone

SHIFTED = """
from typing import Literal
from onlay import hookimpl
from onlay.descriptors import Method
from onlay.settings import Config

class ShiftedConfig(Config):
    "Shifts at both ends."
    name: Literal["shifted"] = "shifted"

def attach(place, config):
    import torch
    class Shift(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.by = torch.nn.Parameter(torch.zeros(width))
        def forward(self, x):
            return x + self.by
    for name in ("embed.out", "norm.out"):
        place.rewrite(place.site(name), Shift(place.site(name).width))

@hookimpl
def register_methods():
    yield Method(name="shifted", config=ShiftedConfig, attach="shifted:attach", summary="shifts")
"""
TASK = {"name": "segmentation", "decoder": "linear"}


def test_the_last_norm_is_not_trained_and_all_else_is(tmp_path: Path) -> None:
    model = onlay.adapt("onlay_vit_64", "full", task=TASK, labels=["sky", "road"])
    inputs, masks = model.anatomy.example(1), torch.zeros(1, 64, 64, dtype=torch.long)
    model.train().loss((inputs, masks)).backward()
    names = model.trained_parameters()
    assert not [name for name in names if name.startswith("adapter.thawed.norm.")]
    assert [name for name in names if name.startswith("adapter.thawed.blocks.")]
    assert not [name for name, tensor in names.items() if tensor.grad is None]
    with torch.no_grad():
        for tensor in names.values():
            tensor.add_(0.01)
    model.eval().save_pretrained(tmp_path / "bundle")
    again = load(tmp_path / "bundle")
    torch.testing.assert_close(again.eval()(inputs), model(inputs), rtol=0, atol=0)


def test_below_a_head_that_pools_it_trains() -> None:
    model = onlay.adapt(tiny_backbone(), "full", labels=["sky", "road"])
    assert "adapter.thawed.norm.weight" in model.trained_parameters()


def test_a_shift_behind_the_last_norm_rests_and_the_first_one_trains(tmp_path: Path) -> None:
    (tmp_path / "shifted.py").write_text(SHIFTED)
    host = PluginHost.discover(files=[tmp_path / "shifted.py"])
    model = onlay.adapt("onlay_vit_64", "shifted", task=TASK, labels=["sky", "road"], host=host)
    assert [n for n in model.trained_parameters() if n.startswith("adapter.")] == [
        "adapter.embed_out.rewrites.0.by"
    ]
    pooled = onlay.adapt("onlay_vit_64", "shifted", labels=["sky", "road"], host=host)
    assert "adapter.norm_out.rewrites.0.by" in pooled.trained_parameters()
