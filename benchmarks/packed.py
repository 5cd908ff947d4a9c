"""Inference with packed tokens: Dynamic Tuning at rate 0.5 beside the bare ViT-B/16, batch 8, 2
threads.

    python benchmarks/packed.py          # about half a minute; --json for the figures as JSON

The bias of each router is set so that half of the patches of this batch pass. Both take turns;
a ratio is the median over rounds of that within a round.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import torch
from step import CLASSES, backbone, batch, command, inference, ratio, take_turns
from torch import Tensor, nn

import onlay
from onlay_dyt.dispatch import Router

AT_MOST = 0.80


class Halving:
    """Moves a router's bias to minus the median of its scores, right before it acts."""

    def __init__(self) -> None:
        self.rates: dict[int, float] = {}

    def before(self, router: Any, given: tuple[Tensor]) -> None:
        score = router.score(given[0])[:, router.layout().prefix :]
        router.score.bias.data -= score.median()

    def after(self, router: Any, given: tuple[Tensor], output: Tensor) -> None:
        self.rates[router.block] = router.shows(given[0], output).mean().item()


def halved(model: nn.Module) -> float:
    """Halve the tokens in each block; the share that passes, with those that always do."""
    own, images = Halving(), batch()[0]
    routers = [m for m in model.modules() if isinstance(m, Router)]
    hooks = [r.register_forward_pre_hook(own.before) for r in routers]
    hooks += [r.register_forward_hook(own.after) for r in routers]
    with torch.no_grad():
        model.eval()(images)
    for hook in hooks:
        hook.remove()
    return sum(own.rates.values()) / len(own.rates)


def measure(depth: int, rounds: int) -> dict[str, float]:
    torch.manual_seed(0)
    given = {"num_classes": CLASSES, "verify": False}
    model = onlay.adapt(backbone(depth), {"name": "dyt", "bottleneck": 8}, **given)
    rate = halved(model)
    modes = {"bare": inference(backbone(depth)), "dyt": inference(model)}
    seconds = take_turns({name: lambda step=step: step for name, step in modes.items()}, rounds)
    return {
        "wall": ratio(seconds, "dyt", "bare", 0),
        "cpu": ratio(seconds, "dyt", "bare", 1),
        "bare_s": median(r["bare"][0] for r in seconds),
        "rate": rate,
    }


def tell(found: dict[str, float]) -> None:
    print(f"packed at rate {found['rate']:.3f} beside the bare backbone ({found['bare_s']:.2f} s):")
    print(f"wall {found['wall']:.3f}, CPU {found['cpu']:.3f}, at most {AT_MOST:.2f}")


if __name__ == "__main__":
    command(__doc__, 7, measure, tell)
