"""Lists of places in settings."""

from __future__ import annotations

from collections.abc import Sequence


def refuse_twice(field: str, chosen: Sequence[str], example: str) -> None:
    """Raise a `ValueError` for no place, or for one that is named twice."""
    if not chosen:
        raise ValueError(f"`{field}` is empty: name one, such as `{example}`")
    fused = "qkv" in chosen and {"q", "k", "v"} & set(chosen)
    if len(set(chosen)) < len(chosen) or fused:
        raise ValueError(f"`{field}` {list(chosen)} names one twice")
