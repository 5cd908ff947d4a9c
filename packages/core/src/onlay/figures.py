"""What the modules of an adapter tell of the training: the figures that a method is watched by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figures:
    """What a module's method `figures()` gives: what it saw since it last entered training mode
    (`train(True)`, which a run calls at the start of every epoch).

    A run asks for them every `train.log_every` steps and at the end of an epoch, before it
    evaluates. Of several processes each has seen its own share of the batches, and what the main
    one has seen is written down. A module that has seen nothing gives `Figures()`.

    Raises:
        ValueError: a name without a `/`.

    >>> Figures({"gated/open/block_03": 0.25}, summary="a quarter open")
    Figures(values={'gated/open/block_03': 0.25}, summary='a quarter open', warnings=())
    """

    values: Mapping[str, float] = field(default_factory=dict)
    """Under `method/figure` names, for `metrics.jsonl` and trackers."""
    summary: str = ""
    """A few words for the line of an epoch."""
    warnings: tuple[str, ...] = ()
    """What went wrong, a sentence each; said once an epoch."""

    def __post_init__(self) -> None:
        for name in self.values:
            if "/" not in name:
                raise ValueError(f"a figure is named `method/figure`, and `{name}` has no `/`")


def united(parts: Iterable[Figures]) -> Figures:
    """The figures of several modules as those of one."""
    values: dict[str, float] = {}
    summaries, warnings = [], []
    for part in parts:
        twice = values.keys() & part.values.keys()
        assert not twice, f"two modules of an adapter give the figure `{min(twice)}`"
        values |= part.values
        summaries += [part.summary] if part.summary else []
        warnings += part.warnings
    return Figures(values, "  ".join(summaries), tuple(warnings))
