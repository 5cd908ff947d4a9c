"""What happens to a site's tensor: rewrites, then what branches add, then tokens that leave and
come.

All of it in the adapter's own dtype: beside a backbone in bfloat16 or half that is float32, and a
site's tensor is rounded once, where it goes back. Under autocast modules take what comes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy.parts import Site
from onlay.anatomy.ports import Pipe
from onlay.anatomy.tokens import Insertion, without
from onlay.anatomy.wires import Branch, Tap, Wire
from onlay.errors import AnatomyError


class SitePipe(nn.Module):
    """All that one adapter does at one site; its modules are registered here, the wiring is
    plain."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.rewrites = nn.ModuleList()
        self.branches = nn.ModuleList()
        self.carriers = nn.ModuleList()
        self.inserts = nn.ModuleList()
        self.hidden: list[slice] = []
        """Rows that stand there for keys and values alone, and that nothing here may see."""
        self.incoming: list[Branch] = []
        self.taps: list[Tap] = []
        self.carried: list[Wire] = []
        self.leaving: list[slice] = []
        """Inserted tokens that later blocks do not see, the hindmost first."""
        self.insertions: list[Insertion] = []
        self.met = False
        self.dtype: torch.dtype | None = None
        """What the adapter computes in; none where it has no say."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.hide(x))
        self.hand_on(x)
        return self.leave(x)

    def hide(self, x: Tensor) -> Tensor:
        for rows in self.hidden:
            x = without(x, rows)
        return x

    def act(self, x: Tensor) -> Tensor:
        """What rewrites make of `x`, and branches add to it."""
        for rewrite in self.rewrites:
            x = rewrite(x)
        for branch in self.incoming:
            x = self._added(branch, x)
        return x

    def hand_on(self, x: Tensor) -> None:
        for tap in self.taps:
            tap.hold(x)

    def leave(self, x: Tensor) -> Tensor:
        for wire in self.carried:
            wire.output(x)
        for rows in self.leaving:
            x = without(x, rows)
        for insertion in self.insertions:
            x = insertion.put_in(x)
        return x

    def _added(self, branch: Branch, x: Tensor) -> Tensor:
        if branch.sequential:
            branch.taps[0].hold(x)
        return x + _fitting(branch.output(x), x, branch.target)

    def through(self, x: Tensor) -> Tensor:
        """The pipe that a port is given (a bound method, so that deepcopy rebinds it)."""
        self.note_met()
        return rounded_once(self, x, self.dtype) if self.acts else self(x)

    def note_met(self) -> None:
        if not self.met:
            self.met = True

    @property
    def acts(self) -> bool:
        """Whether it does more than hand on what it is given."""
        return any(map(len, (self.rewrites, self.incoming, self.carried, self.insertions)))

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do here."""
        lists = (self.rewrites, self.incoming, self.taps, self.carried, self.insertions)
        return not (any(map(len, lists)) or self.hidden or self.leaving)


def _fitting(added: Tensor, x: Tensor, target: Site) -> Tensor:
    """On Swin one site of a block is a map and another its rows: (B, H, W, D), (B, H W, D). Where
    some tokens pass `beside` the inner sites nothing is added to them."""
    if added.ndim != x.ndim and added.numel() == x.numel() and added.shape[-1] == x.shape[-1]:
        return added.reshape(x.shape)
    if target.beside and added.shape[1] + target.beside == x.shape[1]:
        return F.pad(added, (0, 0, target.beside, 0))
    pairs = zip(added.shape, x.shape, strict=False)
    if added.ndim != x.ndim or any(own not in (1, whole) for own, whole in pairs):
        found, own = tuple(added.shape), tuple(x.shape)
        raise AnatomyError(f"a branch into `{target.path}` gives {found} where {own} passes")
    return added


def rounded_once(pipe: Pipe, x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """What a pipe makes of `x` in a dtype of its own, if it has one, and not under autocast."""
    if dtype is None or x.dtype == dtype or torch.is_autocast_enabled(x.device.type):
        return pipe(x)
    return pipe(x.to(dtype)).to(x.dtype)
