"""A module in the place of a frozen linear map: for methods that change how its weight is used.

Rewrites and branches act on tensors and never see a weight. What multiplies a weight, rotates it or
normalises it (DoRA, OFT and the like) takes the whole map's place instead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from onlay.anatomy.parts import Site
from onlay.anatomy.ports import Override, Undo
from onlay.anatomy.slices import LayerRows, spliced
from onlay.anatomy.targets import CalledTarget
from onlay.errors import AnatomyError


@dataclass(frozen=True, eq=False)
class FrozenMap:
    """One linear or convolution layer of the backbone that writes a site, or a part of it."""

    site: Site
    path: str
    """The layer's name in the backbone: `blocks.3.attn.qkv`; that and a part's name where it is
    rows of one: `blocks.3.attn.qkv.q`."""
    target: CalledTarget

    @property
    def module(self) -> Any:
        """The layer itself, or its rows as a layer."""
        return self.target.module

    @property
    def rows(self) -> LayerRows | None:
        """Which rows of a layer it is; none where it is a layer."""
        return self.target if isinstance(self.target, LayerRows) else None

    @property
    def called(self) -> bool:
        """Whether the bare network calls the layer; some read its weight, and no wrapper acts."""
        return not self.target.calling()

    def twin(self) -> Any:
        """The layer under another module object: the same tensors, not the same call.

        What stands in for a map computes with its twin, whose call always is the frozen map's.
        """
        return twin_of(self.module)


class Replacement:
    """`map` computes `module(x)` for as long as the adapter is active."""

    def __init__(self, map: FrozenMap, module: nn.Module) -> None:
        self.map, self.module = map, module
        self.met = False
        self.all_rows: Callable[[Tensor], Tensor] | None = None
        """The call of the layer of which the map is some rows."""

    def install(self) -> list[Undo]:
        calling = [Override(*setting) for setting in self.map.target.calling()]
        layer = self.map.module
        if self.map.rows is not None:
            layer = self.map.rows.layer.module
            self.all_rows = layer.forward
        return [*calling, Override(layer, "forward", self.forward)]

    def forward(self, x: Tensor) -> Tensor:
        if not self.met:
            self.met = True
        if self.map.rows is None or self.all_rows is None:
            return self.module(x)
        return self._beside(self.all_rows(x), self.module(x), self.map.rows)

    def _beside(self, others: Tensor, own: Tensor, rows: LayerRows) -> Tensor:
        shape = (*others.shape[:-1], rows.stop - rows.start)
        if own.shape != shape:
            raise AnatomyError(
                f"what stands in for `{self.map.path}` gives {tuple(own.shape)} and should give"
                f" {shape}"
            )
        return spliced(others, own.to(others.dtype), rows.start)


def twin_of(module: nn.Module) -> Any:
    """Another module object over the same tables of tensors and children, without hooks."""
    twin = copy.copy(module)
    vars(twin).update({name: value for name, value in vars(nn.Module()).items() if "hook" in name})
    return twin
