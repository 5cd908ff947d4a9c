"""Looks at a first batch, on a copy of the model: what is to be kept, and whether a pass from there
gives what a whole pass gives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from onlay.anatomy.liveness import same_draws
from onlay.batches import tensors_of
from onlay.errors import ConfigError
from onlay.model.prefix import Kept, Prefix

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel

Batch = tuple[Any, Any]
Around = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Probed:
    """What was found."""

    prefix: Prefix
    worst: float
    """The largest difference of a kept number between two batches, as a share of the largest number
    of its tensor; 0: a sample has the same bits in any batch."""
    like: Kept
    """What is kept of the batch."""


def probe(model: AdaptedModel, batch: Batch, sizes: list[int], around: Around) -> Probed:
    """`sizes` are the batches of a training epoch; `around` is the precision of a pass.

    Raises:
        ConfigError: the front draws at random, or a pass cannot begin behind it.
        AnatomyError: there is no such front.
    """
    prefix, twin = Prefix.of(model), copy.deepcopy(model)
    twin.prefix = prefix
    with torch.no_grad(), around():
        inputs, _ = batch
        twin.train()
        with torch.enable_grad():  # what trains in the front has a graph, and is refused
            prefix.capture(twin, inputs)
        _refuse_draws(twin, prefix, inputs)
        if prefix.whole is not None:
            _choose(twin, batch)
        for prefix.inputs in (False, True):  # only where something behind reads their values
            if _agrees(twin, batch):
                break
        else:
            raise ConfigError(
                f"a pass of `{model.method.name}` on `{model.built.label}` that begins with what"
                " `train.cache` keeps does not give what a whole pass gives: leave it out"
            )
        twin.train()
        found = prefix.capture(twin, inputs)
        return Probed(prefix, _worst(twin, inputs, found, sizes), found)


def _refuse_draws(model: AdaptedModel, prefix: Prefix, inputs: Any) -> None:
    with same_draws():
        before = _generators(inputs)
        prefix.capture(model, inputs)
        drew = any(not torch.equal(a, b) for a, b in zip(before, _generators(inputs), strict=True))
    if drew:
        raise ConfigError(
            f"`{model.built.label}` draws random numbers in training before what `train.cache`"
            " keeps (drop path, dropout): set `backbone.drop_path=0` and the like, or leave"
            " `train.cache` out"
        )


def _generators(inputs: Any) -> list[Tensor]:
    device = next(tensors_of(inputs)).device
    own = [torch.get_rng_state()]
    return own + ([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])


def _choose(model: AdaptedModel, batch: Batch) -> None:
    """Which fields of the features the head reads, training and judging."""
    prefix, (inputs, targets) = model.prefix, batch
    assert prefix is not None
    assert prefix.whole is not None

    def seen(features: Any) -> list[Tensor]:
        return _both(
            model,
            lambda: model._task_loss(features, targets),
            lambda: model.answer(features),
        )

    features = model.features(inputs, levels=getattr(model.head, "levels", ()))
    prefix.whole.choose(features, seen)


def _agrees(model: AdaptedModel, batch: Batch) -> bool:
    inputs, targets = batch
    assert model.prefix is not None

    def passes(given: Any) -> list[Tensor]:
        return _both(model, lambda: model(given, targets), lambda: model(given))

    try:
        begun = passes(model.prefix.capture(model, inputs))
    except Exception:
        if model.prefix.inputs:
            raise
        return False  # something behind wants inputs that are none
    return all(torch.equal(a, b) for a, b in zip(passes(inputs), begun, strict=True))


def _both(model: AdaptedModel, *calls: Callable[[], Any]) -> list[Tensor]:
    """In training and in evaluation, under one seed each; buffers that a pass moves go back."""
    found: list[Tensor] = []
    for mode, call in zip((True, False), calls, strict=True):
        state = {n: t.clone() for n, t in model.trained_state().items()}
        with same_draws():
            torch.manual_seed(0)
            model.train(mode)
            found += list(tensors_of(call()))
        model.load_trained_state(state)
    return found


def _worst(model: AdaptedModel, inputs: Tensor, found: Kept, sizes: list[int]) -> float:
    """Over other neighbours and other sizes of batches."""
    assert model.prefix is not None
    order, worst = torch.arange(len(inputs) - 1, -1, -1, device=inputs.device), 0.0
    for size in {len(inputs), *(s for s in sizes if s < len(inputs))}:
        rows = order[:size]
        other = model.prefix.capture(model, inputs[rows])
        worst = max(worst, *(_difference(found[n][rows], other[n]) for n in found))
    return worst


def _difference(a: Tensor, b: Tensor) -> float:
    if torch.equal(a, b) or not a.numel():
        return 0.0
    return float((a - b).abs().max().double() / a.abs().max().clamp_min(1e-30).double())
