"""Every class equally often: which samples an epoch sees then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from onlay.errors import DataError


def balanced_order(classes: Sequence[int], chance: np.random.Generator) -> np.ndarray:
    """As many indices as there are samples, with the classes that occur equally often (up to one
    more by chance), in any order.

    A class goes round: all of its samples, in an order by chance, before one comes again.
    """
    members = [np.flatnonzero(np.asarray(classes) == c) for c in np.unique(classes)]
    share, rest = divmod(len(classes), len(members))
    more = set(chance.permutation(len(members))[:rest].tolist())
    dealt = [_dealt(own, share + (n in more), chance) for n, own in enumerate(members)]
    return chance.permutation(np.concatenate(dealt))


def _dealt(members: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    rounds = -(-count // len(members))
    return np.concatenate([chance.permutation(members) for _ in range(rounds)])[:count]


def times(order: Iterable[int]) -> list[int]:
    """How often each index came before.

    >>> times([4, 2, 4, 4])
    [0, 0, 1, 2]
    """
    seen: Counter[int] = Counter()
    before = []
    for index in order:
        before.append(seen[index])
        seen[index] += 1
    return before


def classes_of(dataset: Any) -> Sequence[int]:
    """The class of every sample, which a data set tells in `targets`, as torchvision's do.

    Raises:
        DataError: it does not, or its targets are no single classes.
    """
    found: Any = getattr(dataset, "targets", ())
    if len(found) and not isinstance(found[0], Mapping) and np.ndim(found[0]) == 0:
        targets = np.asarray(found)  # of masks, which are read one by one, it would read all
        if targets.shape == (len(dataset),) and np.issubdtype(targets.dtype, np.integer):
            return targets.tolist()
    raise DataError(
        "`train.sampler: balanced` needs one class for each sample, which a training part tells in"
        " its attribute `targets`; that of this data set does not: use `shuffle`"
    )
