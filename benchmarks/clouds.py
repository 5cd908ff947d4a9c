"""What one training step on clouds costs: Point-MAE's layout at full size, 384 wide, 12 blocks, 128
groups of 32, batch 16, 2 threads; wall, CPU, peak of live tensors.

    python benchmarks/clouds.py          # about 5 minutes; --json for the figures as JSON

`full` is the plain network with its published head, without Onlay. Sampling and grouping are done
beforehand for all modes. Modes take turns in every round, and a ratio is the median over rounds of
that within a round. Memory counts weights, gradients, AdamW's state and whatever a second step
holds; `activations` leaves out what is there before the step.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from statistics import median

import torch
from live import LiveTensors
from step import Step, ratio, take_turns
from torch import Tensor, nn

import onlay
from onlay_pointcloud.network.point_mae import PointMae

BATCH, POINTS, GROUPS, CLASSES, THREADS = 16, 2048, 128, 15, 2
HEAD = {"name": "classification", "hidden": [256, 256], "hidden_norm": "batch", "dropout": 0.5}
DAPT_HEAD = HEAD | {"pool": "cls+prompts+max"}
TARGETS = {"step: dapt / full": 0.70, "memory: dapt / full": 0.65}


class Grouped(nn.Module):
    """In the place of sampling and grouping: what they gave beforehand."""

    def __init__(self, patches_BGK3: Tensor, centres_BG3: Tensor) -> None:
        super().__init__()
        self.groups, self.group_size = patches_BGK3.shape[1:3]
        self.found = patches_BGK3, centres_BG3

    def forward(self, points_BN3: Tensor) -> tuple[Tensor, Tensor]:
        return self.found


def clouds() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(BATCH, POINTS, 3, generator=generator) * 2 - 1


def backbone() -> PointMae:
    torch.manual_seed(0)
    model = PointMae(groups=GROUPS, group_size=32, drop_path=0.1)
    model.group = Grouped(*model.group(clouds()))
    return model


class Plain(nn.Module):
    """The network as its authors fine-tune it: class token and maximum, three layers."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = backbone()
        layers: list[nn.Module] = []
        for size in (768, 256):
            layers += [nn.Linear(size, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.5)]
        self.head = nn.Sequential(*layers, nn.Linear(256, CLASSES))

    def forward(self, points_BN3: Tensor) -> Tensor:
        x_BTD = self.backbone(points_BN3)
        return self.head(torch.cat([x_BTD[:, 0], x_BTD[:, 1:].max(1).values], dim=1))


def training(model: nn.Module) -> Step:
    """One step of AdamW on the parameters that require a gradient."""
    points, targets = clouds(), torch.arange(BATCH) % CLASSES
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(points), targets).backward()
        optimizer.step()

    return step


def adapted(method: object, task: Mapping[str, object]) -> Callable[[], Step]:
    return lambda: training(onlay.adapt(backbone(), method, task=task, num_classes=CLASSES))


MODES: Mapping[str, Callable[[], Step]] = {
    "full": lambda: training(Plain()),
    "dapt": adapted("dapt", DAPT_HEAD),
    "arc": adapted("arc", HEAD),
    "linear": adapted("linear", HEAD),
}


def memory(make: Callable[[], Step]) -> tuple[float, float]:
    """MiB at the peak of the second step: all, and without what was there before it."""
    with LiveTensors() as live:
        step = make()
        step()
        before, live.peak = live.now, live.now
        step()
        return live.peak / 2**20, (live.peak - before) / 2**20


def measure(rounds: int) -> dict[str, dict[str, float]]:
    seconds = take_turns(MODES, rounds)
    table: dict[str, dict[str, float]] = {}
    for mode, make in MODES.items():
        peak, activations = memory(make)
        table[mode] = {
            "wall_s": median(r[mode][0] for r in seconds),
            "wall": ratio(seconds, mode, "full", 0),
            "cpu": ratio(seconds, mode, "full", 1),
            "peak_mib": peak,
            "memory": peak / (table or {"full": {"peak_mib": peak}})["full"]["peak_mib"],
            "activations_mib": activations,
        }
    return table


def show(table: dict[str, dict[str, float]]) -> None:
    print(f"Point-MAE's layout, batch {BATCH}, {GROUPS} groups, {THREADS} threads")
    print(
        f"{'mode':<10}{'wall s':>8}{'wall':>7}{'CPU':>7}{'MiB':>8}{'memory':>8}{'activations':>13}"
    )
    for mode, row in table.items():
        print(
            f"{mode:<10}{row['wall_s']:>8.3f}{row['wall']:>7.3f}{row['cpu']:>7.3f}"
            f"{row['peak_mib']:>8.0f}{row['memory']:>8.3f}{row['activations_mib']:>13.0f}"
        )
    dapt = table["dapt"]
    reached = {"step: dapt / full": dapt["wall"], "memory: dapt / full": dapt["memory"]}
    print()
    for name, value in reached.items():
        print(f"{name:<22}{value:>7.3f}   at most {TARGETS[name]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of training steps")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    table = measure(arguments.rounds)
    print(json.dumps(table, indent=2)) if arguments.json else show(table)


if __name__ == "__main__":
    main()
