"""In plain sentences: which method for these data, how sure, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onlay_train.grid.report.budgets import budgets
from onlay_train.grid.report.groups import said
from onlay_train.grid.report.regimes import sentences as of_controls
from onlay_train.grid.report.rows import Found, mean
from onlay_train.grid.report.statistics import LEVEL, MANY, Difference, cannot_show, corrected
from onlay_train.grid.report.summary import Standing, Summary, compared, lacking


def sentences(found: Found, summary: Summary) -> list[str]:
    """What one may say; nothing where no cell is done."""
    if not summary.standings:
        return ["No cell is done yet.", *lacking(found, summary), *found.others]
    best, *others = summary.standings
    told, rest = [*_by_size(found, summary.margin)], summary.standings
    if not others or len(summary.comparable) > 1:  # else nothing is ahead of anything
        head = [_best(best, summary, found), *_sure(best, others, found, summary.margin)]
        told, rest = [*head, _cost(best), *told], others
    told += [_against(standing, summary, found) for standing in rest if standing.over]
    told += [*of_controls(found, summary.margin), *_warnings(found, summary)]
    return [*told, *found.others, *said(found)]


def _best(best: Standing, summary: Summary, found: Found) -> str:
    said = f"`{best.method}` is ahead with {found.scale.named(best.overall)}"
    if best.over is None:
        return f"{said}; it is what the others are compared with."
    return f"{said}, {_versus(best.over, summary.reference, found)}."


def _against(standing: Standing, summary: Summary, found: Found) -> str:
    assert standing.over is not None
    return f"`{standing.method}`: {_versus(standing.over, summary.reference, found)}."


def _versus(over: Difference, reference: str, found: Found) -> str:
    scale = found.scale
    where = f" on {', '.join(over.where)} alone" if len(over.where) < len(found.sources) else ""
    said = scale.against(over.mean, reference) + where
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
    rivals = {s.method: s for s in others if set(s.means) == set(best.means)}
    behind = corrected({name: compared(found, best.method, name, margin) for name in rivals})
    equals = [rivals[n] for n, ahead in behind.items() if ahead and not _ahead(ahead, margin)]
    if equals:
        yield _cheapest(best, equals)
        return
    name, ahead = next(iter(behind.items()), ("", None))
    if ahead and ahead.low is not None and ahead.high is not None:
        scale, whole = found.scale, len(rivals) == len(others)
        yield (
            f"No other method{'' if whole else ' with all of these data'} is as good: `{name}`, the"
            f" next, is {scale.gap(ahead.mean)} behind (95 % interval {scale.score(ahead.low)} to"
            f" {scale.score(ahead.high)})."
        )


def _ahead(ahead: Difference, margin: float) -> bool:
    """Beyond the margin, and beyond chance as far as that is known."""
    return ahead.mean > margin if ahead.low is None else ahead.ahead(margin)


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


def _by_size(found: Found, margin: float) -> Iterator[str]:
    """Who is ahead with how many labels, beyond chance: the mean over data sets at each size."""
    if len(found.sizes) < 2:
        return
    ahead: dict[str, list[str]] = {}
    undecided = []
    for size in found.sizes:
        best, sure = _leader(found, size, margin)
        if sure:
            ahead.setdefault(best, []).append(f"{size:g}")
        else:
            undecided.append(f"{size:g} (`{best}` has the best mean)")
    told = "; ".join(f"`{method}` at {', '.join(sizes)}" for method, sizes in ahead.items())
    if ahead:
        yield f"By `{found.size}`, ahead of all others is {told}."
    if undecided:
        yield f"By `{found.size}`, none is told apart from all others at {', '.join(undecided)}."


def _leader(found: Found, size: float, margin: float) -> tuple[str, bool]:
    """Of those that lack nothing, if there are any: the best mean, and whether it is beyond the
    margin and chance above each other one."""
    sign = 1 if found.measure.better == "higher" else -1
    rows = [row for row in found.rows if row.size == size]
    scores: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        scores.setdefault(row.method, {}).setdefault(row.data, []).append(row.score)
    most = max(sum(map(len, own.values())) for own in scores.values())
    whole = {m: own for m, own in scores.items() if sum(map(len, own.values())) == most}
    best = max(whole, key=lambda m: sign * mean([mean(own) for own in whole[m].values()]))
    others = [method for method in scores if method != best]
    over = corrected({m: compared(found, best, m, margin, size) for m in others})
    return best, all(each is not None and each.ahead(margin) for each in over.values())


def _warnings(found: Found, summary: Summary) -> list[str]:
    told = []
    seeds = max(len(found.scores(m, d)) for m in found.methods for d in found.datasets)
    if note := cannot_show(len(found.sources), seeds):
        told.append(f"{note[0].upper()}{note[1:]}.")
    if any(s.published for s in summary.standings):
        told.append(
            "Epochs were chosen on the test part, as published: the figures are optimistic."
        )
    told += lacking(found, summary)
    told += budgets(found)
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
