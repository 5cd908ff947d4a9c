"""A part of the data of which is kept what the model needs of it, and the targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten
from torch.utils.data import Dataset

from onlay.batches import stacked
from onlay.errors import DataError
from onlay.model.prefix import Kept
from onlay_train.cache.store import Store


class Targets:
    """How a target becomes named tensors, and a target again; made of the first one."""

    def __init__(self, first: Any) -> None:
        leaves, self.spec = tree_flatten(first)
        self.kinds = [type(leaf) for leaf in leaves]

    def taken(self, target: Any) -> dict[str, Tensor]:
        """
        Raises:
            DataError: it is of another kind, or holds what is no number.
        """
        leaves, spec = tree_flatten(target)
        if spec != self.spec:
            raise DataError(
                "targets differ in what they are made of, and `train.cache` keeps alike ones: leave"
                " it out for this task"
            )
        return {f"target.{i}": _tensor(leaf) for i, leaf in enumerate(leaves)}

    def given(self, row: dict[str, Tensor]) -> Any:
        spec: TreeSpec = self.spec
        kept = [row[f"target.{i}"] for i in range(len(self.kinds))]
        return tree_unflatten([_back(t, k) for t, k in zip(kept, self.kinds, strict=True)], spec)


def _tensor(leaf: Any) -> Tensor:
    if isinstance(leaf, Tensor):
        return leaf
    if isinstance(leaf, np.ndarray | np.generic | bool | int | float):
        exact = np.asarray(leaf)
        return torch.from_numpy(np.array(exact))
    raise DataError(
        f"targets hold a `{type(leaf).__name__}`, and `train.cache` keeps numbers and tensors:"
        " leave it out for this task"
    )


def _back(kept: Tensor, kind: type) -> Any:
    return kept if issubclass(kind, Tensor | np.ndarray) else kept.item()


class KeptItems(Dataset[Any]):
    """Items `({name: tensor}, target)`, of each sample as many views as there are."""

    def __init__(self, store: Store, targets: Targets, plain: Dataset[Any], views: int = 1) -> None:
        self.store, self.own, self.plain, self.views = store, targets, plain, views
        self.blocks = getattr(plain, "blocks", None)
        self.judged: tuple[int, KeptItems] | None = None
        """From which epoch on they are judged, and as what."""

    def __len__(self) -> int:
        return len(self.plain)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> tuple[dict[str, Tensor], Any]:
        return self.seen(0, index)

    def seen(self, epoch: int, index: int, time: int = 0) -> tuple[dict[str, Tensor], Any]:
        """A sample as an epoch sees it: its views come in turn."""
        if self.judged is not None and epoch >= self.judged[0]:
            return self.judged[1][index]
        row = self.store[(epoch + time) % self.views * len(self) + index]
        target = self.own.given(row)
        return {n: t for n, t in row.items() if not n.startswith("target.")}, target

    @property
    def targets(self) -> list[Any]:
        return [self[index][1] for index in range(len(self))]


def kept_batch(items: Sequence[tuple[dict[str, Tensor], Any]]) -> tuple[Kept, Any]:
    """One batch of them; `Kept` is what the model takes in place of inputs."""
    names = items[0][0]
    inputs = Kept({name: torch.stack([kept[name] for kept, _ in items]) for name in names})
    return inputs, stacked([target for _, target in items])
