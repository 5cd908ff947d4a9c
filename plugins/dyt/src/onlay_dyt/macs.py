"""What a forward pass multiplies, by arithmetic: how much dispatch saves."""

from __future__ import annotations

from collections.abc import Sequence


def macs(
    width: int, rates: Sequence[float], *, patches: int, prefix: int = 1, bottleneck: int = 0
) -> float:
    """Multiplications (with additions) of one input in the blocks of a plain transformer, whose
    MLP is four times as wide, at the achieved `rates` of its blocks; without patch embedding and
    head. Of the bare network `bottleneck` is 0 and every rate 1.

    >>> round(macs(768, [1.0] * 12, patches=196) / 1e9, 3)
    17.447
    """
    tokens = prefix + patches
    attention = 4 * tokens * width**2 + 2 * tokens**2 * width
    beside = 2 * tokens * width * bottleneck + (patches * width if bottleneck else 0)
    passing = [(prefix + rate * patches) * 8 * width**2 for rate in rates]
    return len(rates) * (attention + beside) + sum(passing)
