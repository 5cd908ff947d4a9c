"""A row for each method: its means, how far it is from the reference, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from onlay_train.grid.report.groups import means_of_groups
from onlay_train.grid.report.rows import Found, Row, mean
from onlay_train.grid.report.statistics import Difference, Mean, corrected, difference, mean_of

REFERENCES = ("full", "linear")
"""What others are compared with where the grid does not say."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A method in the whole comparison."""

    method: str
    means: dict[str, Mean]
    """By data set; those that are not done are missing."""
    overall: float
    """The mean over data sets of the means over seeds."""
    groups: dict[str, float]
    """Group -> the mean over its data sets, where the grid has groups."""
    mean_of_groups: float | None
    """The mean over groups of these; `None` without groups."""
    over: Difference | None
    """Against the reference, better is positive; `None` for the reference itself."""
    train: float | None
    loss: float
    trained: int
    step_seconds: float
    peak_bytes: int
    bundle_bytes: int
    trials: int
    tried: int
    """Different trials that are done, the fewest of its searches."""
    spread: float | None
    missing: int
    """How many of the table's pairs of data set and seed it lacks."""
    failed: int
    diverged: int
    published: bool


@dataclass(frozen=True)
class Summary:
    """The comparison as a table."""

    reference: str
    margin: float
    standings: Sequence[Standing]
    """The best first; behind them those that lack seeds, and last those that lack a data set: their
    mean is of the others alone."""
    asked: str | None = None
    """The reference that the grid asks for."""

    @property
    def comparable(self) -> Sequence[Standing]:
        """Those with the data sets of the first one: a mean of others is of other things."""
        return [s for s in self.standings if s.means.keys() == self.standings[0].means.keys()]


def lacking(found: Found, summary: Summary) -> Iterator[str]:
    """Sentences about methods whose cells are not all there: what is left may be the lucky ones."""
    if summary.asked not in (None, summary.reference):
        yield (
            f"`{summary.asked}`, the reference, has no cell that is done: the others are compared"
            f" with `{summary.reference}`."
        )
    yield from _of_all_sizes(found, summary)
    without: dict[tuple[str, bool], list[str]] = {}
    for standing in summary.standings:
        if missing := [data for data in found.datasets if data not in standing.means]:
            key = ", ".join(missing), standing in summary.comparable
            without.setdefault(key, []).append(f"`{standing.method}`")
        elif standing.missing:
            every = sum(len(found.seeds(data)) for data in found.datasets)
            yield (
                f"`{standing.method}` lacks {standing.missing} of {every} cells"
                f"{_why(found, standing.method)}: its mean is of the others alone, and it stands"
                " behind those that lack none."
            )
    for (data, drawn), methods in without.items():
        one = len(methods) == 1
        has, mean, it = ("has", "its mean is", "it") if one else ("have", "their means are", "them")
        undrawn = "" if drawn else f" (drawings against costs leave {it} out)"
        yield (
            f"{', '.join(methods)} {has} no result on {data}: {mean} of the others alone, and not"
            f" to be compared with other methods'{undrawn}."
        )
    lost = (each.method for each in found.lost if not each.trial)
    for method in dict.fromkeys(each for each in lost if each not in found.methods):
        yield f"`{method}` has no result at all{_why(found, method)}."


def _why(found: Found, method: str) -> str:
    lost = [each for each in found.lost if each.method == method and not each.trial]
    diverged = sum(each.diverged for each in lost)
    if not lost:
        return ""
    return f" ({len(lost)} failed{f', {diverged} of them diverged' if diverged else ''})"


def summarized(found: Found, reference: str | None, margin: float) -> Summary:
    """Every method against the reference; where that is not done, against what stands in."""
    if not found.rows:
        return Summary(reference or "", margin, ())
    name = _reference(found.methods, reference)
    over = corrected({m: compared(found, m, name, margin) for m in found.methods if m != name})
    standings = [_standing(found, method, over.get(method)) for method in found.methods]
    sign = -1 if found.measure.better == "higher" else 1
    every = len(found.datasets)
    ordered = sorted(
        standings, key=lambda s: (every - len(s.means), bool(s.missing), sign * s.overall)
    )
    return Summary(name, margin, ordered, reference)


def _reference(methods: Sequence[str], asked: str | None) -> str:
    if asked in methods:
        return str(asked)
    parts = {method: method.split(" / ") for method in methods}
    known = (m for name in REFERENCES for m in methods if name in parts[m])
    return next(known, methods[0])


def compared(
    found: Found, method: str, other: str, margin: float, size: float | None = None
) -> Difference | None:
    """How far one method is from another, by pairs of one seed on one data set that both have;
    better is positive. A data set counts once, however many sizes of it there are: the difference
    of a seed is the mean over these. `None` where there is no pair.

    Args:
        size: Of this size alone.
    """
    pairs = {source: _pairs(found, method, other, source, size) for source in found.sources}
    known = {source: own for source, own in pairs.items() if own}
    if not known:
        return None
    return replace(difference([*known.values()], margin), where=[*known])


def on_data(found: Found, method: str, other: str, data: str, margin: float) -> Difference | None:
    """The same on one data set, at one size of it."""
    sign = 1 if found.measure.better == "higher" else -1
    own, theirs = found.scores(method, data), found.scores(other, data)
    pairs = [sign * (own[seed] - theirs[seed]) for seed in sorted(own.keys() & theirs.keys())]
    return difference([pairs], margin) if pairs else None


def _pairs(
    found: Found, method: str, other: str, source: str, size: float | None = None
) -> list[float]:
    """The difference of each seed that has all sizes that any seed has: with some seeds at few
    sizes, these would weigh more, and what sizes differ by would count as chance. Where no seed has
    all, one difference: the mean over sizes."""
    by_size = _by_size(found, method, other, source, size)
    seeds = sorted({seed for own in by_size for seed in own})
    whole = [seed for seed in seeds if all(seed in own for own in by_size)]
    if seeds and not whole:
        return [mean([mean([*own.values()]) for own in by_size])]
    return [mean([own[seed] for own in by_size]) for seed in whole]


def _by_size(
    found: Found, method: str, other: str, source: str, size: float | None
) -> list[dict[str, float]]:
    """Of each size that both have, seed -> difference."""
    sign, every = 1 if found.measure.better == "higher" else -1, []
    for data in found.within(source, size):
        own, theirs = found.scores(method, data), found.scores(other, data)
        if shared := own.keys() & theirs.keys():
            every.append({seed: sign * (own[seed] - theirs[seed]) for seed in shared})
    return every


def _of_all_sizes(found: Found, summary: Summary) -> Iterator[str]:
    """Where differences over sizes leave seeds out."""
    left = 0
    for standing in summary.standings:
        for source in standing.over.where if standing.over else ():
            own = _by_size(found, standing.method, summary.reference, source, None)
            counts = [len(each) for each in own]
            left = max(
                left, max(counts) - len(_pairs(found, standing.method, summary.reference, source))
            )
    if left:
        yield (
            f"Differences over all of `{found.size}` are of the seeds that have every one of them,"
            f" up to {left} fewer than some sizes have."
        )


def _standing(found: Found, method: str, over: Difference | None) -> Standing:
    rows = [row for row in found.rows if row.method == method]
    searches = [search for search in found.searches if search.method == method]
    lost = [lost for lost in found.lost if lost.method == method]
    means = {data: _mean(rows, data) for data in found.datasets}
    known = {data: own for data, own in means.items() if own is not None}
    groups = means_of_groups({data: own.mean for data, own in known.items()}, found.groups)
    spreads = [search.spread for search in searches if search.spread is not None]
    trains = [row.train for row in rows if row.train is not None]
    return Standing(
        method=method,
        means=known,
        overall=mean([own.mean for own in known.values()]),
        groups=groups,
        mean_of_groups=mean(list(groups.values())) if groups else None,
        over=over,
        train=mean(trains) if trains else None,
        loss=mean([row.loss for row in rows]),
        trained=round(mean([row.trained for row in rows])),
        step_seconds=mean([row.step_seconds for row in rows]),
        peak_bytes=round(mean([row.peak_bytes for row in rows])),
        bundle_bytes=round(mean([row.bundle_bytes for row in rows])),
        trials=max((search.trials for search in searches), default=0),
        tried=min((search.tried for search in searches), default=0),
        spread=mean(spreads) if spreads else None,
        missing=sum(len(found.seeds(data)) for data in found.datasets) - len(rows),
        failed=len(lost),
        diverged=sum(each.diverged for each in lost),
        published=any(row.published for row in rows),
    )


def _mean(rows: Sequence[Row], data: str) -> Mean | None:
    own = [row.score for row in rows if row.data == data]
    return mean_of(own) if own else None
