"""Where pretraining pays, and where a small network without it is ahead: what controls say of each
data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from onlay_train.grid.axes import NONE
from onlay_train.grid.report.rows import Found, Row, mean
from onlay_train.grid.report.scale import Scale
from onlay_train.grid.report.statistics import Difference, corrected, difference


@dataclass(frozen=True, kw_only=True)
class Regime:
    """A data set, with as many labels as it has, on one backbone where there are several, by its
    controls; means over seeds."""

    data: str
    setting: str
    """Which backbone, or what else tells rows apart beside the method, where there are several."""
    size: float | None
    linear: float
    """The frozen probe."""
    scratch: float
    """The network without pretraining."""
    adapter: str | None
    """The best of all that train few parameters on the frozen backbone."""
    best: float | None
    """Its mean."""
    over: Difference | None
    """The frozen probe over the network from scratch, by pairs of one seed."""
    below: Mapping[str, Difference | None]
    """The network from scratch over the probe, `linear`, and over every adapter."""
    pays: bool = False
    """The frozen probe is above the network from scratch, beyond the margin and beyond chance,
    among all regimes of the table: a claim about adapters counts here."""
    beaten: bool = False
    """The network from scratch is above the probe and every adapter, likewise."""

    @property
    def named(self) -> str:
        return f"{self.data} ({self.setting})" if self.setting else self.data


def regimes(found: Found, margin: float) -> list[Regime]:
    """Of each data set on which both controls are done; differences up to the margin are none, nor
    those that seeds do not tell apart."""
    settings = dict.fromkeys(row.setting for row in found.rows if row.control == "linear")
    every = (
        _regime(found, data, setting, margin, several=len(settings) > 1)
        for data in found.datasets
        for setting in settings
    )
    known = {str(n): regime for n, regime in enumerate(r for r in every if r is not None)}
    over = corrected({n: regime.over for n, regime in known.items()})
    # above all of several: as sure as above the one of which one is least sure
    worst = {n: _least_sure(regime.below.values(), margin) for n, regime in known.items()}
    below = corrected(worst)
    return [
        replace(regime, pays=_ahead(over[n], margin), beaten=_ahead(below[n], margin))
        for n, regime in known.items()
    ]


def _ahead(difference: Difference | None, margin: float) -> bool:
    return difference is not None and difference.ahead(margin)


def _least_sure(every: Iterable[Difference | None], margin: float) -> Difference | None:
    """`None` where one of them is not known, or not beyond the margin."""
    known = list(every)
    if any(each is None or each.p is None or not each.ahead(margin) for each in known):
        return None
    return max((each for each in known if each), key=lambda each: each.p or 0.0)


def _regime(
    found: Found, data: str, setting: Sequence[str], margin: float, *, several: bool
) -> Regime | None:
    rows = [row for row in found.rows if row.data == data and _goes_with(row, setting)]
    own = {c: {r.seed: r.score for r in rows if r.control == c} for c in ("linear", "scratch")}
    if not all(own.values()):
        return None
    linear, scratch = (mean([*own[control].values()]) for control in ("linear", "scratch"))
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.adapter:
            scores.setdefault(row.method, {})[row.seed] = row.score
    means = {method: mean([*each.values()]) for method, each in scores.items()}
    sign = 1 if found.measure.better == "higher" else -1
    adapter = max(means, key=lambda method: sign * means[method], default=None)
    best = None if adapter is None else means[adapter]
    rivals = {"linear": own["linear"], **scores}
    return Regime(
        data=data,
        setting=" / ".join(label for label in setting if label != NONE) if several else "",
        size=rows[0].size,
        linear=linear,
        scratch=scratch,
        adapter=adapter,
        best=best,
        over=_over(own["linear"], own["scratch"], sign, margin),
        below={name: _over(own["scratch"], rival, sign, margin) for name, rival in rivals.items()},
    )


def _over(
    one: Mapping[str, float], other: Mapping[str, float], sign: int, margin: float
) -> Difference | None:
    """Scores by seed; `None` where there is no pair."""
    pairs = [sign * (one[seed] - other[seed]) for seed in sorted(one.keys() & other.keys())]
    return difference([pairs], margin) if pairs else None


def _goes_with(row: Row, setting: Sequence[str]) -> bool:
    """A network from scratch is none of the backbones that are compared, and goes with each."""
    pairs = zip(row.setting, setting, strict=True)
    return all(own == other or NONE in (own, other) for own, other in pairs)


def sentences(found: Found, margin: float) -> Iterator[str]:
    """What is to be known before anything is claimed of adapters."""
    own = regimes(found, margin)
    yield from beaten(own, found.scale)
    if paying := [regime.named for regime in own if regime.pays]:
        yield (
            f"Pretraining pays on {'; '.join(paying)}: the linear probe is above the network from"
            " scratch, so what is said of adapters counts there."
        )
    elif own:
        one = "" if any(r.over and r.over.seeds > 1 for r in own) else ", of which one seed tells"
        yield (
            "On none of these data is the linear probe above the network from scratch, beyond"
            f" chance{one and f'{one} nothing,'} by more than the margin of {margin:g}: no claim"
            " about adapters counts here."
        )
    yield from without_training(found)


def beaten(own: Iterable[Regime], scale: Scale) -> Iterator[str]:
    """Where the network from scratch is above all that builds on the pretrained one."""
    return (_beaten(regime, scale) for regime in own if regime.beaten)


def captions(found: Found, margin: float) -> dict[str, list[str]]:
    """What belongs below the drawing of a data set: what its controls say of it."""
    told: dict[str, list[str]] = {}
    for regime in regimes(found, margin):
        told.setdefault(regime.data, []).append(_of_one(regime, found.scale))
    for data, own in found.trivial.items():
        score = found.scale.score(own.score)
        told.setdefault(data, []).append(f"Without training, {own.what}: {score}.")
    return told


def _of_one(regime: Regime, scale: Scale) -> str:
    if regime.beaten:
        return _beaten(regime, scale)
    where = f"on {regime.setting}" if regime.setting else "here"
    numbers = f"the linear probe has {scale.score(regime.linear)}, the network from scratch"
    numbers += f" {scale.score(regime.scratch)}"
    if regime.pays:
        return f"Pretraining pays {where}: {numbers}."
    return f"No claim about adapters counts {where}: {numbers}."


def without_training(found: Found) -> Iterator[str]:
    """What an answer reaches that is the same for every input, or why there is none, on the data
    sets that have a result."""
    for data in (data for data in found.datasets if data in found.trivial):
        own = found.trivial[data]
        yield f"Without any training, the {own.what} has {found.scale.named(own.score)} on {data}."
    for data, why in found.no_trivial.items():
        yield f"There is no row without training for {data}: {why}."


def _beaten(regime: Regime, scale: Scale) -> str:
    score = scale.score
    best = "" if regime.best is None else f" (the best is `{regime.adapter}`, {score(regime.best)})"
    adapters = f" and every adapter{best}" if regime.adapter else ""
    return (
        f"On {regime.named} the network from scratch ({score(regime.scratch)}) beats the frozen"
        f" probe ({score(regime.linear)}){adapters}: these data hardly measure what adapting a"
        " pretrained backbone is for."
    )
