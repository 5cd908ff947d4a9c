"""UniPELT (Mao et al., ACL 2022, arXiv:2110.07577, section 3).

Shapes: B batch, T tokens, D width, E the width of all heads together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.figures import Figures
from onlay.narrow import Widening
from onlay.recompute import recomputing
from onlay_baselines.updates import keys_width, refuse_above, shape_of, update

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Block, Placement
    from onlay_baselines.config.tokens import UnipeltConfig


class Gate(nn.Module):
    """One number (B, 1, ...) for each input: the mean over its tokens of sigmoid(w x + b)."""

    shown = "gate"
    meaning = (
        "How far each token would open the gate of adapter, prefix or update: 0 shut, 1 open. The"
        " gate is the mean over all tokens."
    )

    def __init__(self, width: int, name: str, bias: float | None = None) -> None:
        super().__init__()
        self.score, self.name = nn.Linear(width, 1), name
        self.train()
        if bias is not None:
            nn.init.constant_(self.score.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        places = tuple(range(1, x.ndim - 1))
        gate = self.score(x).sigmoid().mean(places, keepdim=True)
        if self.training and not recomputing():
            self.opened = self.opened + gate.detach().mean()
            self.calls = self.calls + 1
        return gate

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return self.score(x).sigmoid()

    def train(self, mode: bool = True) -> Gate:
        """As always; figures begin anew."""
        if mode:  # tensors: a compiler would take every new number for a new program
            self.opened, self.calls = torch.zeros(()), torch.zeros(())
        return super().train(mode)

    def figures(self) -> Figures:
        """How far it was open on average."""
        if not self.calls:
            return Figures()
        return Figures({f"unipelt/{self.name}": float(self.opened / self.calls)})


class Gated(nn.Module):
    """gate(x) * up(f(down(x))); 0 at the start. With `biased` a ReLU is f and both layers have
    biases (an adapter), without it is linear (LoRA)."""

    unfoldable = "the gate reads the input"

    def __init__(self, sizes: tuple[int, int], inner: int, gate: Gate, *, biased: bool) -> None:
        super().__init__()
        inputs, outputs = sizes
        self.down = nn.Linear(inputs, inner, bias=biased)
        self.up = Widening(inner, outputs, bias=biased)
        self.gate, self.biased = gate, biased
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)
        if biased:
            nn.init.zeros_(self.down.bias)
            nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.down(x)
        return self.gate(x) * self.up(F.relu(h) if self.biased else h)


class GatedRows(nn.Module):
    """Keys and values (B, P, 2 E), multiplied by a gate of what the attention reads."""

    unfoldable = "the gate reads the input"

    def __init__(self, rows: int, width: int, gate: Gate) -> None:
        super().__init__()
        self.rows = nn.Parameter(0.02 * torch.randn(1, rows, 2 * width))
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(x) * self.rows


def attach(place: Placement, config: UnipeltConfig) -> None:
    """Low-rank updates of q and v, a prefix, and an adapter in sequence behind the MLP."""
    for block in place.blocks:
        at = f"block_{block.index:02}"
        if "l" in config.parts:
            for name in ("q", "v"):
                gate = Gate(block.width, f"{name}/{at}")
                sizes = shape_of(block, name)
                refuse_above("rank", config.rank, min(sizes), f"`{name}`")
                update(place, block, name, Gated(sizes, config.rank, gate, biased=False))
        if "p" in config.parts:
            gate = Gate(block.width, f"prefix/{at}", config.prefix_gate_bias)
            rows = GatedRows(config.rows, keys_width(block), gate)
            place.extend(block, rows, block.site("attn.in"), count=config.rows)
        adapter, site = Gate(block.width, f"adapter/{at}"), block.site("mlp.out")
        sizes = (block.width, block.width)
        place.branch(site, site, Gated(sizes, config.bottleneck, adapter, biased=True))


def count(config: UnipeltConfig, anatomy: Anatomy) -> int:
    """Adapter 2 D d + d + D, updates r (in + out) for q and v, rows 2 P E, and D + 1 for each of
    their gates."""
    return sum(_of_block(block, config) for block in anatomy.blocks)


def _of_block(block: Block, config: UnipeltConfig) -> int:
    width, inner, gate = block.width, config.bottleneck, block.width + 1
    total = 2 * width * inner + inner + width + gate
    if "l" in config.parts:
        total += sum(config.rank * sum(shape_of(block, name)) + gate for name in ("q", "v"))
    if "p" in config.parts:
        total += 2 * config.rows * keys_width(block) + gate
    return total
