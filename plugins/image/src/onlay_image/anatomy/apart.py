"""Linear maps of one input that a network keeps apart, as one fused map: q, k and v of some
attention, gate and value of a SwiGLU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from onlay.anatomy import ModuleTarget, Override, Undo
from onlay.anatomy.ports import Pipe
from onlay_image.timm_types import TimmModule


class Apart:
    """Maps that are called one after the other: at the first, all are computed and piped
    together.
    """

    def __init__(self, maps: Sequence[TimmModule]) -> None:
        self.maps = maps

    def install(self, pipe: Pipe) -> list[Undo]:
        first, *later = self.maps
        together = _Together(later, pipe)
        handed = [_Handed(together, place) for place in range(len(later))]
        return [
            first.register_forward_hook(together.on_first),
            *(Override(m, "forward", h.forward) for m, h in zip(later, handed, strict=True)),
        ]


class _Together:
    def __init__(self, later: Sequence[TimmModule], pipe: Pipe) -> None:
        self.pipe = pipe
        self.make = [map.forward for map in later]
        self.kept: list[Tensor] = []

    def on_first(self, module: nn.Module, args: tuple[Tensor, ...], first: Tensor) -> Tensor:
        parts = [first, *(make(args[0]) for make in self.make)]
        fused = torch.cat(parts, dim=-1)
        piped = self.pipe(fused)
        if piped is not fused:
            parts = list(piped.split([part.shape[-1] for part in parts], dim=-1))
        self.kept = parts[1:]
        return parts[0]

    def hand_on(self, place: int) -> Tensor:
        """What a later map is to return; with the last nothing is held any more."""
        part = self.kept[place]
        if place == len(self.make) - 1:
            self.kept = []
        return part


class _Handed:
    def __init__(self, together: _Together, place: int) -> None:
        self.together, self.place = together, place

    def forward(self, x: Tensor) -> Tensor:
        return self.together.hand_on(self.place)


class ApartTarget:
    """The maps as one, whose weight (sum of outputs, in) is theirs one below the other."""

    diagonal, pooled = False, False

    def __init__(self, maps: Sequence[TimmModule]) -> None:
        self.own = [ModuleTarget(map) for map in maps]

    def parts(self) -> list[ModuleTarget]:
        return self.own

    def read(self) -> tuple[Tensor, Tensor]:
        weights, shifts = zip(*(part.read() for part in self.own), strict=True)
        return torch.cat(weights), torch.cat(shifts)

    def write(self, weight: Tensor, shift: Tensor) -> None:
        sizes = [part.module.weight.shape[0] for part in self.own]
        pieces = zip(self.own, weight.split(sizes), shift.split(sizes), strict=True)
        for part, own_weight, own_shift in pieces:
            part.write(own_weight, own_shift)
