"""A table of paths and labels, as programs and people write them: CSV and its relatives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from onlay.config.data import TableConfig
from onlay.errors import DataError
from onlay.reading.delimited import read_table
from onlay.reading.labels import LIST_THEM, missing
from onlay.reading.layouts import WHOLE, Layout
from onlay.reading.listing import Item
from onlay.reading.split_columns import USUAL, left_out, parts_of, plain
from onlay.reading.target_columns import TargetColumns, target_columns

_COLUMNS = {
    "path": ("path", "file", "filename", "filepath", "image", "imagepath", "img", "imgpath"),
    "label": ("label", "class", "classname", "category", "target"),
    "split": USUAL,
}
"""What columns are called, as `plain` has it; the first is ours."""


class Row(NamedTuple):
    """One line of the table, without blanks around its cells."""

    line: int
    path: str
    label: str
    split: str
    cells: list[str]
    """All of them."""


@dataclass(frozen=True)
class LabelTable:
    """A file with a line of column names."""

    path: Path
    root: Path
    """What the paths in it are relative to."""
    noun: str

    def layout(self, config: TableConfig) -> Layout:
        """Parts from the column of splits; everything under `whole` without one.

        Raises:
            DataError: no such file, none of text, a missing column, a row that is cut or too long,
                a label or number that is none, an unknown split.
        """
        header, rows = read_table(self.path)
        kinds = [k for k in _COLUMNS if k != "label" or config.target_columns is None]
        places = {kind: self._place(kind, header, config.columns) for kind in kinds}
        notes = [
            f"column `{header[place]}` of `{self.path}` is the {kind}"
            for kind, place in places.items()
            if place is not None and plain(header[place]) != kind
        ]
        columns = self._targets(header, config, places)
        if config.parts == "none":
            places["split"] = None
        found = list(self._rows(rows, places, len(header)))
        if not found:
            raise DataError(f"`{self.path}` has names of columns and no rows")
        return self._layout(found, config, places, notes, columns)

    def _targets(
        self, header: Sequence[str], config: TableConfig, places: Mapping[str, int | None]
    ) -> TargetColumns | None:
        """None where one class is learnt."""
        if config.targets in (None, "class"):
            if config.target_columns is not None:
                raise DataError(
                    "`data.target_columns` is for labels and numbers: say which they are with"
                    " `data.targets`, or give the column of classes with `data.columns.label`"
                )
            return None
        used = [place for kind in ("path", "split") if (place := places[kind]) is not None]
        return target_columns(self.path, header, config, places.get("label"), used)

    def _place(self, kind: str, header: Sequence[str], columns: Mapping[Any, str]) -> int | None:
        """Where a column is; None where there is no column of splits."""
        given = columns.get(kind)
        if given is not None:
            found = [place for place, name in enumerate(header) if name == given]
        else:
            usual = [plain(name) for name in header]
            ours = [place for place, name in enumerate(usual) if name == kind]
            found = ours or [p for p, name in enumerate(usual) if name in _COLUMNS[kind]]
        if len(found) == 1:
            return found[0]
        if not found and kind == "split" and given is None:
            return None
        have = ", ".join(f"`{name}`" for name in header) or "none"
        raise DataError(
            f"`{self.path}` has {'several columns' if found else 'no column'}"
            f" `{given or kind}` (have: {have}); choose one with `data.columns.{kind}=NAME`"
        )

    def _rows(
        self,
        rows: Iterator[tuple[int, list[str]]],
        places: Mapping[str, int | None],
        width: int,
    ) -> Iterator[Row]:
        for line, cells in rows:
            if not any(cells):
                continue
            if any(cells[width:]):
                raise DataError(
                    f"line {line} of `{self.path}` has {len(cells)} cells, and there are {width}"
                    " columns: put text that holds the delimiter into quotes"
                )
            cells += [""] * (width - len(cells))
            own = {k: "" if place is None else cells[place] for k, place in places.items()}
            if not own["path"]:
                raise DataError(f"line {line} of `{self.path}` has no path")
            yield Row(line, own["path"], own.get("label", ""), own["split"], cells)

    def _layout(
        self,
        rows: Sequence[Row],
        config: TableConfig,
        places: Mapping[str, int | None],
        notes: list[str],
        columns: TargetColumns | None,
    ) -> Layout:
        facts: dict[str, Any] = (
            {} if columns is None else {"targets": columns.kind, "names": columns.order}
        )
        if places["split"] is None:
            items = self._items(rows, config, columns)
            return Layout({WHOLE: items}, tuple(notes), **facts)
        names = self._parts(rows, config)
        kept = [row for row in rows if names.get(row.split, "aside") != "aside"]
        notes += left_out([row.split for row in rows], names)
        parts: dict[str, list[Item]] = {}
        for row, item in zip(kept, self._items(kept, config, columns), strict=True):
            parts.setdefault(names[row.split], []).append(item)
        return Layout(parts, tuple(notes), **facts)

    def _items(
        self, rows: Sequence[Row], config: TableConfig, columns: TargetColumns | None
    ) -> list[Item]:
        if columns is None:
            self._check_labels(rows, config)
            return [Item(self._source(row), row.label, row.path) for row in rows]
        read = (columns.read(row.cells, row.line) for row in rows)
        pairs = zip(rows, read, strict=True)
        return [Item(self._source(row), text, row.path, own) for row, (text, own) in pairs]

    def _parts(self, rows: Sequence[Row], config: TableConfig) -> dict[str, str]:
        """The part of every name in the column of splits that has one."""
        first: dict[str, int] = {}
        for row in rows:
            first.setdefault(row.split, row.line)
        told = {split: f"line {line} of `{self.path}`" for split, line in first.items()}
        return parts_of(told, config.parts, self.path)

    def _check_labels(self, rows: Sequence[Row], config: TableConfig) -> None:
        none = [
            row for row in rows if missing(row.label) and row.label not in (config.labels or ())
        ]
        if none:
            what = f"the label `{none[0].label}`" if none[0].label else "no label"
            many = f"{len(none):,} rows have" if len(none) > 1 else "a row has"
            raise DataError(
                f"line {none[0].line} of `{self.path}` has {what} ({many} none): fill it in or take"
                f" the row out, {LIST_THEM}"
            )

    def _source(self, row: Row) -> Path:
        path = self.root / row.path
        if "\\" in row.path and not os.path.exists(path):  # written on Windows
            path = self.root / row.path.replace("\\", "/")
        return path
