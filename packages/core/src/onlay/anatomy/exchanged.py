"""Whoever exchanges a layer under an adapter takes away what hangs on it: the next call says so.

Every call asks, so what is asked is little: is each of those layers where it was? Only where one is
not, the whole tree is looked through, since what is wrapped, and not exchanged, still acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from onlay.anatomy.adapter import Adapter
from onlay.anatomy.liveness import listed
from onlay.anatomy.ports import Override, Undo
from onlay.errors import AnatomyError

Edge = tuple[nn.Module, str, nn.Module]
"""A module, the name of a child, and the child."""


class Watched:
    """The modules of a backbone on which an active adapter hangs, and how they are reached."""

    def __init__(self, root: nn.Module, undos: Iterable[Undo]) -> None:
        handles, owners = _handles(undos), _owners(undos)
        self.root = root
        self.paths = {
            module: path
            for path, module in root.named_modules()
            if id(module) in owners or any(_hooks(module, handles))
        }
        self.edges = _edges(root, self.paths)

    def intact(self) -> bool:
        """Whether each is where it was."""
        return all(parent._modules.get(name) is child for parent, name, child in self.edges)

    def gone(self, undos: Iterable[Undo]) -> list[str]:
        """The paths of those that the backbone has no more, under whatever name."""
        present = set(self.root.modules())
        missing = [module for module in self.paths if module not in present]
        if not missing:
            self.edges = _edges(self.root, self.paths)
            return []
        handles, owners = _handles(undos), _owners(undos)
        acting = {hook for module in present for hook in _hooks(module)}
        return [
            self.paths[module]
            for module in missing
            if id(module) in owners or not acting.issuperset(_hooks(module, handles))
        ]


def refuse_exchanged(adapter: Adapter) -> None:
    """A layer's successor that took its hooks over (torch's quantized ones do) counts as the layer.

    Raises:
        AnatomyError: another module is where the adapter hangs on one; says where.
    """
    watched = adapter.watched
    if watched is None or watched.intact():
        return
    gone = watched.gone(adapter.undos)
    if gone:
        raise AnatomyError(
            f"the adapter at {listed(gone)} would do nothing: other layers stand there now than"
            " those that were adapted; exchange layers before `onlay.adapt`, or in what `merge()`"
            " gives"
        )


def _handles(undos: Iterable[Undo]) -> set[int]:
    return {undo.id for undo in undos if isinstance(undo, RemovableHandle)}


def _owners(undos: Iterable[Undo]) -> set[int]:
    """Whose attributes an adapter has set, but for those by which boxes follow."""
    return {id(u.owner) for u in undos if isinstance(u, Override) and u.name != "_apply"}


def _hooks(module: nn.Module, handles: set[int] | None = None) -> Iterator[Any]:
    """The hooks of a module, of some handles or all."""
    for table in (module._forward_hooks, module._forward_pre_hooks):
        yield from (hook for key, hook in table.items() if handles is None or key in handles)


def _edges(root: nn.Module, modules: Iterable[nn.Module]) -> list[Edge]:
    above: dict[nn.Module, tuple[nn.Module, str]] = {}
    for parent in root.modules():
        for name, child in parent._modules.items():
            if child is not None:
                above.setdefault(child, (parent, name))
    found: dict[nn.Module, Edge] = {}
    for module in modules:
        while module is not root and module not in found:
            parent, name = above[module]
            found[module] = parent, name, module
            module = parent
    return list(found.values())
