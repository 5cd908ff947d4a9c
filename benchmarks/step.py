"""What one training step costs: ViT-B/16 at 224, batch 8, 2 threads; wall, CPU, peak memory.

    python benchmarks/step.py            # all methods, about 12 minutes; --json for the figures
    python benchmarks/step.py --depth 4  # of four blocks instead of twelve, about 4 minutes
    python benchmarks/step.py --modes full linear arc --rounds 5 --no-memory

Every installed method that fits, with its defaults and some settings more, takes turns with full
fine-tuning (timm alone), HF PEFT's LoRA and the linear probe; a ratio is the median over rounds of
that within a round, so that a noisy machine disturbs both sides alike. `limit` trains the class
token alone: what a gradient through the frozen network costs without any method. Memory is the peak
of live tensors in the second step: weights, gradients, AdamW's state, activations. Weights are
random, and all modes share them: none is downloaded, and the time of a step does not depend on
them.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from statistics import median
from typing import Any
from unittest.mock import patch

import timm
import torch
from live import LiveTensors
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

import onlay
from onlay.errors import OnlayError
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel

MODEL, DEPTH, CLASSES, BATCH, THREADS = "vit_base_patch16_224", 12, 100, 8, 2

Step = Callable[[], object]
Mode = Callable[[nn.Module], Step]
Seconds = dict[str, tuple[float, float]]
"""Mode -> wall and CPU seconds of one step."""
Row = dict[str, float]

TARGETS = {
    "arc, no dropout / full": 0.68,
    "arc, late half / full": 0.55,
    "iconformer / full": 0.78,
    "merged / bare": 1.02,
    "memory: arc / full": 0.75,
}
ONE_SITE = ("lora, qkv", "adaptformer", "adapter, pfeiffer", "pasta", "adalink")
TWO_SITES = ("lora, qkv + fc1", "arc", "arc, no dropout", "repadapter", "lora", "convpass")
TWO_SITES += ("metatt", "adapter", "mona")
"""Static methods: what they do does not depend on the input. Beside PEFT's LoRA on as many
sites."""
TWICE = {"lora, qkv": {"name": "lora", "rank": 8, "targets": ["qkv"]}}
TWICE |= {"lora, qkv + fc1": {"name": "lora", "rank": 8, "targets": ["qkv", "fc1"]}}
TWICE |= {"arc, no dropout": {"name": "arc", "dropout": 0.0}}
TWICE |= {"arc, late half": {"name": "arc", "last_blocks": 6}}
TWICE |= {"adapter, pfeiffer": {"name": "adapter", "kind": "pfeiffer"}}
"""Methods with other settings than their defaults."""


@cache
def weights(depth: int) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(timm.create_model(MODEL, num_classes=CLASSES, depth=depth).state_dict())


def backbone(depth: int = DEPTH) -> nn.Module:
    """A network of its own around the one set of weights."""
    with torch.device("meta"):
        model = timm.create_model(MODEL, num_classes=CLASSES, depth=depth)
    model.load_state_dict(weights(depth), assign=True)
    return model.requires_grad_(True)


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
        if isinstance(model, AdaptedModel):
            model.loss((images, targets)).backward()
        else:
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


def full(model: nn.Module) -> Step:
    return training(model)


def linear(model: nn.Module) -> Step:
    model.requires_grad_(False).head.requires_grad_(True)
    return training(model)


def limit(model: nn.Module) -> Step:
    model.requires_grad_(False).head.requires_grad_(True)
    model.cls_token.requires_grad_(True)
    return training(model)


def peft(*maps: str) -> Mode:
    def make(model: nn.Module) -> Step:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=8, target_modules=list(maps), modules_to_save=["head"])
        return training(get_peft_model(model, config))

    return make


def ours(method: Any, host: PluginHost | None = None) -> Mode:
    def make(model: nn.Module) -> Step:
        torch.manual_seed(0)
        given = {"num_classes": CLASSES, "host": host, "verify": False}
        return training(onlay.adapt(model, method, **given))

    return make


def merged(model: nn.Module) -> Step:
    return inference(onlay.adapt(model, "arc", num_classes=CLASSES, verify=False).merge())


def training_modes() -> dict[str, Mode]:
    """Those that everything is compared with first."""
    made = {
        "full": full,
        "linear": linear,
        "limit": limit,
        "peft lora, qkv": peft("qkv"),
        "peft lora, qkv + fc1": peft("qkv", "fc1"),
    }
    names = [name for name in sorted(PluginHost.discover().methods) if name not in made]
    methods = {name: name for name in names if name != "peft"} | TWICE
    return made | {name: ours(methods[name]) for name in sorted(methods)}


INFERENCE: Mapping[str, Mode] = {"bare": inference, "merged": merged}


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


def fitting(modes: Mapping[str, Mode], depth: int) -> dict[str, Callable[[], Step]]:
    """Modes, each made once; what does not fit this backbone is said and left out."""
    made: dict[str, Callable[[], Step]] = {}
    for name, make in modes.items():
        try:
            step = make(backbone(depth))
        except OnlayError as error:
            print(f"left out: `{name}`: {str(error).partition(',')[0]}", file=sys.stderr)
        else:
            made[name] = lambda step=step: step
    return made


def ratio(rounds: list[Seconds], of: str, to: str, clock: int) -> float:
    return median(r[of][clock] / r[to][clock] for r in rounds)


def peak_memory(make: Mode, depth: int) -> float:
    """MiB of live tensors at the peak of the second step, counted with tensors that hold no
    numbers; with true ones where what is computed depends on numbers."""
    try:
        with FakeTensorMode():
            return _peak(make, depth)
    except (DataDependentOutputException, DynamicOutputShapeException):
        return _peak(make, depth)


def _peak(make: Mode, depth: int) -> float:
    with LiveTensors() as live, patch.object(torch.optim.AdamW, "step", keep_moments):
        step = make(timm.create_model(MODEL, num_classes=CLASSES, depth=depth))
        step()
        live.peak = live.now
        step()
    return live.peak / 2**20


def keep_moments(optimizer: torch.optim.AdamW) -> None:
    """What a step of AdamW leaves behind: two numbers for each parameter."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p not in optimizer.state:
                optimizer.state[p] = {"moments": (torch.zeros_like(p), torch.zeros_like(p))}


def spare_decompositions() -> None:
    """The order that `spectrum` finds in a weight means nothing in a random one, and takes long."""
    from onlay_baselines import spectrum

    spectrum.order_of = lambda weight: tuple(torch.randperm(size) for size in weight.shape)


def measure(modes: Mapping[str, Mode], depth: int, rounds: int) -> dict[str, Row]:
    """Times of training steps, each beside those of the first mode."""
    seconds = take_turns(fitting(modes, depth), rounds)
    return {mode: compared(seconds, mode) for mode in seconds[0]}


def add_memory(table: dict[str, Row], modes: Mapping[str, Mode], depth: int) -> None:
    first = 0.0
    for mode, row in table.items():
        row["peak_mib"] = peak_memory(modes[mode], depth)
        first = first or row["peak_mib"]
        row["memory"] = row["peak_mib"] / first


def compared(seconds: list[Seconds], mode: str) -> Row:
    first = next(iter(seconds[0]))
    row = {"wall_s": median(r[mode][0] for r in seconds)}
    row |= {"cpu_s": median(r[mode][1] for r in seconds)}
    row |= {"wall": ratio(seconds, mode, first, 0), "cpu": ratio(seconds, mode, first, 1)}
    for sites, group in (("qkv", ONE_SITE), ("qkv + fc1", TWO_SITES)):
        if mode in group and f"peft lora, {sites}" in seconds[0]:
            row["to_peft"] = ratio(seconds, mode, f"peft lora, {sites}", 0)
            row["to_peft_cpu"] = ratio(seconds, mode, f"peft lora, {sites}", 1)
    return row


def show(table: dict[str, Row], depth: int) -> None:
    print(f"{MODEL} of {depth} blocks, batch {BATCH}, {THREADS} threads")
    print("`merged` beside `bare`, all others beside the first; `to_peft`: beside HF PEFT's LoRA,")
    print("rank 8, on as many sites\n")
    names = ("wall_s", "cpu_s", "wall", "cpu", "to_peft", "to_peft_cpu", "peak_mib", "memory")
    names = tuple(name for name in names if any(name in row for row in table.values()))
    print(f"| {'mode':<22} | " + " | ".join(f"{name:>11}" for name in names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for mode, row in table.items():
        cells = (f"{row[name]:.3f}" if name in row else "" for name in names)
        print(f"| {mode:<22} | " + " | ".join(f"{cell:>11}" for cell in cells) + " |")
    print()
    for name, found in reached(table).items():
        print(f"{name:<24}{found:>8.3f}   at most {TARGETS[name]:.2f}")


def reached(table: dict[str, Row]) -> dict[str, float]:
    """What has a target."""
    found = {}
    for name in TARGETS:
        what, _, mode = name.rpartition(": ")
        row = table.get(mode.partition(" / ")[0], {})
        kind = what or "wall"
        if kind in row:
            found[name] = row[kind]
    return found


def chosen(names: Sequence[str] | None) -> dict[str, Mode]:
    modes = training_modes()
    return {name: make for name, make in modes.items() if names is None or name in names}


def command(
    doc: str | None,
    rounds: int,
    measure: Callable[[int, int], dict[str, float]],
    tell: Callable[[dict[str, float]], None],
) -> None:
    """The command line of a benchmark of its own on this backbone: `measure(depth, rounds)`."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--depth", type=int, default=DEPTH, help="blocks")
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    found = measure(given.depth, given.rounds)
    print(json.dumps(found, indent=2)) if given.json else tell(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds of training steps")
    parser.add_argument("--depth", type=int, default=DEPTH, help="blocks")
    parser.add_argument("--modes", nargs="+", help="only these; all without it")
    parser.add_argument("--no-memory", action="store_true", help="times alone")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    spare_decompositions()
    modes = chosen(given.modes)
    table = measure(modes, given.depth, given.rounds)
    if not given.no_memory:
        add_memory(table, modes, given.depth)
    if given.modes is None:
        table |= measure(INFERENCE, given.depth, 3 * given.rounds)
    print(json.dumps(table, indent=2)) if given.json else show(table, given.depth)


if __name__ == "__main__":
    main()
