"""Where pretraining pays, and where a small network without it is ahead: what controls say of each
data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onlay_train.grid.report.rows import Found, mean

NO_ADAPTERS = ("linear", "full", "scratch")


@dataclass(frozen=True, kw_only=True)
class Regime:
    """A data set, with as many labels as it has, by its controls; means over seeds."""

    data: str
    size: float | None
    linear: float
    """The frozen probe."""
    scratch: float
    """The network without pretraining."""
    adapter: str | None
    """The best of all that train few parameters on the frozen backbone."""
    best: float | None
    """Its mean."""
    pays: bool
    """The frozen probe is above the network from scratch, by more than the margin: a claim about
    adapters counts here."""
    beaten: bool
    """The network from scratch is above the probe and every adapter, by more than the margin."""


def regimes(found: Found, margin: float) -> list[Regime]:
    """Of each data set on which both controls are done; differences up to the margin are none."""
    every = (_regime(found, data, margin) for data in found.datasets)
    return [regime for regime in every if regime is not None]


def _regime(found: Found, data: str, margin: float) -> Regime | None:
    rows = [row for row in found.rows if row.data == data]
    own = {c: [row.score for row in rows if row.control == c] for c in ("linear", "scratch")}
    if not all(own.values()):
        return None
    linear, scratch = mean(own["linear"]), mean(own["scratch"])
    scores: dict[str, list[float]] = {}
    for row in rows:
        if row.control not in NO_ADAPTERS:
            scores.setdefault(row.method, []).append(row.score)
    means = {method: mean(each) for method, each in scores.items()}
    sign = 1 if found.measure.better == "higher" else -1
    adapter = max(means, key=lambda method: sign * means[method], default=None)
    best = None if adapter is None else means[adapter]
    rivals = [linear] if best is None else [linear, best]
    return Regime(
        data=data,
        size=rows[0].size,
        linear=linear,
        scratch=scratch,
        adapter=adapter,
        best=best,
        pays=sign * (linear - scratch) > margin,
        beaten=all(sign * (scratch - rival) > margin for rival in rivals),
    )


def sentences(found: Found, margin: float) -> Iterator[str]:
    """What is to be known before anything is claimed of adapters."""
    own = regimes(found, margin)
    yield from beaten(own)
    if paying := [regime.data for regime in own if regime.pays]:
        yield (
            f"Pretraining pays on {'; '.join(paying)}: the linear probe is above the network from"
            " scratch, so what is said of adapters counts there."
        )
    elif own:
        yield (
            "On none of these data is the linear probe above the network from scratch by more than"
            f" the margin of {margin:g}: no claim about adapters counts here."
        )
    yield from without_training(found)


def beaten(own: Iterable[Regime]) -> Iterator[str]:
    """Where the network from scratch is above all that builds on the pretrained one."""
    return (_beaten(regime) for regime in own if regime.beaten)


def captions(found: Found, margin: float) -> dict[str, list[str]]:
    """What belongs below the drawing of a data set: what its controls say of it."""
    told = {regime.data: [_of_one(regime)] for regime in regimes(found, margin)}
    for data, own in found.trivial.items():
        told.setdefault(data, []).append(f"Without training, {own.what}: {own.score:.1f}.")
    return told


def _of_one(regime: Regime) -> str:
    if regime.beaten:
        return _beaten(regime)
    numbers = f"the linear probe has {regime.linear:.1f}, the network from scratch"
    numbers += f" {regime.scratch:.1f}"
    if regime.pays:
        return f"Pretraining pays here: {numbers}."
    return f"No claim about adapters counts here: {numbers}."


def without_training(found: Found) -> Iterator[str]:
    """What an answer reaches that is the same for every input, or why there is none, on the data
    sets that have a result."""
    unit = f" {found.measure.unit}" if found.measure.unit else ""
    for data in (data for data in found.datasets if data in found.trivial):
        own = found.trivial[data]
        yield f"Without any training, the {own.what} has {own.score:.1f}{unit} on {data}."
    for data, why in found.no_trivial.items():
        yield f"There is no row without training for {data}: {why}."


def _beaten(regime: Regime) -> str:
    best = "" if regime.best is None else f" (the best is `{regime.adapter}`, {regime.best:.1f})"
    adapters = f" and every adapter{best}" if regime.adapter else ""
    return (
        f"On {regime.data} the network from scratch ({regime.scratch:.1f}) beats the frozen probe"
        f" ({regime.linear:.1f}){adapters}: these data hardly measure what adapting a pretrained"
        " backbone is for."
    )
