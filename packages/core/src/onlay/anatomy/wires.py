"""Tensors that leave one place of a network and are needed at a later one, in any block.

What a wire holds lives for one forward pass: it is taken by the one who needs it, and what nobody
took, as after an exception, is dropped at the end of the call.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from onlay.anatomy.parts import Site
from onlay.errors import AnatomyError
from onlay.recompute import recomputing


class Tap:
    """Hands one tensor from `source` to `target`, within one forward pass."""

    def __init__(self, source: Site, target: Site) -> None:
        self.source, self.target = source, target
        self.value: Tensor | None = None

    def hold(self, value: Tensor) -> None:
        self.value = value

    def let_go(self) -> Tensor | None:
        """The held tensor, once: nothing is kept alive behind the forward pass."""
        value, self.value = self.value, None
        return value

    def take_as(self, x: Tensor) -> Tensor:
        """The held tensor, once, in the dtype of `x`, or as it is under autocast.

        Raises:
            AnatomyError: none is held.
        """
        value = self.let_go()
        if value is None:
            self._say_why()
        assert value is not None
        if value.dtype == x.dtype or torch.is_autocast_enabled(x.device.type):
            return value
        return value.to(x.dtype)

    def _say_why(self) -> None:
        if recomputing():
            raise AnatomyError(
                f"the backbone recomputes `{self.target.path}` without what `{self.source.path}`"
                " hands to it: call `set_grad_checkpointing(False)` on the backbone and"
                " `set_grad_checkpointing()` on the adapted model instead"
            )
        raise AnatomyError(
            f"`{self.source.path}` was not met before `{self.target.path}` needed its tensor"
        )


class Wire:
    """`module` of earlier tensors, computed at `target` and kept for whoever listens to it."""

    def __init__(self, taps: Sequence[Tap], target: Site, module: nn.Module) -> None:
        self.taps, self.target, self.module = taps, target, module
        self.listeners: list[Tap] = []

    def output(self, x: Tensor) -> Tensor:
        """What the module makes; `x` is the tensor at its target."""
        made = self.module(*(tap.take_as(x) for tap in self.taps))
        for listener in self.listeners:
            listener.hold(made)
        return made


class Branch(Wire):
    """A wire whose output is added: `target + module(source)`."""

    def __init__(
        self, taps: Sequence[Tap], target: Site, module: nn.Module, source: Site | None
    ) -> None:
        super().__init__(taps, target, module)
        self.source = source
        """The site that it reads, where it reads one site alone."""

    @property
    def sequential(self) -> bool:
        """Whether it leads from a site to itself: x becomes x + module(x)."""
        return self.source is self.target


Source = Site | Wire
"""What modules may read: a site's tensor, or what a branch or a carried wire has made."""
