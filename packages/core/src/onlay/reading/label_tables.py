"""A table of paths and labels, as programs and people write them: CSV and its relatives."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from onlay.config.data import FilesConfig
from onlay.errors import DataError
from onlay.reading.delimited import read_table
from onlay.reading.labels import LIST_THEM, missing
from onlay.reading.layouts import PARTS_HINT, WHOLE, Layout
from onlay.reading.listing import Item, some
from onlay.reading.part_names import assigned

_COLUMNS = {
    "path": ("path", "file", "filename", "filepath", "image", "imagepath", "img", "imgpath"),
    "label": ("label", "class", "classname", "category", "target"),
    "split": ("split", "part", "partition", "subset", "set", "dataset", "phase", "usage"),
}
"""What columns are called, in lower case without blanks and underscores; the first is ours."""


class Row(NamedTuple):
    """One line of the table, without blanks around its cells."""

    line: int
    path: str
    label: str
    split: str


@dataclass(frozen=True)
class LabelTable:
    """A file with a line of column names."""

    path: Path
    root: Path
    """What the paths in it are relative to."""
    noun: str

    def layout(self, config: FilesConfig, columns: Mapping[Any, str]) -> Layout:
        """Parts from the column of splits; everything under `whole` without one.

        `columns` says what the columns `path`, `label` and `split` are called, where names are
        not the usual ones.

        Raises:
            DataError: no such file, none of text, a missing column, a row that is cut or too long,
                a label that is none, an unknown split.
        """
        header, rows = read_table(self.path)
        places = {kind: self._place(kind, header, columns) for kind in _COLUMNS}
        notes = [
            f"column `{header[place]}` of `{self.path}` is the {kind}"
            for kind, place in places.items()
            if place is not None and _plain(header[place]) != kind
        ]
        if config.parts == "none":
            places["split"] = None
        return self._layout(list(self._rows(rows, places, len(header))), config, places, notes)

    def _place(self, kind: str, header: Sequence[str], columns: Mapping[Any, str]) -> int | None:
        """Where a column is; None where there is no column of splits."""
        given = columns.get(kind)
        if given is not None:
            found = [place for place, name in enumerate(header) if name == given]
        else:
            usual = [_plain(name) for name in header]
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
            yield Row(line, own["path"], own["label"], own["split"])

    def _layout(
        self,
        rows: Sequence[Row],
        config: FilesConfig,
        places: Mapping[str, int | None],
        notes: list[str],
    ) -> Layout:
        if places["split"] is None:
            self._check_labels(rows, config)
            return Layout({WHOLE: [self._item(row) for row in rows]}, tuple(notes))
        names = self._parts(rows, config)
        kept = [row for row in rows if names.get(row.split, "aside") != "aside"]
        if left := sorted({row.split for row in rows} - {row.split for row in kept}):
            count = len(rows) - len(kept)
            notes.append(f"left out: {count:,} row{'s' * (count > 1)} of {some(left)}")
        self._check_labels(kept, config)
        parts: dict[str, list[Item]] = {}
        for row in kept:
            parts.setdefault(names[row.split], []).append(self._item(row))
        return Layout(parts, tuple(notes))

    def _parts(self, rows: Sequence[Row], config: FilesConfig) -> dict[str, str]:
        """The part of every name in the column of splits that has one."""
        first = {row.split: row.line for row in reversed(rows)}
        if isinstance(config.parts, Mapping):
            given = {p: [n] if isinstance(n, str) else n for p, n in config.parts.items()}
            names: dict[str, str] = {name: part for part, own in given.items() for name in own}
            if absent := sorted(set(names) - set(first)):
                raise DataError(
                    f"`data.parts` names {some(absent)}, and `{self.path}` has the splits"
                    f" {some(sorted(first))}"
                )
            return names
        names = assigned(sorted(first))
        for name in sorted(set(first) - set(names), key=lambda name: first[name]):
            raise DataError(
                f"line {first[name]} of `{self.path}` has the split `{name}` (known: train, val,"
                f" test); {PARTS_HINT}, or `data.parts=none`"
            )
        return names

    def _check_labels(self, rows: Sequence[Row], config: FilesConfig) -> None:
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

    def _item(self, row: Row) -> Item:
        path = self.root / row.path
        if "\\" in row.path and not os.path.exists(path):  # written on Windows
            path = self.root / row.path.replace("\\", "/")
        return Item(path, row.label, row.path)


def _plain(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()
