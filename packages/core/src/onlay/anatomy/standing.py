"""Tensors of a backbone for which an adapter's copies stand in.

Of the two tensors, the original and the copy, the backbone holds the one that it computes with; the
other lies in a box. An adapter's names are no tensors of their own but lead to where the copy is,
so that whatever `to`, a loader or a distributed engine puts there is one object under both names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from torch import Tensor, nn

from onlay.anatomy.ports import Override

Fn = Callable[[Tensor], Tensor]


class Swap:
    """One such tensor. While it is `standing`, the copy is in the backbone and the original in the
    box; else the other way round."""

    def __init__(self, root: nn.Module, path: str, copy: Tensor) -> None:
        self.root, self.path = root, path
        self.home, _, self.name = path.rpartition(".")
        self.box = nn.Module()
        self.parameter = isinstance(copy, nn.Parameter)
        self.standing = False
        _table(self.box, self.parameter)[self.name] = copy

    @property
    def owner(self) -> nn.Module:
        """The module that computes with the tensor; looked up, as an engine may have put another
        one there (`SyncBatchNorm`)."""
        return self.root.get_submodule(self.home)

    @property
    def copy(self) -> Tensor:
        return self._tensor(copy=True)

    @property
    def original(self) -> Tensor:
        return self._tensor(copy=False)

    def store(self, tensor: Tensor) -> None:
        """Let this be the copy from now on, wherever the copy is."""
        _table(self._where(copy=True), self.parameter)[self.name] = tensor

    def exchange(self) -> None:
        """What is in the backbone goes into the box, and the other way round."""
        inside, boxed = (_table(m, self.parameter) for m in (self.owner, self.box))
        if not self.standing:  # the backbone may have moved since the copy was in it last
            self._move_box(inside[self.name], boxed[self.name])
        inside[self.name], boxed[self.name] = boxed[self.name], inside[self.name]
        self.standing = not self.standing

    def _move_box(self, like: Tensor, tensor: Tensor) -> None:
        if tensor.device != like.device or tensor.dtype != like.dtype:
            self.box._apply(lambda t: t.to(like.device, like.dtype))

    def _tensor(self, *, copy: bool) -> Tensor:
        return _table(self._where(copy=copy), self.parameter)[self.name]

    def _where(self, *, copy: bool) -> nn.Module:
        return self.owner if copy == self.standing else self.box


def _table(module: nn.Module, parameter: bool) -> dict[str, Any]:
    return module._parameters if parameter else module._buffers


class Following:
    """While copies stand in a module, what converts or moves the module does so to the originals
    in their boxes, too."""

    def __init__(self, owner: nn.Module, boxes: list[nn.Module]) -> None:
        self.owner, self.boxes = owner, boxes
        self.former = owner._apply

    def install(self) -> Override:
        return Override(self.owner, "_apply", self.apply)

    def apply(self, fn: Fn, recurse: bool = True) -> nn.Module:
        self.former(fn, recurse)
        for box in self.boxes:
            box._apply(fn)
        return self.owner


def followed(swaps: list[Swap]) -> Iterator[Override]:
    """Let the originals follow their modules for as long as copies stand in."""
    boxes: dict[nn.Module, list[nn.Module]] = {}
    for swap in swaps:
        boxes.setdefault(swap.owner, []).append(swap.box)
    for owner, own in boxes.items():
        yield Following(owner, own).install()


class Names(MutableMapping[str, Any]):
    """The table of a module whose tensors are copies that stand in elsewhere."""

    def __init__(self) -> None:
        self.swaps: dict[str, Swap] = {}

    def __getitem__(self, name: str) -> Tensor:
        return self.swaps[name].copy

    def __setitem__(self, name: str, tensor: Tensor) -> None:
        self.swaps[name].store(tensor)

    def __delitem__(self, name: str) -> None:
        del self.swaps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.swaps))

    def __len__(self) -> int:
        return len(self.swaps)

    def copy(self) -> dict[str, Tensor]:
        """As `dict.copy`, for who replicates modules."""
        return dict(self)


class Thawed(nn.Module):
    """A tree of the copies under the names that the originals have in the backbone; no methods of
    its own, which could be names there."""

    def __init__(self) -> None:
        super().__init__()
        tables: Any = Names(), Names()
        self._parameters, self._buffers = tables


def show(tree: Thawed, swap: Swap) -> None:
    """Let a tree have the copy of `blocks.0.norm2.weight` under that name."""
    for part in filter(None, swap.home.split(".")):
        if part not in tree._modules:
            tree.add_module(part, Thawed())
        tree = tree._modules[part]  # type: ignore[assignment]
    table: Any = _table(tree, swap.parameter)
    table.swaps[swap.name] = swap
