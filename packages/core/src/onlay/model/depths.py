"""How deep in the network a trained tensor acts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor, nn

from onlay.anatomy import Anatomy, Site

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


def depth_of_site(anatomy: Anatomy, site: Site) -> int:
    """Likewise, of a site."""
    for block in anatomy.blocks:
        some = next(iter(block.sites.values()))
        if site.path.startswith(some.path.removesuffix(some.name)):
            return block.index + 1
    return len(anatomy.blocks) + 1 if site.name == "norm.out" else 0


def depths_of_names(anatomy: Anatomy) -> dict[str, int]:
    """Likewise, of every parameter of the backbone; what lies between two blocks (a map that halves
    the grid) counts to the one before, what comes after all of them to the end."""
    blocks = {id(p): b.index + 1 for b in anatomy.blocks for p in b.module.parameters()}
    found, seen, left = {}, 0, set(blocks)
    for name, parameter in anatomy.model.named_parameters(remove_duplicate=False):
        seen = max(seen, blocks.get(id(parameter), 0))
        found[name] = blocks.get(id(parameter), seen if left else len(anatomy.blocks) + 1)
        left.discard(id(parameter))
    return found
