"""The cells of a table that say what is to be learnt of a file: a class, labels, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onlay.config.data import TableConfig
from onlay.errors import DataError
from onlay.reading.labels import missing
from onlay.reading.listing import Tags, some

Target = Tags | Mapping[str, float]

LARGEST = 3e38
"""Of a number in single precision, which holds about seven digits."""

_HAS = frozenset({"1", "1.0", "true", "yes", "t", "y", "x"})
_HAS_NOT = frozenset({"0", "0.0", "false", "no", "f", "n"})
_UNKNOWN = frozenset({"-1", "-1.0", "", "?"})


@dataclass(frozen=True)
class TargetColumns:
    """What is learnt of a row, and where it stands."""

    path: Path
    kind: str
    """`labels` or `numbers`."""
    names: tuple[str, ...]
    """Of the columns."""
    places: tuple[int, ...]
    separator: str
    whole: bool
    """Whether all of it stands in the one column, apart by `separator`."""

    @property
    def order(self) -> tuple[str, ...]:
        """The names of what is learnt; empty where the labels in the cells are its names."""
        return () if self.kind == "labels" and self.whole else self.names

    def read(self, cells: Sequence[str], line: int) -> tuple[str, Target]:
        """All of it in one text, and the labels or numbers.

        Raises:
            DataError: a cell that is neither, with the number of its line.
        """
        own = [cells[place] for place in self.places]
        if self.kind == "numbers":
            numbers = self._numbers(own, line)
            return self.separator.join(map(repr, numbers.values())), numbers
        tags = self._listed(own[0], line) if self.whole else self._ticked(own, line)
        text = sorted(tags.has) + [f"?{name}" for name in sorted(tags.unknown)]
        return self.separator.join(text), tags

    def _listed(self, cell: str, line: int) -> Tags:
        if cell and missing(cell):
            raise DataError(
                f"line {line} of `{self.path}` has the label `{cell}`: leave the cell empty where"
                " there is none of the labels, or take the row out where nobody knows"
            )
        return Tags(frozenset(name for x in cell.split(self.separator) if (name := x.strip())))

    def _ticked(self, cells: Sequence[str], line: int) -> Tags:
        pairs = zip(self.names, cells, strict=True)
        known = {name: self._tick(cell, name, line) for name, cell in pairs}
        has = frozenset(name for name, tick in known.items() if tick)
        return Tags(has, frozenset(name for name, tick in known.items() if tick is None))

    def _tick(self, cell: str, name: str, line: int) -> bool | None:
        word = cell.casefold()
        if word in _HAS or word in _HAS_NOT:
            return word in _HAS
        if word in _UNKNOWN or missing(cell):
            return None
        raise DataError(
            f"line {line} of `{self.path}` has `{cell}` in the column `{name}`, which must say"
            " whether the label is there: 1 or 0, true or false, -1 or nothing where that is"
            " unknown"
        )

    def _numbers(self, cells: Sequence[str], line: int) -> dict[str, float]:
        if self.whole and self.separator in cells[0]:
            raise DataError(
                f"line {line} of `{self.path}` has several numbers in the column"
                f" `{self.names[0]}` (`{cells[0]}`): give each a column of its own and name them"
                " with `data.target_columns`"
            )
        pairs = zip(self.names, cells, strict=True)
        return {name: self._number(cell, name, line) for name, cell in pairs}

    def _number(self, cell: str, name: str, line: int) -> float:
        where = f"line {line} of `{self.path}`"
        if missing(cell):
            what = f"`{cell}`" if cell else "no number"
            raise DataError(
                f"{where} has {what} in the column `{name}`: fill it in or take the row out"
            )
        try:
            if "_" in cell:  # Python would read `1_0` as 10
                raise ValueError
            number = float(cell)
        except ValueError:
            hint = ": write a point, no comma" if "," in cell else ""
            raise DataError(
                f"{where} has `{cell}` for a number in the column `{name}`{hint}"
            ) from None
        if not abs(number) < LARGEST:
            raise DataError(f"{where} has `{cell}` in the column `{name}`, which is not finite")
        return number


def target_columns(
    path: Path, header: Sequence[str], config: TableConfig, label: int | None, used: Sequence[int]
) -> TargetColumns:
    """Where the targets of a table stand. `label` is the place of the column `label`, `used` are
    those of paths and parts.

    Raises:
        DataError: a column that is not there, or twice, or has no name.
    """
    assert config.targets is not None
    facts = (path, config.targets)
    if config.target_columns is None:
        assert label is not None
        return TargetColumns(*facts, (header[label],), (label,), config.separator, whole=True)
    rest = [place for place, name in enumerate(header) if place not in used and name]
    named = config.target_columns
    names = [header[place] for place in rest] if named == "rest" else list(named)
    for name in names:
        if header.count(name) != 1:
            have = "several columns" if name in header else "no column"
            raise DataError(f"`{path}` has {have} `{name}` (have: {some(header)}); see"
                            " `data.target_columns`")  # fmt: skip
    if not names:
        raise DataError(f"`{path}` has no column beside those of paths and parts")
    places = tuple(header.index(name) for name in names)
    return TargetColumns(*facts, tuple(names), places, config.separator, whole=False)
