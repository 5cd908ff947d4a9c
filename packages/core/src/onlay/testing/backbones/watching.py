"""Seeing what passes a backbone's sites, and changing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from onlay.anatomy import Anatomy, Site, Undo
from onlay.features import Features, Layout

Change = Callable[[Site, Tensor], Tensor]


@contextmanager
def piped(sites: Iterable[Site], change: Change) -> Iterator[None]:
    """What passes these sites becomes `change(site, tensor)`."""
    undos: list[Undo] = []
    try:
        for site in sites:
            undos += site.port.install(partial(change, site))
        yield
    finally:
        undone(undos)


def undone(undos: list[Undo]) -> None:
    """Take everything back, the latest first."""
    while undos:
        undos.pop().remove()


@dataclass
class Trace:
    """What passed in one `encode`, in the order in which it passed."""

    events: list[str] = field(default_factory=list)
    """Paths of sites; `> 3` and `< 3` where block 3 is entered and left."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    layouts: dict[int, Layout] = field(default_factory=dict)
    """Asked at the entry of each block."""
    features: Features | None = None

    def note(self, name: str, x: Tensor) -> None:
        self.events.append(name)
        self.tensors[name] = x


def trace(anatomy: Anatomy, inputs: Tensor, *, inserted: int = 0) -> Trace:
    """Encode without gradients, watching every site and every block's module."""
    seen = Trace()
    handles: list[Undo] = [_entering(anatomy, seen, block.index) for block in anatomy.blocks]
    try:
        with piped(anatomy.all_sites(), partial(_noted, seen)), torch.no_grad():
            handles += [_leaving(anatomy, seen, block.index) for block in anatomy.blocks]
            seen.features = anatomy.encode(inputs, inserted=inserted)
    finally:
        undone(handles)
    return seen


def _noted(seen: Trace, site: Site, x: Tensor) -> Tensor:
    seen.note(site.path, x)
    return x


def _entering(anatomy: Anatomy, seen: Trace, index: int) -> Undo:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.note(f"> {index}", first_of(args, kwargs))
        seen.layouts[index] = anatomy.layout(index)

    return anatomy.blocks[index].module.register_forward_pre_hook(hook, with_kwargs=True)


def _leaving(anatomy: Anatomy, seen: Trace, index: int) -> Undo:
    def hook(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        seen.note(f"< {index}", output)

    return anatomy.blocks[index].module.register_forward_hook(hook)


def first_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """What a block reads, however it is handed over."""
    return (*args, *kwargs.values())[0]


def outputs_of(features: Features) -> dict[str, Tensor]:
    """Everything that a head may read, by its name."""
    named = {
        "cls": features.cls,
        "prompts": features.prompts,
        "patches": features.patches,
        "pooled": features.pooled,
    }
    return {name: tensor for name, tensor in named.items() if tensor is not None}


@torch.no_grad()
def encoded(anatomy: Anatomy, inputs: Tensor, **given: Any) -> dict[str, Tensor]:
    """The same, of one `encode` without gradients."""
    return outputs_of(anatomy.encode(inputs, **given))
