"""A transformer of a few thousand parameters on point clouds, with every site.

Shapes: B batch, G groups of four points, T tokens, D width.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from onlay.anatomy import BuiltBackbone
from onlay.anatomy.examples import normal_like
from onlay.features import Points
from onlay.testing.tiny import TinyAnatomy, TinyBackbone, built

GROUP = 4


class _Groups(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.shape, self.place = nn.Linear(3 * GROUP, width), nn.Linear(3, width)

    def forward(self, clouds: Tensor) -> Tensor:
        groups, centres = (x.to(self.shape.weight) for x in grouped(clouds))
        return self.shape((groups - centres[:, :, None]).flatten(2)) + self.place(centres)


def grouped(clouds: Tensor) -> tuple[Tensor, Tensor]:
    """Groups (B, G, 4, 3) of neighbours in the list, and their centres (B, G, 3)."""
    groups = clouds[..., :3].unflatten(1, (-1, GROUP))
    return groups, groups.mean(2)


class TinyPoints(TinyBackbone):
    """Clouds (B, 4 G, 3) to tokens (B, 1 + G, D), class token first."""

    def __init__(self, width: int = 16, depth: int = 2, heads: int = 2) -> None:
        super().__init__(width, depth, heads)
        self.embed: Any = _Groups(width)

    def patches(self, inputs: Tensor) -> Tensor:
        """(B, G, D)."""
        return self.embed(inputs)


class TinyPointsAnatomy(TinyAnatomy):
    """The anatomy of a `TinyPoints`."""

    given: ClassVar[tuple[int, int]] = (3, -1)
    _centres: Tensor = torch.zeros(1, 1, 3)

    def prepared(self, inputs: Tensor) -> Tensor:
        """Coordinates as they are; the network rounds what it has grouped."""
        return inputs

    def _see(self, inputs: Tensor) -> None:
        self._centres = grouped(inputs.detach())[1]

    def _level(self, patches_BND: Tensor) -> Tensor:
        return self.model.get_submodule("norm")(patches_BND).transpose(1, 2)

    def layout(self, block: int, *, inserted: int = 0) -> Points:
        return Points(self._centres, prefix=1 + inserted)

    def example(self, batch: int = 1) -> Tensor:
        return normal_like(next(self.model.parameters()), batch, 12 * GROUP, 3).float()


def tiny_points(seed: int = 0, **kwargs: Any) -> BuiltBackbone:
    """A seeded `TinyPoints` (keyword arguments are its own), ready to be adapted."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = TinyPoints(**kwargs)
    made = built(model, TinyPointsAnatomy, "tiny_points", "points", "points", {})
    first, place = model.embed.shape, model.embed.place
    made.anatomy.embedders = {"tokens": first, "tokens.first": first, "position": place}
    return made
