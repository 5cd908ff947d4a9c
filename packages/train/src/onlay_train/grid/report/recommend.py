"""In plain sentences: which method for these data, how sure, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from onlay.reports import Measure
from onlay_train.grid.report.groups import said
from onlay_train.grid.report.regimes import sentences as of_controls
from onlay_train.grid.report.rows import Found
from onlay_train.grid.report.statistics import Difference, cannot_show
from onlay_train.grid.report.summary import Standing, Summary


def sentences(found: Found, summary: Summary) -> list[str]:
    """What one may say; nothing where no cell is done."""
    if not summary.standings:
        return ["No cell is done yet."]
    best, *others = summary.standings
    told = [_best(best, summary, found.measure)]
    equals = [other for other in others if _as_good(other, best, summary, found)]
    if equals:
        told.append(_cheapest(best, equals))
    told += [_against(s, summary) for s in summary.standings if s.over and s.method != best.method]
    return [*told, *of_controls(found), *_warnings(found, summary), *said(found)]


def _best(best: Standing, summary: Summary, measure: Measure) -> str:
    unit = f" {measure.unit}" if measure.unit else ""
    said = f"`{best.method}` is ahead with {best.overall:.1f}{unit}"
    if best.over is None:
        return f"{said}; it is what the others are compared with."
    return f"{said}, {_versus(best.over, summary.reference)}."


def _against(standing: Standing, summary: Summary) -> str:
    assert standing.over is not None
    return f"`{standing.method}`: {_versus(standing.over, summary.reference)}."


def _versus(over: Difference, reference: str) -> str:
    if over.low is None or over.high is None:
        return (
            f"{over.mean:+.1f} points against `{reference}`, from one seed: how sure is not known"
        )
    sure = "better" if over.low > 0 else "worse" if over.high < 0 else "not told apart from it"
    p = "" if over.p_holm is None else f", p {_p(over.p_holm)} after Holm"
    return (
        f"{over.mean:+.1f} points against `{reference}`"
        f" (95 % interval {over.low:+.1f} to {over.high:+.1f}{p}): {sure}"
    )


def _as_good(other: Standing, best: Standing, summary: Summary, found: Found) -> bool:
    """Within the margin of the best one's mean, or of its seeds' deviation."""
    deviations = [mean.deviation or 0.0 for mean in best.means.values()]
    within = max([summary.margin, *deviations])
    return abs(other.overall - best.overall) <= within and set(other.means) == set(best.means)


def _cheapest(best: Standing, equals: Sequence[Standing]) -> str:
    cheap = min([best, *equals], key=lambda s: s.trained)
    names = ", ".join(f"`{s.method}`" for s in equals)
    verb = "is" if len(equals) == 1 else "are"
    said = f"{names} {verb} as good within the margin or the seeds' deviation"
    if cheap is best:
        return f"{said}; `{best.method}` trains the fewest parameters of them ({best.trained:,})."
    return f"{said}; `{cheap.method}` trains the fewest parameters of them ({cheap.trained:,})."


def _warnings(found: Found, summary: Summary) -> list[str]:
    told = []
    datasets = len(found.datasets)
    seeds = min(len(found.scores(m, d)) for m in found.methods for d in found.datasets)
    if note := cannot_show(datasets, max(seeds, 0)):
        told.append(f"{note[0].upper()}{note[1:]}.")
    if any(s.published for s in summary.standings):
        told.append(
            "Epochs were chosen on the test part, as published: the figures are optimistic."
        )
    for standing in summary.standings:
        if lacking := [data for data in found.datasets if data not in standing.means]:
            told.append(
                f"`{standing.method}` has no result on {', '.join(lacking)}: its mean is of the"
                " others alone, and is not to be compared."
            )
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
