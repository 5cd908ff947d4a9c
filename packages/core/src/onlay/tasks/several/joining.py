"""What a task with several heads takes apart and puts together: parts of data, batches, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from onlay.batches import stacked
from onlay.data import Splits, targets_of


class OneTarget(Dataset[Any]):
    """The items of a part, with one of their targets."""

    def __init__(self, part: Any, key: str) -> None:
        self.part, self.key = part, key

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> Any:
        inputs, targets = self.part[index]
        return inputs, targets[self.key]

    @property
    def targets(self) -> Sequence[Any]:
        """Each is read when it is asked for."""
        return _Of(targets_of(self.part), self.key)


@dataclass(frozen=True)
class OneOfEach:
    """One target of each item, as often as these can be gone through."""

    targets: Iterable[Mapping[str, Any]]
    key: str

    def __iter__(self) -> Iterator[Any]:
        return (target[self.key] for target in self.targets)


class _Of(Sequence[Any]):
    """One target of each item."""

    def __init__(self, targets: Sequence[Any], key: str) -> None:
        self.all, self.key = targets, key

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        return self.all[index][self.key]


def splits_of(splits: Splits, key: str, targets: str, labels: Sequence[str]) -> Splits:
    """What a head with one of the targets is shown of the data; `facts` of its own lie under
    `facts["several"][key]`."""
    parts: dict[str, Any] = {
        name: None if part is None else OneTarget(part, key)
        for name in ("train", "validation", "test")
        for part in (getattr(splits, name),)
    }
    facts = splits.facts.get("several", {}).get(key, {})
    return replace(splits, labels=tuple(labels), targets=targets, facts=facts, **parts)


@dataclass(frozen=True)
class Collate:
    """Items as a batch, each target as its head wants it; can be sent to another process."""

    own: Mapping[str, Callable[[Sequence[Any]], Any]]
    """Of each target whose head has a `collate`."""

    def __call__(self, items: Sequence[tuple[Any, Mapping[str, Any]]]) -> tuple[Any, Any]:
        inputs = stacked([x for x, _ in items])
        targets = {key: self._targets(key, items) for key in items[0][1]}
        return inputs, targets

    def _targets(self, key: str, items: Sequence[tuple[Any, Mapping[str, Any]]]) -> Any:
        if key not in self.own:
            return stacked([targets[key] for _, targets in items])
        return self.own[key]([(x, targets[key]) for x, targets in items])[1]


class JoinedMetrics(nn.Module):
    """The metrics of each head, `NAME/METRIC`."""

    def __init__(self, collections: Mapping[str, nn.Module], keys: Mapping[str, str]) -> None:
        super().__init__()
        self.collections, self.keys = nn.ModuleDict(collections), dict(keys)

    def update(self, output: Mapping[str, Any], targets: Mapping[str, Any]) -> None:
        """Of a batch."""
        for name, own in self._each():
            own.update(output[name], targets[self.keys[name]])

    def compute(self) -> dict[str, Tensor]:
        """Of all batches since the last `reset`."""
        return {
            f"{n}/{metric}": x for n, own in self._each() for metric, x in own.compute().items()
        }

    def reset(self) -> None:
        """Forget all batches."""
        for _, own in self._each():
            own.reset()

    def _each(self) -> Sequence[tuple[str, Any]]:
        return list(self.collections.items())
