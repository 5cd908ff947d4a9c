"""How deep in the network a trained tensor acts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor, nn

from onlay.anatomy.depths import depth_of_site, depths_of_names

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def depths(model: AdaptedModel) -> dict[str, int]:
    """For every trained tensor 0 where it acts before the blocks, 1 for the first block and so on,
    and one more than there are blocks for the last norm and the head.

    A tensor that several places share counts to the last of them.
    """
    end = len(model.anatomy.blocks) + 1
    found: dict[int, int] = {}
    for depth, tensor in _placed(model):
        found[id(tensor)] = max(depth, found.get(id(tensor), 0))
    return {name: found.get(id(p), end) for name, p in model.trained_parameters().items()}


def _placed(model: AdaptedModel) -> Iterator[tuple[int, Tensor]]:
    anatomy, adapter = model.anatomy, model.adapter
    for pipe in adapter.pipes.values():
        yield from _of(pipe, depth_of_site(anatomy, pipe.site))
    for replacement in adapter.replacements:
        yield from _of(replacement.module, depth_of_site(anatomy, replacement.map.site))
    own = depths_of_names(anatomy)
    yield from ((own[swap.path], swap.copy) for swap in adapter.swaps if swap.parameter)


def _of(module: nn.Module, depth: int) -> Iterator[tuple[int, Tensor]]:
    return ((depth, parameter) for parameter in module.parameters())
