"""Tables of `dense.py`, in Markdown, as they stand in the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

Found = Mapping[str, Sequence[Mapping[str, Any]]]
"""Method -> what was measured with each seed."""

COLUMNS = {
    "nuclei": ("test_miou", "train_miou", "mask_ap"),
    "rooms": ("test_delta1", "train_delta1", "test_abs_rel"),
}
HEADINGS = {
    "nuclei": ("test mIoU", "training mIoU", "mask AP"),
    "rooms": ("test delta1", "training delta1", "test AbsRel"),
}
GAP = 0.02
"""How far full fine-tuning must be above the frozen backbone for a share of it to be told."""


def ended(found: Found) -> tuple[dict[str, list[Mapping[str, Any]]], list[str]]:
    """Without the runs that diverged, and a line on each method that has some."""
    kept = {m: [run for run in runs if "diverged" not in run] for m, runs in found.items()}
    lost = {method: len(found[method]) - len(own) for method, own in kept.items()}
    told = [f"{method}: {count} of its seeds diverged" for method, count in lost.items() if count]
    return {method: own for method, own in kept.items() if own}, told


def table(data: str, found: Found, trivial: Mapping[str, float]) -> str:
    """A row for each method, mean and standard deviation over seeds in percent."""
    heads = ("method", *HEADINGS[data], "of the gap", "method's parameters", "rate")
    lines = [_row(heads), "|---" * len(heads) + "|"]
    main = COLUMNS[data][0]
    for method, runs in found.items():
        cells = [_spread([run[column] for run in runs]) for column in COLUMNS[data]]
        facts = f"{runs[0]['parameters']:,}", f"{runs[0]['rate']:g}"
        lines.append(_row((f"`{method}`", *cells, recovered(found, method, main), *facts)))
    shown = {column: trivial.get(column.removeprefix("test_")) for column in COLUMNS[data]}
    blind = [f"{100 * v:.1f} %" if v is not None else "" for v in shown.values()]
    return "\n".join([*lines, _row(("looks at no picture", *blind, "", "", ""))])


def recovered(found: Found, method: str, metric: str) -> str:
    """(method - frozen) / (full - frozen), where there is a gap."""
    if method in ("linear", "full") or not {"linear", "full"} <= found.keys():
        return ""
    means = {name: mean(run[metric] for run in found[name]) for name in ("linear", "full", method)}
    gap = means["full"] - means["linear"]
    if gap < GAP:
        return f"full is {100 * gap:+.1f} points from frozen"
    return f"{(means[method] - means['linear']) / gap:.2f}"


def aims(data: str, found: Found) -> list[str]:
    """What iConFormer should reach, and its kernels beside static ones, in points."""
    main = COLUMNS[data][0]
    score = {name: 100 * mean(run[main] for run in runs) for name, runs in found.items()}
    lines = []
    if {"iconformer", "full", "linear"} <= score.keys():
        share = recovered(found, "iconformer", main)
        lines.append(f"iconformer: of the gap {share} (at least 0.8)")
        lines.append(f"iconformer - full {score['iconformer'] - score['full']:+.2f} (at least -1)")
    if {"iconformer", "iconformer-static"} <= score.keys():
        points = score["iconformer"] - score["iconformer-static"]
        lines.append(f"generated - static kernels {points:+.2f}")
    return lines


def _spread(values: Sequence[float]) -> str:
    text = f"{100 * mean(values):.1f} %"
    return f"{text} ± {100 * stdev(values):.1f}" if len(values) > 1 else text


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
