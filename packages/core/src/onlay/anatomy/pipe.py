"""What happens to a site's tensor: rewrites, then what branches add, then inserted tokens.

All of it in the adapter's own dtype: beside a backbone in bfloat16 or half that is float32, and a
site's tensor is rounded once, where it goes back. Under autocast modules take what comes.

Shapes: B batch, T tokens, P inserted tokens, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onlay.anatomy.parts import Site


class Tap:
    """Hands a tensor from an earlier site of a block to a later one, within one forward pass."""

    def __init__(self, source: Site) -> None:
        self.source = source
        self._value: Tensor | None = None

    def hold(self, value: Tensor) -> None:
        self._value = value

    def take(self) -> Tensor:
        """The held tensor, once: nothing is kept alive behind the forward pass."""
        value, self._value = self._value, None
        assert value is not None, f"`{self.source.path}` was not met before its tensor was needed"
        return value

    def take_as(self, x: Tensor) -> Tensor:
        """The held tensor in the dtype of `x`, or as it is under autocast."""
        value = self.take()
        if value.dtype == x.dtype or torch.is_autocast_enabled(x.device.type):
            return value
        return value.to(x.dtype)


class Branch(Tap):
    """`target + module(source)`; its output can be the source of inserted tokens."""

    def __init__(self, source: Site, target: Site, module: nn.Module) -> None:
        super().__init__(source)
        self.target, self.module = target, module
        self.listeners: list[Tap] = []

    @property
    def sequential(self) -> bool:
        """Whether it leads from a site to itself: x becomes x + module(x)."""
        return self.source is self.target

    def output(self, x: Tensor) -> Tensor:
        """What the branch adds at its target, whose tensor is `x`."""
        added = self.module(self.take_as(x))
        for listener in self.listeners:
            listener.hold(added)
        return added


class Insertion:
    """Tokens that are put in at `position`: right after the class token, else first."""

    def __init__(self, module: nn.Module, tap: Tap | None, position: int, count: int) -> None:
        self.module, self.tap, self.position, self.count = module, tap, position, count

    def put_in(self, x_BTD: Tensor) -> Tensor:
        tokens = self.module() if self.tap is None else self.module(self.tap.take_as(x_BTD))
        tokens = tokens.expand(x_BTD.shape[0], -1, -1).to(x_BTD.dtype)
        assert tokens.shape[1] == self.count, "an insertion makes as many tokens as it declared"
        head, tail = x_BTD[:, : self.position], x_BTD[:, self.position :]
        return torch.cat([head, tokens, tail], dim=1)


class SitePipe(nn.Module):
    """All that one adapter does at one site; its modules are registered here, the wiring is
    plain."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.rewrites = nn.ModuleList()
        self.branches = nn.ModuleList()
        self.inserts = nn.ModuleList()
        self.incoming: list[Branch] = []
        self.taps: list[Tap] = []
        self.insertions: list[Insertion] = []
        self.met = False
        self.dtype: torch.dtype | None = None
        """What the adapter computes in; none where it has no say."""

    def forward(self, x: Tensor) -> Tensor:
        for rewrite in self.rewrites:
            x = rewrite(x)
        for branch in self.incoming:
            if branch.sequential:
                branch.hold(x)
            added = branch.output(x)
            # On Swin one site of a block is a map and another its rows: (B, H, W, D), (B, H W, D).
            x = x + (added if added.ndim == x.ndim else added.reshape(x.shape))
        for tap in self.taps:
            tap.hold(x)
        for insertion in self.insertions:
            x = insertion.put_in(x)
        return x

    def through(self, x: Tensor) -> Tensor:
        """The pipe that a port is given (a bound method, so that deepcopy rebinds it)."""
        if not self.met:
            self.met = True
        if x.dtype == self.dtype or self.dtype is None or self._only_hands_on(x):
            return self(x)
        return self(x.to(self.dtype)).to(x.dtype)

    def _only_hands_on(self, x: Tensor) -> bool:
        acts = self.rewrites or self.incoming or self.insertions
        return not acts or torch.is_autocast_enabled(x.device.type)

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do here."""
        return not (self.rewrites or self.incoming or self.taps or self.insertions)
