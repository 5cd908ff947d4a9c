"""What a network beside the backbone keeps in memory; ViT-B/16 at 224, batch 8, 2 threads.

    python benchmarks/beside.py          # about 2 minutes; --json for the figures as JSON

A ladder of twelve rungs that is added behind the last norm, against adapters of as many parameters
inside the blocks, and full fine-tuning. Each has a process of its own: the peak is that of the
process over what it holds before its first step. `kept` is what autograd holds for the backward
pass, each storage once, without weights. Weights are random: none is downloaded.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Literal

import timm
import torch
from torch import Tensor, nn

import onlay
from onlay import hookimpl
from onlay.anatomy import Placement
from onlay.descriptors import Method
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay.settings import Config

MODEL, CLASSES, BATCH, THREADS = "vit_base_patch16_224", 100, 8, 2
SIDE, BOTTLENECK = 96, 54
TARGETS = {"kept: beside / inside": 0.15, "peak: beside / inside": 0.35}


class BesideConfig(Config):
    """A ladder."""

    name: Literal["beside"] = "beside"
    """This one."""


class InsideConfig(Config):
    """Adapters beside the MLPs."""

    name: Literal["inside"] = "inside"
    """This one."""


class Rung(nn.Module):
    """One step of the side network: what the block gives, narrowed, and a layer of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.step = nn.Linear(width, SIDE), nn.Linear(SIDE, SIDE)

    def forward(self, x_BTD: Tensor, h_BTS: Tensor | None = None) -> Tensor:
        h = self.down(x_BTD) if h_BTS is None else h_BTS + self.down(x_BTD)
        return h + self.step(torch.relu(h))


def beside(place: Placement, config: BesideConfig) -> None:
    h = None
    for block in place.blocks:
        own = block.site("block.out")
        h = place.carry([own] if h is None else [own, h], Rung(block.width))
    place.branch(h, place.site("norm.out"), nn.Linear(SIDE, place.blocks[-1].width))


def inside(place: Placement, config: InsideConfig) -> None:
    for block in place.blocks:
        down, up = nn.Linear(block.width, BOTTLENECK), nn.Linear(BOTTLENECK, block.width)
        adapter = nn.Sequential(down, nn.ReLU(), up)
        place.branch(block.site("mlp.in"), block.site("mlp.out"), adapter)


class Plugin:
    @staticmethod
    @hookimpl
    def register_methods() -> Iterable[Method]:
        for config, attach in ((BesideConfig, "beside"), (InsideConfig, "inside")):
            summary = str(config.__doc__)
            yield Method(name=attach, config=config, attach=f"{__name__}:{attach}", summary=summary)


def model_of(mode: str) -> AdaptedModel:
    torch.manual_seed(0)
    host = PluginHost.discover()
    host.add(Plugin(), name="beside-benchmark")
    backbone = timm.create_model(MODEL, num_classes=CLASSES)
    return onlay.adapt(backbone, mode, num_classes=CLASSES, host=host, verify=False).train()


def measured(mode: str) -> dict[str, float]:
    """Megabytes and seconds of one mode, in this process."""
    torch.set_num_threads(THREADS)
    model = model_of(mode)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, 224, 224, generator=generator)
    targets = torch.randint(CLASSES, (BATCH,), generator=generator)
    before, seconds = _peak(), []
    for _ in range(3):
        start = time.perf_counter()
        model.loss((images, targets)).backward()
        model.zero_grad()
        seconds.append(time.perf_counter() - start)
    peak = _peak() - before
    trained = sum(p.numel() for p in model.trained_parameters().values())
    kept = _kept(model, images, targets)
    return {"trained": trained, "kept": kept, "peak": peak, "seconds": min(seconds)}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _kept(model: AdaptedModel, images: Tensor, targets: Tensor) -> float:
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = model.loss((images, targets))
    del loss
    return sum(found.values()) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mode", choices=("beside", "inside", "full"))
    given = parser.parse_args()
    if given.mode:
        print(json.dumps(measured(given.mode)))
        return
    figures = {mode: _in_a_process(mode) for mode in ("beside", "inside", "full")}
    ratios = {
        f"{what}: beside / inside": figures["beside"][what] / figures["inside"][what]
        for what in ("kept", "peak", "seconds")
    }
    if given.json:
        print(json.dumps({"figures": figures, "ratios": ratios}, indent=2))
        return
    for mode, one in figures.items():
        print(
            f"{mode:8}{one['trained']:>12,.0f} trained{one['kept']:>8.0f} MB kept"
            f"{one['peak']:>8.0f} MB peak{one['seconds']:>8.2f} s a step"
        )
    for name, ratio in ratios.items():
        print(f"{name:26}{ratio:.2f}" + (f" (at most {TARGETS[name]})" if name in TARGETS else ""))


def _in_a_process(mode: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--mode", mode]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
