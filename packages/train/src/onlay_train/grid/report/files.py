"""The tables as files: every cell as CSV, means as Markdown and LaTeX."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from onlay_train.grid.report import groups
from onlay_train.grid.report.budgets import budgets, of_trials
from onlay_train.grid.report.groups import said
from onlay_train.grid.report.regimes import beaten, regimes
from onlay_train.grid.report.rows import Found, Search
from onlay_train.grid.report.scale import Scale
from onlay_train.grid.report.statistics import Difference, Mean
from onlay_train.grid.report.summary import Standing, Summary, lacking

COLUMNS = (
    *("cell", "method", "data", "seed", "score", "train", "loss", "trained"),
    *("bundle_bytes", "selection"),
)
MARK = " (epoch chosen on test)"
"""Behind a method whose figures are no estimate for new data."""
TIMES = ("step_seconds", "peak_bytes")
"""What depends on the machine and on what else it does."""


_WORDS = {"^": r"\^{}", "~": r"\~{}", "\\": r"\textbackslash{}", "<": "$<$"}
"""What LaTeX reads as something else."""


def as_csv(found: Found) -> str:
    """A line for each cell that is done, in the order of the grid."""
    text = StringIO()
    names = sorted({name for row in found.rows for name in row.metrics})
    keys = sorted({key for row in found.rows for key in row.chosen})
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *TIMES, *names, *keys])
    for row in found.rows:
        plain = asdict(row)
        own = [plain[column] for column in (*COLUMNS, *TIMES)]
        writer.writerow([*own, *map(row.metrics.get, names), *map(row.chosen.get, keys)])
    return text.getvalue()


def _worked_out(search: Search) -> dict[str, Any]:
    return {name: getattr(search, name) for name in ("chosen", "spread", "useful")}


def as_json(found: Found, summary: Summary, told: Sequence[str], of: str) -> str:
    """Everything, for programs; what is no number is null. `of` says what it was made of."""
    standings = [asdict(standing) for standing in summary.standings]
    whole: dict[str, Any] = {
        "name": found.name,
        "metric": found.metric,
        "unit": found.measure.unit,
        "better": found.measure.better,
        "reference": summary.reference,
        "margin": summary.margin,
        "said": list(told),
        "methods": standings,
        "cells": [asdict(row) for row in found.rows],
        "searches": [asdict(search) | _worked_out(search) for search in found.searches],
        "failed": [asdict(lost) for lost in found.lost],
        "regimes": [asdict(regime) for regime in regimes(found, summary.margin)],
        "trivial": {data: asdict(reached) for data, reached in found.trivial.items()},
        "skipped": list(found.skipped),
        "open": found.open_cells,
        "made_of": of,
    }
    return json.dumps(_finite(whole), indent=1, allow_nan=False) + "\n"


def as_markdown(found: Found, summary: Summary) -> str:
    rows = [_head(found, summary), ["---"] + ["---:"] * (len(_head(found, summary)) - 1)]
    rows += [_cells(standing, found) for standing in summary.standings]
    rows += floor(found, len(rows[0]))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, *(f"\n{note}" for note in _below(found, summary))]) + "\n"


def _below(found: Found, summary: Summary) -> Iterator[str]:
    """What must not be missing where the table alone is shown."""
    yield from lacking(found, summary)
    yield from budgets(found)
    yield from beaten(regimes(found, summary.margin), found.scale)
    yield from said(found)


def as_means(found: Found, summary: Summary) -> str:
    """A line for each method, as CSV: its mean on every data set, and the means over them."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", *found.datasets, "mean", *found.groups, "mean_of_groups", "chosen"])
    for standing in summary.standings:
        known = standing.means
        own = [known[data].mean if data in known else "" for data in found.datasets]
        groups = [standing.groups.get(group, "") for group in found.groups]
        chosen = "on the test part" if standing.published else ""
        means = [*own, standing.overall, *groups, standing.mean_of_groups]
        writer.writerow([standing.method, *means, chosen])
    return text.getvalue()


def as_latex(found: Found, summary: Summary) -> str:
    """A `tabular` for `booktabs`."""
    lines = [r"\begin{tabular}{l" + "r" * (len(_head(found, summary)) - 1) + "}", r"\toprule"]
    lines += [_latex(_head(found, summary)), r"\midrule"]
    lines += [_latex(_cells(standing, found)) for standing in summary.standings]
    lines += map(_latex, floor(found, len(_head(found, summary))))
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {note}" for note in _below(found, summary))]
    return "\n".join(lines) + "\n"


def named(standing: Standing) -> str:
    """The method, marked where that is to be known."""
    return standing.method + (MARK if standing.published else "")


def floor(found: Found, width: int) -> list[list[str]]:
    """The row of what needs no training, of `width` cells, where it was asked for."""
    if not found.trivial:
        return []
    kinds = {reached.what for reached in found.trivial.values()}
    what = kinds.pop() if len(kinds) == 1 else "without training"
    known, score = found.trivial, found.scale.score
    own = [score(known[d].score) if d in known else "-" for d in found.datasets]
    return [[what, *own, *[""] * (width - 1 - len(own))]]


def mean_text(mean: Mean | None, scale: Scale) -> str:
    """`88.1 ± 0.4`."""
    if mean is None:
        return "-"
    more = "" if mean.deviation is None else f" ± {scale.score(mean.deviation)}"
    return scale.score(mean.mean) + more


def over_text(standing: Standing, scale: Scale) -> str:
    """Against the reference; nothing for the reference itself."""
    return difference_text(standing.over, scale)


def difference_text(over: Difference | None, scale: Scale) -> str:
    """`+1.2 [+0.4, +2.0]`."""
    if over is None:
        return ""
    known = over.low is not None and over.high is not None
    between = f" [{scale.signed(over.low)}, {scale.signed(over.high)}]" if known else ""  # type: ignore[arg-type]
    return f"{scale.signed(over.mean)}{between}"


def p_text(p: float | None) -> str:
    """`0.012`; a bootstrap cannot tell smaller ones from each other."""
    return "" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _head(found: Found, summary: Summary) -> list[str]:
    unit = f" ({found.measure.unit})" if found.measure.unit else ""
    return [
        f"method, {found.metric}{unit}",
        *found.datasets,
        *groups.heads(found),
        found.scale.over(summary.reference),
        "p (Holm)",
        "training",
        "trained",
        "trials",
    ]


def _cells(standing: Standing, found: Found) -> list[str]:
    return [
        named(standing),
        *(mean_text(standing.means.get(data), found.scale) for data in found.datasets),
        *groups.cells(standing, found),
        over_text(standing, found.scale),
        p_text(standing.over.p_holm if standing.over else None),
        "-" if standing.train is None else found.scale.score(standing.train),
        f"{standing.trained:,}",
        of_trials(standing.tried, standing.trials) or "-",
    ]


def _latex(cells: Sequence[str]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(text: str) -> str:
    return "".join(_each(text)).replace("±", r"$\pm$")


def _each(text: str) -> Iterator[str]:
    for letter in text:
        yield rf"\{letter}" if letter in "%&_#${}" else _WORDS.get(letter, letter)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
