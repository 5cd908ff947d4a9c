"""Batches: targets and outputs of a task are any tree of tensors.

A tree is a tensor, or a mapping or a tuple (a named one, too) of trees. In a batch each tensor has
the inputs along its first axis, and a list has one entry for each input, whatever that is (the
boxes of each picture, of which none has as many as another). `Features` count as a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from onlay.errors import DataError
from onlay.features import Features

Tree = Any


def stacked(items: Sequence[Any]) -> Tree:
    """One batch of items that are trees of one shape: how a loader joins them where a task brings
    no `collate` of its own.

    Numbers and arrays become tensors, floats in torch's own dtype; what else there is in
    an item (a text, a list) is kept in a list.

    Raises:
        DataError: tensors of different shapes, or trees of different branches.

    >>> stacked([(torch.zeros(2), {"size": 1.5}), (torch.ones(2), {"size": 2.0})])
    (tensor([[0., 0.],
            [1., 1.]]), {'size': tensor([1.5000, 2.0000])})
    """
    first = items[0]
    if isinstance(first, Mapping):
        _refuse_other([sorted(map(str, item)) for item in items], "names")
        return {name: stacked([item[name] for item in items]) for name in first}
    if isinstance(first, tuple):
        _refuse_other([len(item) for item in items], "lengths")
        return _tuple(first, [stacked(column) for column in zip(*items, strict=True)])
    if isinstance(first, Tensor | np.ndarray):
        _refuse_other([tuple(item.shape) for item in items], "shapes")
        return default_collate(list(items))
    if isinstance(first, bool | int | float | np.generic):
        return torch.tensor([x.item() if isinstance(x, np.generic) else x for x in items])
    return list(items)


def mapped(change: Callable[[Any], Any], tree: Tree) -> Tree:
    """The tree with each of its leaves, which are tensors and lists, changed."""
    if isinstance(tree, Mapping):
        return {name: mapped(change, branch) for name, branch in tree.items()}
    if isinstance(tree, tuple):
        return _tuple(tree, [mapped(change, branch) for branch in tree])
    return change(tree)


def rows(tree: Tree, which: slice) -> Tree:
    """Some inputs of a batch, `slice(2)` the first two; a number that is of the whole batch stays
    as it is."""
    return mapped(lambda leaf: leaf if _of_all(leaf) else leaf[which], tree)


def row(tree: Tree, index: int) -> Tree:
    """A single input of a batch, without the batch's axis."""
    return mapped(lambda leaf: leaf if _of_all(leaf) else leaf[index], tree)


def joined(batches: Sequence[Any]) -> Tree:
    """Batches one after the other, trees of one shape; a number that is of a whole batch is the
    first one's."""
    first = batches[0]
    if isinstance(first, Mapping):
        return {name: joined([batch[name] for batch in batches]) for name in first}
    if isinstance(first, tuple):
        return _tuple(first, [joined(branch) for branch in zip(*batches, strict=True)])
    if isinstance(first, list):
        return [entry for batch in batches for entry in batch]
    return first if _of_all(first) else torch.cat([*batches])


def size_of(tree: Tree) -> int:
    """How many inputs a batch has."""
    for leaf in _leaves(tree):
        if not _of_all(leaf):
            return len(leaf)
    raise DataError("a batch holds no tensor and no list, so it has no size")


def tensors_of(tree: Tree) -> Iterator[Tensor]:
    """Every tensor, also those in lists."""
    for leaf in _leaves(tree):
        if isinstance(leaf, Tensor):
            yield leaf
        elif isinstance(leaf, list):
            for entry in leaf:
                yield from tensors_of(entry)


def _leaves(tree: Tree) -> Iterator[Any]:
    if isinstance(tree, Mapping | tuple):
        for branch in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _leaves(branch)
    else:
        yield tree


def _of_all(leaf: Any) -> bool:
    return not isinstance(leaf, list | Features) and getattr(leaf, "ndim", 0) == 0


def _tuple(like: tuple[Any, ...], branches: Sequence[Any]) -> tuple[Any, ...]:
    make: Any = getattr(like, "_make", type(like))
    return make(branches)


def _refuse_other(found: Sequence[Any], what: str) -> None:
    other = next((each for each in found if each != found[0]), None)
    if other is not None:
        raise DataError(
            f"items of different {what} cannot make one batch ({found[0]} and {other}): give them"
            " as a list, of which each input has its own, or let the task's head bring a `collate`"
        )
