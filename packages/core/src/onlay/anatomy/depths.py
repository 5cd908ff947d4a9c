"""How deep in a network a place lies, and the first one at which an adapter does something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from onlay.anatomy.parts import Anatomy, Site

if TYPE_CHECKING:
    from onlay.anatomy.adapter import Adapter


def depth_of_site(anatomy: Anatomy, site: Site) -> int:
    """0 before the blocks, 1 in the first block and so on, and one more than there are blocks for
    the last norm."""
    for block in anatomy.blocks:
        some = next(iter(block.sites.values()))
        if site.path.startswith(some.path.removesuffix(some.name)):
            return block.index + 1
    return len(anatomy.blocks) + 1 if site.name == "norm.out" else 0


def depths_of_names(anatomy: Anatomy) -> dict[str, int]:
    """Likewise, of every parameter and buffer of the backbone; what lies between two blocks (a map
    that halves the grid) counts to the one before, what comes after all of them to the end."""
    blocks = {id(m): b.index + 1 for b in anatomy.blocks for m in b.module.modules()}
    found, seen, left = {}, 0, set(blocks)
    for path, module in anatomy.model.named_modules(remove_duplicate=False):
        seen = max(seen, blocks.get(id(module), 0))
        own = blocks.get(id(module), seen if left else len(anatomy.blocks) + 1)
        found |= {".".join(filter(None, (path, name))): own for name in _tensors(module)}
        left.discard(id(module))
    return found


def _tensors(module: nn.Module) -> Iterator[str]:
    tables = (module._parameters, module._buffers)
    return (name for table in tables for name, tensor in table.items() if tensor is not None)


def acts_at(adapter: Adapter) -> Iterator[tuple[int, str]]:
    """The depth and the name of everything that an adapter does, or only listens to."""
    anatomy, own = adapter.anatomy, depths_of_names(adapter.anatomy)
    for path, pipe in adapter.pipes.items():
        yield depth_of_site(anatomy, pipe.site), path
    for replacement in adapter.replacements:
        yield depth_of_site(anatomy, replacement.map.site), replacement.map.path
    yield from ((own[swap.path], swap.path) for swap in adapter.swaps)
    for _, name, _ in adapter.settings:
        yield len(anatomy.blocks) + 1 if name == "last_norm" else 0, name


def first_acted(adapter: Adapter) -> tuple[int, str] | None:
    """The first of these; none where the adapter leaves the backbone as it is."""
    return min(acts_at(adapter), default=None)
