"""In plain sentences: which method for these data, how sure, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onlay_train.grid.report.groups import said
from onlay_train.grid.report.regimes import sentences as of_controls
from onlay_train.grid.report.rows import Found, mean
from onlay_train.grid.report.scale import Scale
from onlay_train.grid.report.statistics import LEVEL, MANY, Difference, cannot_show
from onlay_train.grid.report.summary import Standing, Summary, compared, lacking


def sentences(found: Found, summary: Summary) -> list[str]:
    """What one may say; nothing where no cell is done."""
    if not summary.standings:
        return ["No cell is done yet.", *lacking(found, summary), *found.others]
    best, *others = summary.standings
    told, rest = [*_by_size(found)], summary.standings
    if not others or len(summary.comparable) > 1:  # else nothing is ahead of anything
        head = [_best(best, summary, found.scale), *_sure(best, others, found, summary.margin)]
        told, rest = [*head, _cost(best), *told], others
    told += [_against(standing, summary, found.scale) for standing in rest if standing.over]
    told += [*of_controls(found, summary.margin), *_warnings(found, summary)]
    return [*told, *found.others, *said(found)]


def _best(best: Standing, summary: Summary, scale: Scale) -> str:
    said = f"`{best.method}` is ahead with {scale.named(best.overall)}"
    if best.over is None:
        return f"{said}; it is what the others are compared with."
    return f"{said}, {_versus(best.over, summary.reference, scale)}."


def _against(standing: Standing, summary: Summary, scale: Scale) -> str:
    assert standing.over is not None
    return f"`{standing.method}`: {_versus(standing.over, summary.reference, scale)}."


def _versus(over: Difference, reference: str, scale: Scale) -> str:
    said = scale.against(over.mean, reference)
    if over.low is None or over.high is None:
        if over.seeds < 2 and over.datasets < MANY:
            return f"{said}, from one seed: how sure is not known"
        return f"{said}, nearly the same every time: how sure cannot be told by so few"
    p = "" if over.p_holm is None else f", p {_p(over.p_holm)} after Holm"
    return f"{said} ({scale.interval(over.low, over.high)}{p}): {_sure_of(over)}"


def _sure_of(over: Difference) -> str:
    """An interval is of one comparison; what is claimed of a whole table is corrected."""
    assert over.low is not None
    assert over.high is not None
    if over.low <= 0 <= over.high:
        return "not told apart from it"
    way = "better" if over.low > 0 else "worse"
    corrected = over.p_holm is None or over.p_holm < 1 - LEVEL
    return way if corrected else f"{way} taken alone, and not told apart among so many methods"


def _sure(best: Standing, others: Sequence[Standing], found: Found, margin: float) -> Iterator[str]:
    """Who is as good as the best one, and how far the next one is behind."""
    rivals = [other for other in others if set(other.means) == set(best.means)]
    behind = [(other, compared(found, best.method, other.method, margin)) for other in rivals]
    equals = [other for other, ahead in behind if ahead and not _ahead(ahead, margin)]
    if equals:
        yield _cheapest(best, equals)
    elif behind and (ahead := behind[0][1]) and ahead.low is not None and ahead.high is not None:
        scale = found.scale
        yield (
            f"No other method is as good: `{behind[0][0].method}`, the next, is"
            f" {scale.gap(ahead.mean)} behind (95 % interval {scale.score(ahead.low)} to"
            f" {scale.score(ahead.high)})."
        )


def _ahead(ahead: Difference, margin: float) -> bool:
    """Beyond the margin, and beyond chance as far as that is known."""
    return ahead.mean > margin and (ahead.low is None or ahead.low > 0)


def _cheapest(best: Standing, equals: Sequence[Standing]) -> str:
    cheap = min([best, *equals], key=lambda s: s.trained)
    names = ", ".join(f"`{s.method}`" for s in equals)
    said = f"Not told apart from it, by the margin or by chance: {names}"
    return f"{said}; `{cheap.method}` trains the fewest parameters of them ({cheap.trained:,})."


def _cost(best: Standing) -> str:
    trials = f"; its search took {best.trials} trials on each data set" if best.trials else ""
    return (
        f"`{best.method}` trains {best.trained:,} parameters, takes"
        f" {_three(1000 * best.step_seconds)} ms a step and {best.peak_bytes / 2**20:,.0f} MiB at"
        f" its peak, and its bundle has {best.bundle_bytes / 2**10:,.0f} KiB{trials}."
    )


def _three(number: float) -> str:
    """With three digits that count: 20.7, 414, 1,650."""
    return f"{float(f'{number:.3g}'):,g}"


def _by_size(found: Found) -> Iterator[str]:
    """Who is ahead with how many labels: the mean over data sets at each size."""
    if len(found.sizes) < 2:
        return
    ahead: dict[str, list[str]] = {}
    for size in found.sizes:
        ahead.setdefault(_leader(found, size), []).append(f"{size:g}")
    told = "; ".join(f"`{method}` at {', '.join(sizes)}" for method, sizes in ahead.items())
    yield f"By `{found.size}`, ahead is {told}."


def _leader(found: Found, size: float) -> str:
    sign = 1 if found.measure.better == "higher" else -1
    rows = [row for row in found.rows if row.size == size]
    every = {row.data for row in rows}
    scores: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        scores.setdefault(row.method, {}).setdefault(row.data, []).append(row.score)
    whole = {m: own for m, own in scores.items() if own.keys() == every} or scores
    return max(whole, key=lambda m: sign * mean([mean(own) for own in whole[m].values()]))


def _warnings(found: Found, summary: Summary) -> list[str]:
    told = []
    counts = [len(found.scores(m, d)) for m in found.methods for d in found.datasets]
    seeds = min(filter(None, counts))
    if note := cannot_show(len(found.sources), seeds):
        told.append(f"{note[0].upper()}{note[1:]}.")
    if any(s.published for s in summary.standings):
        told.append(
            "Epochs were chosen on the test part, as published: the figures are optimistic."
        )
    told += lacking(found, summary)
    budgets = {search.trials for search in found.searches}
    if len(budgets) > 1:
        told.append("Search budgets differ: who searched more looks better.")
    if found.open_cells:
        told.append(f"{found.open_cells} cells are not done; what is said here may change.")
    if any(row.part != "test" for row in found.rows):
        told.append(
            "There is no test part: scores are of the part on which nothing was trained, "
            "and settings may have been chosen on it."
        )
    return told


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
