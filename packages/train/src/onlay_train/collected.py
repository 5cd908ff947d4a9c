"""All outputs and targets of a part that was judged, in the order of its items, for a report."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import Any

from accelerate.utils import gather_object
from torch import Tensor
from torch.utils.data import default_collate

from onlay.errors import ConfigError
from onlay.reports import Report


class Collected:
    """What `Evaluation` shows of one process's share; nothing of it is kept for a head that has no
    `report`."""

    def __init__(self, head: Any) -> None:
        self.told = getattr(head, "report", None)
        self.condense = getattr(head, "condense", lambda output, targets: (output, targets))
        self.outputs: list[Tensor] = []
        self.targets: list[Tensor] = []

    def __call__(self, output: Any, targets: Any) -> None:
        """Keep a batch, or what the head condenses it to, on the CPU.

        Raises:
            ConfigError: outputs or targets are no tensors.
        """
        if self.told is None:
            return
        output, targets = self.condense(output, targets)
        if not isinstance(output, Tensor) or not isinstance(targets, Tensor):
            raise ConfigError("a task with a `report` needs outputs and targets that are tensors")
        self.outputs += output.detach().cpu().unbind(0)
        self.targets += targets.detach().cpu().unbind(0)

    def report(self) -> Report:
        """Of the items of all processes, which take them in turn; all must ask."""
        if self.told is None:
            return Report()
        shares = gather_object([[*zip(self.outputs, self.targets, strict=True)]])
        turns = chain.from_iterable(zip_longest(*shares))
        outputs, targets = default_collate([pair for pair in turns if pair is not None])
        return self.told(outputs, targets)
