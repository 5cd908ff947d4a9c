"""What of `Features` a head reads, told by what changes where a field is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from onlay.features import Features, Layout

NAMES = ("cls", "prompts", "patches", "pooled")


@dataclass
class FeaturesKept:
    """How features become named tensors, and features again."""

    names: tuple[str, ...] | None = None
    """Which are kept; none yet chosen: all."""
    like: Features | None = None
    """Those of one input: shapes of what is not kept, and the layout."""

    def taken(self, features: Features) -> dict[str, Tensor]:
        """The tensors by their names: `cls`, `levels.0`, `layout.centres`."""
        self.like = features[:1]
        found = named(features)
        return found if self.names is None else {name: found[name] for name in self.names}

    def rebuilt(self, kept: dict[str, Tensor], inputs: Tensor) -> Features:
        """Features of which what was not kept is not a number."""
        assert self.like is not None
        found = {n: kept.get(n, missing(t, len(inputs))) for n, t in named(self.like).items()}
        return joined(self.like, found, inputs)

    def choose(self, features: Features, seen: Callable[[Features], Any]) -> None:
        """Keep what changes `seen(features)` where it is missing; at least one."""
        every, expected = named(features), seen(features)
        read = [n for n in every if not _same(expected, seen, features, n)]
        self.names = tuple(read or list(every)[:1])


def named(features: Features) -> dict[str, Tensor]:
    found = {name: getattr(features, name) for name in NAMES}
    own = {name: t for name, t in found.items() if t is not None}
    own |= {f"levels.{i}": t for i, t in enumerate(features.levels)}
    return own | {f"layout.{name}": t for name, t in _of_layout(features.layout).items()}


def joined(like: Features, found: dict[str, Tensor], inputs: Any) -> Features:
    own: dict[str, Any] = {name: found.get(name) for name in NAMES}
    levels = [found[f"levels.{i}"] for i in range(len(like.levels))]
    places = {name: found[f"layout.{name}"] for name in _of_layout(like.layout)}
    layout: Any = replace(like.layout, **places) if places else like.layout  # type: ignore[type-var]
    return replace(like, **own, levels=levels, layout=layout, inputs=inputs)


def missing(like: Tensor, size: int) -> Tensor:
    """(size, ...) without a value that could be taken for one."""
    blank = torch.full((), float("nan") if like.is_floating_point() else 0, device=like.device)
    return blank.to(like.dtype).expand(size, *like.shape[1:])


def _of_layout(layout: Layout) -> dict[str, Tensor]:
    if not is_dataclass(layout):
        return {}
    own = {each.name: getattr(layout, each.name) for each in fields(layout)}
    return {name: t for name, t in own.items() if isinstance(t, Tensor)}


def _same(expected: Any, seen: Callable[[Features], Any], features: Features, name: str) -> bool:
    every = named(features)
    without = {**every, name: missing(every[name], len(features))}
    try:
        found = seen(joined(features, without, features.inputs))
    except Exception:  # it is read, whatever came of it
        return False
    return all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
