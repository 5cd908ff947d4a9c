"""Data sets in groups: the second mean of a benchmark, and the sentences that belong to it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onlay_train.folder import flat

if TYPE_CHECKING:
    from onlay_train.grid.file import ReportConfig
    from onlay_train.grid.report.rows import Found
    from onlay_train.grid.report.summary import Standing

Groups = Mapping[str, Sequence[str]]


def group_of(data: str, groups: Groups) -> str | None:
    """The group of a data set; `cifar, shot=4` is of that of `cifar`, or of that of `shot=4`."""
    names = {data, *data.split(", ")}
    return next((group for group, own in groups.items() if names & set(own)), None)


def means_of_groups(means: Mapping[str, float], groups: Groups) -> dict[str, float]:
    """Group -> the mean over those of its data sets that have one.

    >>> means_of_groups({"a": 90.0, "b": 80.0, "c": 40.0}, {"seen": ["a", "b"], "new": ["c", "d"]})
    {'seen': 85.0, 'new': 40.0}
    """
    found: dict[str, list[float]] = {group: [] for group in groups}
    for data, mean in means.items():
        if (group := group_of(data, groups)) is not None:
            found[group].append(mean)
    return {group: statistics.fmean(own) for group, own in found.items() if own}


def heads(found: Found) -> list[str]:
    """What the columns of means are called: `mean of 19`, `mean of 3 groups`."""
    if len(found.datasets) < 2:
        return []
    if not found.groups:
        return ["mean"]
    named = [f"mean of {_of(len(found.datasets), len(found.datasets) + len(absent(found)))}"]
    if len(found.groups) > 1:
        there = {group_of(data, found.groups) for data in found.datasets} - {None}
        named.append(f"mean of {_of(len(there), len(found.groups))} groups")
        named += [f"mean, {group}" for group in found.groups]
    return named


def cells(standing: Standing, found: Found) -> list[str]:
    """What stands below them."""
    if len(found.datasets) < 2:
        return []
    own = [found.scale.score(standing.overall)]
    if len(found.groups) > 1:
        groups = standing.mean_of_groups
        each = [groups, *map(standing.groups.get, found.groups)]
        own += ["-" if mean is None else found.scale.score(mean) for mean in each]
    return own


def absent(found: Found) -> list[str]:
    """Data sets of the groups of which no cell is done."""
    there = {name for data in found.datasets for name in (data, *data.split(", "))}
    return [name for own in found.groups.values() for name in own if name not in there]


def said(found: Found) -> Iterator[str]:
    """Sentences about groups, then what the grid wants to have said."""
    if found.groups and found.rows:
        if lacking := absent(found):
            every = sum(map(len, found.groups.values()))
            names = ", ".join(f"`{name}`" for name in lacking)
            yield (
                f"{len(lacking)} of {every} data sets have no result ({names}): means are of the"
                " others, and are not to be compared with means of all."
            )
        loose = [data for data in found.datasets if group_of(data, found.groups) is None]
        if loose:
            names = ", ".join(f"`{name}`" for name in loose)
            yield f"{names}: in no group, and not in the mean of groups."
    yield from found.notes


def notes(config: ReportConfig, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The notes that are true of some resolved run."""
    values = [flat(cell) for cell in cells]
    return [
        note.say for note in config.notes if any(note.when.items() <= own.items() for own in values)
    ]


def _of(count: int, every: int) -> str:
    return str(count) if count == every else f"{count} of {every}"
