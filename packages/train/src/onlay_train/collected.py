"""All outputs and targets of a part that was judged, in the order of its items, for a report."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import Any

from accelerate.utils import gather_object
from torch import Tensor
from torch.utils.data import default_collate

from onlay.batches import mapped, row, size_of
from onlay.errors import ConfigError
from onlay.reports import Report


class Collected:
    """What `Evaluation` shows of one process's share; nothing of it is kept for a head that has no
    `report`."""

    def __init__(self, head: Any) -> None:
        self.told = getattr(head, "report", None)
        self.condense = getattr(head, "condense", lambda output, targets: (output, targets))
        self.pairs: list[tuple[Any, Any]] = []

    def __call__(self, output: Any, targets: Any) -> None:
        """Keep a batch, or what the head condenses it to, on the CPU.

        Raises:
            ConfigError: outputs or targets are no trees of tensors.
        """
        if self.told is None:
            return
        output, targets = self.condense(output, targets)
        output, targets = mapped(_kept, output), mapped(_kept, targets)
        self.pairs += [(row(output, n), row(targets, n)) for n in range(size_of(output))]

    def report(self) -> Report:
        """Of the items of all processes, which take them in turn; all must ask."""
        if self.told is None:
            return Report()
        shares = gather_object([self.pairs])
        turns = chain.from_iterable(zip_longest(*shares))
        outputs, targets = default_collate([pair for pair in turns if pair is not None])
        return self.told(outputs, targets)


def _kept(leaf: Any) -> Tensor:
    if not isinstance(leaf, Tensor):
        raise ConfigError(
            "a task with a `report` needs outputs and targets that are tensors, or trees of them"
            " alone; of others its `condense` makes some"
        )
    return leaf.detach().cpu()
