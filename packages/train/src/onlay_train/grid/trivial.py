"""What one reaches without training: the class that is most frequent in the training part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onlay.data import Splits

ENDING = " trivial"
"""Of the key of this fact, behind that of the data."""


def trivial_share(counts: Mapping[str, Mapping[str, int]]) -> float | None:
    """The share that the class has in the test part, else in the validation part; of equally
    frequent classes the first.

    >>> trivial_share({"train": {"a": 5, "b": 7}, "test": {"a": 6, "b": 2}})
    0.25
    """
    trained = counts.get("train", {})
    judged: Mapping[str, int] = counts.get("test") or counts.get("validation") or {}
    total = sum(judged.values())
    if not trained or not total:
        return None
    return judged.get(max(trained, key=lambda label: trained[label]), 0) / total


def trivial_fact(splits: Splits) -> str | None:
    """The same of data whose targets are classes, as text."""
    facts: Mapping[str, Any] = splits.facts
    share = trivial_share(facts.get("counts", {})) if splits.targets == "class" else None
    return None if share is None else f"{share:.6f}"
