"""Routers, and the MLPs that only some tokens pass (arXiv:2403.11808, section 3.2).

Shapes: B batch, T tokens, D width, M tokens that pass.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from onlay.anatomy import FrozenMap
from onlay.features import Layout
from onlay.figures import Figures
from onlay.recompute import recomputing
from onlay_dyt.passing import Passing

DEPENDS = "which tokens skip the MLP depends on the input"
NO_NOISE = 1e-6
"""How near to 0 and 1 a uniform draw may come."""


class Pass:
    """What the parts of a block tell each other during one pass; behind it nothing is kept."""

    def __init__(self) -> None:
        self.gates, self.stream = torch.empty(0), torch.empty(0)
        self.places: tuple[int, ...] = ()


class Router(nn.Module):
    """Returns its very input (B, T, D) and keeps the gates (B, T): 1 for a token that passes.

    Class token, registers and what adapters inserted always pass. In training a token passes with
    the probability sigmoid(w x + b), else where that is above a half; the gradient is that of the
    soft gate. That holds in evaluation, too, where gradients are wanted.
    """

    unfoldable = DEPENDS
    shown = "passes the MLP"
    meaning = "1 where DyT lets a patch pass the frozen MLP of the block, 0 where it skips it."

    def __init__(
        self, width: int, block: int, layout: Callable[[], Layout], passing: Passing, tau: float
    ) -> None:
        super().__init__()
        self.score, self.layout, self.block = nn.Linear(width, 1), layout, block
        self.passing, self.temperature = passing, tau
        self.now, self.doubled = Pass(), False
        nn.init.trunc_normal_(self.score.weight, std=0.02)
        nn.init.zeros_(self.score.bias)
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        gates_BT = self._gates(self.score(x.flatten(1, -2))[..., 0])
        prefix = gates_BT.shape[1] - self.layout().count
        if not recomputing():  # in the backward pass the batch is over
            self.doubled = self.training and x.shape[0] == self.passing.doubled
        dispatched = gates_BT[: gates_BT.shape[0] // 2] if self.doubled else gates_BT
        self._count(dispatched[:, prefix:])
        self.now.gates, self.now.stream = self._whole(dispatched, prefix), x
        return x

    def release(self) -> None:
        """Forget the pass."""
        self.now = Pass()

    def _gates(self, logit_BT: Tensor) -> Tensor:
        if not self.training:
            soft_BT = logit_BT.sigmoid()
        else:
            noise_BT = torch.rand_like(logit_BT).logit(NO_NOISE)  # of two Gumbel draws
            soft_BT = ((logit_BT + noise_BT) / self.temperature).sigmoid()
        return (soft_BT > 0.5).to(soft_BT.dtype) + (soft_BT - soft_BT.detach())

    def _whole(self, dispatched: Tensor, prefix: int) -> Tensor:
        """With ones for what always passes, and for the complete network's inputs."""
        ones_BP = torch.ones_like(dispatched[:, :prefix])
        gated_BT = torch.cat([ones_BP, dispatched[:, prefix:]], 1)
        return torch.cat([gated_BT, torch.ones_like(gated_BT)]) if self.doubled else gated_BT

    def _count(self, gates_BT: Tensor) -> None:
        self.passing.note(self.block, gates_BT)
        if self.training and not recomputing():
            self.passed = self.passed + gates_BT.detach().mean()
            self.calls = self.calls + 1

    def train(self, mode: bool = True) -> Router:
        """As always; figures begin anew."""
        if mode:  # tensors: a compiler would take every new number for a new program
            self.passed, self.calls = torch.zeros(()), torch.zeros(())
        return super().train(mode)

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        """The gates, (B, T)."""
        return self.now.gates

    def figures(self) -> Figures:
        """`dyt/rate/block_03`: the share of the tokens that passed."""
        if not self.calls:
            return Figures()
        return Figures({f"dyt/rate/block_{self.block:02d}": float(self.passed / self.calls)})


def masks(training: bool) -> bool:
    """Whether closed tokens are computed and multiplied by 0, as gradients and programs need it;
    else they are left out."""
    return training or torch.is_grad_enabled() or torch.compiler.is_compiling()


class Taking(nn.Module):
    """In the place of a first map of the MLP: the rows that pass, (M, hidden)."""

    unfoldable = DEPENDS

    def __init__(self, map: FrozenMap, router: Router) -> None:
        super().__init__()
        self.twin, self.router = [map.twin()], router  # the twin is no child

    def forward(self, x: Tensor) -> Tensor:
        self.router.now.places = x.shape[:-1]
        if masks(self.training):
            return self.twin[0](x)
        return self.twin[0](x.reshape(-1, x.shape[-1])[self.router.now.gates.flatten() > 0])


class Returning(nn.Module):
    """In the place of the last map of the MLP: all rows (B, T, D), zeros where a token skipped."""

    unfoldable = DEPENDS

    def __init__(self, map: FrozenMap, router: Router, *, last: bool) -> None:
        super().__init__()
        self.twin, self.router, self.last = [map.twin()], router, last

    def forward(self, h: Tensor) -> Tensor:
        now, rows = self.router.now, self.twin[0](h)
        if self.last:
            self.router.release()
        if masks(self.training):
            return rows * now.gates.view(*now.places, 1).to(rows.dtype)
        open_rows = now.gates.flatten() > 0
        out = rows.new_zeros(open_rows.shape[0], rows.shape[-1])
        out[open_rows] = rows
        return out.view(*now.places, rows.shape[-1])


class Closing(nn.Module):
    """In a block whose norm stands behind the MLP (Swin-V2): a closed token leaves as it came, for
    the norm gives its bias to a row of zeros."""

    unfoldable = DEPENDS

    def __init__(self, router: Router) -> None:
        super().__init__()
        self.router = router

    def forward(self, x: Tensor) -> Tensor:
        before = self.router.now.stream.view(x.shape)
        gates = self.router.now.gates.view(*x.shape[:-1], 1).to(x.dtype)
        self.router.release()
        return before + gates * (x - before)
