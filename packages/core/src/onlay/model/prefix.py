"""The frozen front of an adapted model: what it gives for an input is always the same, and a pass
can begin behind it.

What is kept of a batch is a flat mapping of tensors, `blocks.8` (B, T, D) among them, which the
model takes in place of inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from onlay.anatomy.depths import first_acted
from onlay.anatomy.ports import Override
from onlay.batches import tensors_of
from onlay.errors import AnatomyError
from onlay.model.kept_features import FeaturesKept
from onlay.model.losses import asked

if TYPE_CHECKING:
    from onlay.features import Features
    from onlay.model.adapted import AdaptedModel


class Kept(dict[str, Tensor]):
    """What the frozen front gave for a batch; given to a model that has a `prefix`, it is taken for
    the inputs that it was made of."""


class _Reached(Exception):
    """Everything that is wanted was met."""


@dataclass
class Prefix:
    """The blocks before the first in which something acts; all of the backbone, where nothing does,
    of which the fields of `Features` are kept that the head reads."""

    first: int
    """Index of the first block that is computed; as many as there are blocks: none."""
    whole: FeaturesKept | None = None
    """Where nothing acts in the backbone."""
    inputs: bool = False
    """Whether inputs are kept, too, as something behind reads their values."""
    shape: tuple[int, ...] = ()
    """Of an input."""
    skipped: list[tuple[int, Tensor]] = field(default_factory=list)
    """Which modules a pass needs the shape alone of, and what each gave for one input."""
    kinds: dict[str, torch.dtype] = field(default_factory=dict)
    """What each tensor was computed in, `inputs` among them."""

    @classmethod
    def of(cls, model: AdaptedModel) -> Prefix:
        """
        Raises:
            AnatomyError: nothing stays the same from one step to the next, or the method or task
                looks at inputs anew.
        """
        refuse_views(model)
        found, depth = first_acted(model.adapter), len(model.anatomy.blocks)
        if found is None:
            return cls(depth, FeaturesKept())
        if found[0] <= 1:
            raise AnatomyError(
                f"`{model.method.name}` acts at `{found[1]}`, so nothing comes before it that could"
                f" be kept: set `method.last_blocks` (this backbone has {depth} blocks), or leave"
                " out `train.cache`"
            )
        return cls(found[0] - 1)

    @property
    def told(self) -> str:
        """What is kept, in words."""
        return f"the output of block {self.first}" if self.whole is None else "what the head reads"

    def capture(self, model: AdaptedModel, inputs: Tensor) -> Kept:
        """What is to be kept of a batch, in the mode in which the model is; without a graph unless
        something before trains, which is refused.

        Raises:
            AnatomyError: something that trains acts before.
        """
        with model._turn():
            found = self._features(model, inputs) if self.whole else self._blocks(model, inputs)
        self.shape = tuple(inputs.shape[1:])
        if self.inputs:
            found["inputs"] = inputs
        if any(t.requires_grad for t in found.values()):
            raise AnatomyError(
                "something that trains acts in what was to be kept: tell the authors"
            )
        self.kinds |= {name: t.dtype for name, t in found.items()} | {"inputs": inputs.dtype}
        return Kept({name: t.detach() for name, t in found.items()})

    def features(self, model: AdaptedModel, kept: Kept, levels: Sequence[int]) -> Features:
        """What the backbone gives for the inputs of which this was kept."""
        kept = Kept({name: t.to(self.kinds[name]) for name, t in kept.items()})
        size, device = len(next(iter(kept.values()))), next(iter(kept.values())).device
        kind = self.kinds["inputs"]  # no value that could be taken for one
        fill = float("nan") if kind.is_floating_point else 0
        blank = torch.full((), fill, dtype=kind, device=device)
        inputs = kept.get("inputs", blank.expand(size, *self.shape))
        if self.whole:
            return self.whole.rebuilt(kept, inputs)
        with self._replayed(model, kept, size):
            return model._of_inputs(inputs, levels)

    def _features(self, model: AdaptedModel, inputs: Tensor) -> dict[str, Tensor]:
        assert self.whole is not None
        return self.whole.taken(model._of_inputs(inputs, getattr(model.head, "levels", ())))

    def _blocks(self, model: AdaptedModel, inputs: Tensor) -> dict[str, Tensor]:
        """The pass ends behind the last of the blocks."""
        found: dict[str, Tensor] = {}
        watch = _Watch(found, f"blocks.{self.first - 1}")
        skipped = {f"skipped.{i}": m for i, m in enumerate(model.anatomy.skipped)}
        with watch.on(skipped | self._sources(model)), suppress(_Reached):
            model._of_inputs(inputs, ())
        met = [(i, name) for i, name in enumerate(skipped) if name in found]
        self.skipped = [(i, found.pop(name)[:1].detach()) for i, name in met]
        return found

    def _sources(self, model: AdaptedModel) -> dict[str, nn.Module]:
        blocks, levels = model.anatomy.blocks, getattr(model.head, "levels", ())
        wanted = {self.first - 1, *(level for level in levels if level < self.first)}
        beside = {f"beside.{i}": m for i, m in enumerate(model.anatomy.kept_beside)}
        return beside | {f"blocks.{i}": blocks[i].module for i in sorted(wanted)}

    @contextmanager
    def _replayed(self, model: AdaptedModel, kept: Kept, size: int) -> Iterator[None]:
        """Modules of the front give what was kept, or hand on what they are given."""
        anatomy, sources = model.anatomy, self._sources(model)
        calls: dict[nn.Module, Any] = {b.module: _first for b in anatomy.blocks[: self.first]}
        for index, like in self.skipped:
            calls[anatomy.skipped[index]] = _Given(like.new_zeros(()).expand(size, *like.shape[1:]))
        for name, module in sources.items():
            calls[module] = _Given(_joined(kept, name))
        undos = [Override(module, "forward", call) for module, call in calls.items()]
        try:
            yield
        finally:
            for undo in reversed(undos):
                undo.remove()


def _first(given: Any, *rest: Any, **named: Any) -> Any:
    return given


class _Given:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.value


def _joined(kept: Mapping[str, Tensor], name: str) -> Any:
    """A tensor, or the tuple of those that are called `name.0`, `name.1`."""
    if name in kept:
        return kept[name]
    count = sum(each.startswith(f"{name}.") for each in kept)
    return tuple(kept[f"{name}.{i}"] for i in range(count))


class _Watch:
    def __init__(self, found: dict[str, Tensor], last: str) -> None:
        self.found, self.last = found, last

    @contextmanager
    def on(self, sources: Mapping[str, nn.Module]) -> Iterator[None]:
        handles = [m.register_forward_hook(self._hook(n)) for n, m in sources.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, name: str) -> Any:
        def see(module: nn.Module, args: Any, output: Any) -> None:
            given = list(tensors_of(output))
            named = {name: given[0]} if isinstance(output, Tensor) else {}
            self.found |= named or {f"{name}.{i}": t for i, t in enumerate(given)}
            if name == self.last:
                raise _Reached

        return see


def refuse_views(model: AdaptedModel) -> None:
    """Raise an `AnatomyError` for what makes other inputs of those that there are."""
    for who, name in ((asked(model.adapter, "views"), model.method.name),):
        if who:
            raise AnatomyError(
                f"`{name}` looks at several views of a batch while it trains, and from what is"
                " kept none can be made: leave out `train.cache`"
            )
    if getattr(model.head, "views", None) is not None:
        raise AnatomyError(
            f"`{model.task.name}` looks at several views of an input in evaluation, and from what"
            " is kept none can be made: leave out `train.cache`"
        )
