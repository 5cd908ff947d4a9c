"""What one training step costs: ViT-B/16 at 224, batch 8, 2 threads; wall, CPU, peak memory.

    python benchmarks/step.py            # about 5 minutes; --json for the figures as JSON

Modes take turns in every round, and a ratio is the median over rounds of that within a round,
so that a noisy machine disturbs both sides alike. Memory is the peak of a fresh process per mode.
Weights are random: none is downloaded, and the time of a step does not depend on them.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import timm
import torch
from torch import Tensor, nn

import onlay

MODEL, CLASSES, BATCH, THREADS = "vit_base_patch16_224", 100, 8, 2

Step = Callable[[], object]
Seconds = dict[str, tuple[float, float]]
"""Mode -> wall and CPU seconds of one step."""

TARGETS = {
    "arc / full": 0.70,
    "arc / lora": 1.05,
    "arc, late half / full": 0.55,
    "iconformer / full": 0.78,
    "merged / bare": 1.02,
    "memory: arc / full": 0.75,
}


def backbone() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(MODEL, num_classes=CLASSES)


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, 224, 224, generator=generator)
    return images, torch.randint(CLASSES, (BATCH,), generator=generator)


def training(model: nn.Module) -> Step:
    """One step of AdamW on the parameters that require a gradient."""
    images, targets = batch()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), targets).backward()
        optimizer.step()

    return step


def inference(model: nn.Module) -> Step:
    images, _ = batch()
    model.eval()

    @torch.inference_mode()
    def step() -> Tensor:
        return model(images)

    return step


def full() -> Step:
    return training(backbone())


def linear() -> Step:
    model = backbone().requires_grad_(False)
    model.head.requires_grad_(True)
    return training(model)


def lora() -> Step:
    from peft import LoraConfig, get_peft_model  # here: its import is no memory of the others

    config = LoraConfig(r=8, target_modules=["qkv"], modules_to_save=["head"])
    return training(get_peft_model(backbone(), config))


def arc() -> Step:
    return training(onlay.adapt(backbone(), "arc", num_classes=CLASSES))


def arc_late_half() -> Step:
    method = {"name": "arc", "last_blocks": 6}
    return training(onlay.adapt(backbone(), method, num_classes=CLASSES))


def iconformer() -> Step:
    return training(onlay.adapt(backbone(), "iconformer", num_classes=CLASSES))


def bare() -> Step:
    return inference(backbone())


def merged() -> Step:
    return inference(onlay.adapt(backbone(), "arc", num_classes=CLASSES).merge())


TRAINING: Mapping[str, Callable[[], Step]] = {
    "full": full,
    "linear": linear,
    "lora": lora,
    "arc": arc,
    "arc, late half": arc_late_half,
    "iconformer": iconformer,
}
INFERENCE: Mapping[str, Callable[[], Step]] = {"bare": bare, "merged": merged}
MODES = {**TRAINING, **INFERENCE}


def timed(step: Step) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall, time.process_time() - cpu


def take_turns(modes: Mapping[str, Callable[[], Step]], rounds: int) -> list[Seconds]:
    """One step to warm up, then `rounds` rounds in which every mode makes one step."""
    steps = {name: make() for name, make in modes.items()}
    for step in steps.values():
        step()
    gc.disable()
    return [{name: timed(step) for name, step in steps.items()} for _ in range(rounds)]


def ratio(rounds: list[Seconds], of: str, to: str, clock: int) -> float:
    return median(r[of][clock] / r[to][clock] for r in rounds)


def peak_memory(mode: str) -> float:
    """Peak resident MiB of a process that makes two steps of this mode alone."""
    command = [sys.executable, __file__, "--peak", mode]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def own_peak() -> float:
    """`VmHWM`: unlike `ru_maxrss` it does not inherit the parent's peak."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(rounds: int) -> dict[str, dict[str, float]]:
    trained = take_turns(TRAINING, rounds)
    inferred = take_turns(INFERENCE, 3 * rounds)
    table = {}
    for seconds in (trained, inferred):
        first = next(iter(seconds[0]))
        for mode in seconds[0]:
            table[mode] = {
                "wall_s": median(r[mode][0] for r in seconds),
                "cpu_s": median(r[mode][1] for r in seconds),
                "wall": ratio(seconds, mode, first, 0),
                "cpu": ratio(seconds, mode, first, 1),
                "peak_mib": peak_memory(mode),
            }
            table[mode]["memory"] = table[mode]["peak_mib"] / table[first]["peak_mib"]
    table["arc"]["wall_to_lora"] = ratio(trained, "arc", "lora", 0)
    table["arc"]["cpu_to_lora"] = ratio(trained, "arc", "lora", 1)
    return table


def reached(table: dict[str, dict[str, float]]) -> dict[str, tuple[float, float]]:
    """What has a target: wall and CPU ratio (memory: the same number twice)."""
    arc = table["arc"]
    return {
        "arc / full": (arc["wall"], arc["cpu"]),
        "arc / lora": (arc["wall_to_lora"], arc["cpu_to_lora"]),
        "arc, late half / full": (table["arc, late half"]["wall"], table["arc, late half"]["cpu"]),
        "iconformer / full": (table["iconformer"]["wall"], table["iconformer"]["cpu"]),
        "merged / bare": (table["merged"]["wall"], table["merged"]["cpu"]),
        "memory: arc / full": (arc["memory"], arc["memory"]),
    }


def show(table: dict[str, dict[str, float]]) -> None:
    print(f"{MODEL}, batch {BATCH}, {THREADS} threads; inference relative to `bare`")
    print(f"{'mode':<16}{'wall s':>9}{'CPU s':>9}{'wall':>8}{'CPU':>8}{'MiB':>8}{'memory':>8}")
    for mode, row in table.items():
        print(
            f"{mode:<16}{row['wall_s']:>9.3f}{row['cpu_s']:>9.3f}{row['wall']:>8.3f}"
            f"{row['cpu']:>8.3f}{row['peak_mib']:>8.0f}{row['memory']:>8.3f}"
        )
    print(f"\n{'ratio':<24}{'wall':>8}{'CPU':>8}{'at most':>9}")
    for name, (wall, cpu) in reached(table).items():
        print(f"{name:<24}{wall:>8.3f}{cpu:>8.3f}{TARGETS[name]:>9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of training steps")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--peak", choices=MODES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    if arguments.peak:
        step = MODES[arguments.peak]()
        step(), step()
        print(own_peak())
        return
    table = measure(arguments.rounds)
    print(json.dumps(table, indent=2)) if arguments.json else show(table)


if __name__ == "__main__":
    main()
