"""Slices of a site's last axis: how they are reached, what they fold into, which layer they are.

A fused map y = x W^T + c writes q, k and v side by side; a slice of y is what some rows of W and c
write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from onlay.anatomy.ports import Pipe, Port, Undo
from onlay.anatomy.targets import CalledTarget, FoldTarget, Replaceable


class SliceOf:
    """What lies between `start` and `stop` on the last axis at another port."""

    def __init__(self, port: Port, start: int, stop: int) -> None:
        self.port, self.start, self.stop = port, start, stop

    def install(self, pipe: Pipe) -> list[Undo]:
        return self.port.install(_Sliced(pipe, self.start, self.stop).through)


class _Sliced:
    def __init__(self, pipe: Pipe, start: int, stop: int) -> None:
        self.pipe, self.start, self.stop = pipe, start, stop

    def through(self, x: Tensor) -> Tensor:
        own = x[..., self.start : self.stop]
        piped = self.pipe(own)
        return x if piped is own else spliced(x, piped, self.start)


def spliced(x: Tensor, own: Tensor, start: int) -> Tensor:
    """`x` with `own` in the place of as many values from `start` on."""
    return torch.cat([x[..., :start], own, x[..., start + own.shape[-1] :]], dim=-1)


class Rows:
    """Some rows of a frozen map; the others stay bit for bit what they are."""

    def __init__(self, whole: FoldTarget, start: int, stop: int) -> None:
        self.whole, self.start, self.stop = whole, start, stop
        self.diagonal, self.pooled = whole.diagonal, whole.pooled

    def read(self) -> tuple[Tensor, Tensor]:
        weight, shift = self.whole.read()
        return weight[self.start : self.stop], shift[self.start : self.stop]

    def write(self, weight: Tensor, shift: Tensor) -> None:
        all_weight, all_shift = self.whole.read()
        all_weight[self.start : self.stop] = weight
        all_shift[self.start : self.stop] = shift
        self.whole.write(all_weight, all_shift)

    def parts(self) -> Sequence[CalledTarget]:
        """The layer of its own that writes the slice, else the slice of a layer."""
        if not isinstance(self.whole, Replaceable):
            return []
        at = 0
        for part in self.whole.parts():
            start, stop, rows = self.start - at, self.stop - at, len(part.module.weight)
            if (start, stop) == (0, rows):
                return [part]
            if start >= 0 and stop <= rows and isinstance(part.module, nn.Linear):
                return [LayerRows(part, start, stop)]
            at += rows
        return []


class LayerRows(Rows):
    """Some rows of one linear layer, for which a module can stand in."""

    def __init__(self, layer: CalledTarget, start: int, stop: int) -> None:
        super().__init__(layer, start, stop)
        self.layer = layer
        self.module = SlicedLinear(layer.module, start, stop)

    def calling(self) -> Sequence[tuple[object, str, object]]:
        return self.layer.calling()


class SlicedLinear(nn.Linear):
    """Some rows of a linear layer as a layer: views of its tensors, none of its own."""

    def __init__(self, layer: nn.Linear, start: int, stop: int) -> None:
        nn.Module.__init__(self)
        vars(self)["fused"] = layer  # no child: it is the backbone's
        self.start, self.stop = start, stop
        self.in_features, self.out_features = layer.in_features, stop - start

    @property
    def weight(self) -> Any:  # type: ignore[bad-override]
        """(stop - start, in), whatever tensor the fused layer computes with now."""
        return vars(self)["fused"].weight[self.start : self.stop]

    @property
    def bias(self) -> Any:  # type: ignore[bad-override]
        """(stop - start,), or `None` as in the fused layer."""
        bias = vars(self)["fused"].bias
        return None if bias is None else bias[self.start : self.stop]
