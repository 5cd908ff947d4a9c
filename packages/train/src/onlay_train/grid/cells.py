"""The cells of a grid: what each trains, under which name, and for what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from onlay.config import resolve
from onlay.errors import ConfigError
from onlay_train.grid.axes import Point, assembled, labels, lacks_size, points
from onlay_train.grid.facts import facts_in
from onlay_train.grid.file import GridConfig
from onlay_train.grid.identity import hashes, versions
from onlay_train.grid.sizes import NOTHING, SizeUnknown

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay.host import PluginHost


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A run of a grid."""

    name: str
    """Its folder: 12 hexadecimal digits."""
    labels: Mapping[str, str]
    """Axis -> the value's label."""
    config: Mapping[str, Any]
    """The resolved configuration, as plain data."""
    versions: Mapping[str, str]
    """Of the packages of its method and its backbone, and of other packages' further parts."""
    same: str
    """A hash of the configuration and the facts alone: what would be the same cell, were it not for
    versions."""
    trial: int | None = None
    """Which trial of a search it is, from 0; `None`: one that the report is about."""
    chosen: Mapping[str, float] = field(default_factory=dict)
    """Field -> the value that a search drew or chose."""

    def text(self) -> str:
        """What `cell.json` holds."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Cell:
        """Raises a `ValueError` or `OSError` where there is none."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except TypeError as error:
            raise ValueError(str(error)) from error

    @property
    def group(self) -> str:
        """What has one search: all axes but seeds."""
        return group_of(self.labels)


def group_of(labels: Mapping[str, str]) -> str:
    """The same of labels."""
    from onlay_train.grid.axes import is_seed

    return json.dumps({a: label for a, label in labels.items() if not is_seed(a)})


@dataclass(frozen=True)
class Skipped:
    """A combination that cannot be: which, and why in one sentence."""

    labels: Mapping[str, str]
    reason: str


@dataclass(frozen=True)
class Drawn:
    """The combinations of a grid, resolved."""

    runs: Sequence[tuple[Point, RunConfig]]
    skipped: Sequence[Skipped]
    unsized: Sequence[Point] = ()
    """Those of the runs in which a number stands in for a size that is not worked out yet."""


def drawn(grid: GridConfig, host: PluginHost, known: Mapping[str, str] = NOTHING) -> Drawn:
    """Every combination as a run; those whose parts do not fit together are left out, and said.

    Raises:
        ConfigError: any other mistake, with the combination in which it is.
    """
    runs, skipped = [], []
    for point in points(grid, host):
        try:
            runs.append((point, resolved(grid, point, host, known=known)))
        except ConfigError as error:
            if not _does_not_fit(error):
                where = ", ".join(f"{axis}={label}" for axis, label in labels(point).items())
                raise ConfigError(f"{error} (in the cell {where})") from error
            skipped.append(Skipped(labels(point), str(error)))
    return Drawn(runs, skipped, [p for p, _ in runs if lacks_size(grid, p, host, known)])


def resolved(
    grid: GridConfig,
    point: Point,
    host: PluginHost,
    also: Sequence[str] = (),
    *,
    known: Mapping[str, str] = NOTHING,
) -> RunConfig:
    """The run of a combination, with further words such as `train.lr=1e-3`."""
    data, words = assembled(grid, point, host, known)
    return resolve(data, [*words, *also], host)


def cell_of(
    point: Point,
    config: RunConfig,
    known: Mapping[str, str],
    host: PluginHost,
    **more: Any,
) -> Cell:
    dump, own = config.model_dump(mode="json"), versions(config, host)
    name, same = hashes(dump, own, facts_in(dump, known))
    return Cell(
        name=name,
        labels=labels(point),
        config=dump,
        versions=own,
        same=same,
        **more,
    )


def _does_not_fit(error: ConfigError) -> bool:
    if isinstance(error, SizeUnknown):
        return True
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return False
    return all(each["type"] == "fit" for each in cause.errors(include_url=False))
