"""What a training step of segmentation costs with DPT at ViT-B/16, 224, batch 4, 2 threads; wall,
CPU, peak of live tensors. And whether iConFormer on Swin-B fits crops of 512 by 512.

    python benchmarks/dense_step.py            # about 6 minutes; --json for the figures as JSON
    python benchmarks/dense_step.py --memory   # the peaks alone, which no other load disturbs

`full` trains backbone and the same decoder. Modes take turns in every round, and a ratio is the
median over rounds of that within a round. Memory counts weights, gradients, AdamW's state and
whatever a second step holds; weights are random, none is downloaded.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

import timm
import torch
from clouds import memory
from step import Step, ratio, take_turns
from torch import nn

import onlay

VIT, SIZE, BATCH = "vit_base_patch16_224", 224, 4
SWIN, CROP, CROPS = "swin_base_patch4_window7_224", 512, 2
CLASSES, THREADS = 21, 2
TASK: Mapping[str, Any] = {"name": "segmentation", "decoder": "auto"}
"""DPT on ViT, UPerNet on Swin, both 64 wide."""
TARGETS = {"step: iconformer / full": 0.75, "memory: iconformer / full": 0.75}
SWIN_GB = 24

Row = dict[str, float]


def training(method: str, model: str, size: int, batch: int, **options: Any) -> Step:
    """One step of AdamW on the parameters that require a gradient."""
    torch.manual_seed(0)
    backbone: nn.Module = timm.create_model(model, num_classes=0, **options)
    adapted = onlay.adapt(backbone, method, task=TASK, num_classes=CLASSES)
    images = torch.randn(batch, 3, size, size)
    masks = torch.randint(CLASSES, (batch, size, size))
    trained = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    adapted.train()

    def step() -> None:
        optimizer.zero_grad()
        adapted.loss((images, masks)).backward()
        optimizer.step()

    return step


MODES: Mapping[str, Callable[[], Step]] = {
    method: partial(training, method, VIT, SIZE, BATCH)
    for method in ("full", "iconformer", "linear")
}


def swin() -> Step:
    return training("iconformer", SWIN, CROP, CROPS, img_size=CROP)


def peaks() -> dict[str, Row]:
    """MiB of live tensors, each mode by itself."""
    table: dict[str, Row] = {}
    for mode, make in MODES.items():
        peak, activations = memory(make)
        table[mode] = {"peak_mib": peak, "activations_mib": activations}
        table[mode]["memory"] = peak / table["full"]["peak_mib"]
    peak, activations = memory(swin)
    table["swin-b, 512"] = {"peak_mib": peak, "activations_mib": activations}
    return table


def times(rounds: int) -> dict[str, Row]:
    seconds = take_turns(MODES, rounds)
    return {
        mode: {
            "wall_s": median(r[mode][0] for r in seconds),
            "wall": ratio(seconds, mode, "full", 0),
            "cpu": ratio(seconds, mode, "full", 1),
        }
        for mode in MODES
    }


def reached(table: Mapping[str, Row]) -> dict[str, float]:
    """What has an aim, as far as it was measured."""
    own = table["iconformer"]
    facts = {"step: iconformer / full": "wall", "memory: iconformer / full": "memory"}
    return {name: own[column] for name, column in facts.items() if column in own}


def show(table: Mapping[str, Row]) -> None:
    columns = ("wall_s", "wall", "cpu", "peak_mib", "memory", "activations_mib")
    print(f"{'mode':<14}" + "".join(f"{column:>17}" for column in columns))
    for mode, row in table.items():
        cells = [f"{row[column]:>17.3f}" if column in row else " " * 17 for column in columns]
        print(f"{mode:<14}" + "".join(cells))
    for name, value in reached(table).items():
        print(f"{name:<28}{value:>7.3f}   at most {TARGETS[name]:.2f}")
    print(f"swin-b, 512: {table['swin-b, 512']['peak_mib'] / 1024:.1f} GB, below {SWIN_GB}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of training steps")
    parser.add_argument("--memory", action="store_true", help="measure no times")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    timed = {} if arguments.memory else times(arguments.rounds)
    table = {mode: timed.get(mode, {}) | row for mode, row in peaks().items()}
    print(json.dumps(table, indent=2)) if arguments.json else show(table)


if __name__ == "__main__":
    main()
