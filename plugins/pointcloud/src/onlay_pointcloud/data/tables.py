"""Points in text: `.txt .csv .tsv .asc .xyz .xyzn .xyzrgb .pts`, as spreadsheets, CloudCompare and
scanners export them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.columns import Wanted, axes_of
from onlay_pointcloud.data.rows import delimiter_of, is_missing, lines_of, number, split
from onlay_pointcloud.data.scan import Scan

_COMMENTS = ("#", "//", "%", "!")

_PLAIN = {
    ".pts": {4: ["intensity"], 6: ["r", "g", "b"], 7: ["intensity", "r", "g", "b"]},
    ".xyzn": {6: ["nx", "ny", "nz"]},
    ".xyzrgb": {6: ["r", "g", "b"]},
}
"""What follows x, y and z where a format says it by the number of columns."""

_AHEAD = 12
"""Lines in which headers are looked for."""


@dataclass
class Table:
    """A text in parts: names if it has any, rows, how many points it says to have."""

    names: list[str] | None
    rows: list[str]
    delimiter: str | None
    promised: int = 0

    @property
    def example(self) -> list[str]:
        """Of the first rows the one with most numbers, the last such."""
        rows = [_trimmed(split(row, self.delimiter)) for row in reversed(self.rows[:_AHEAD])]
        return max(rows, key=lambda row: sum(number(field) is not None for field in row))


def read_text(path: Path, wanted: Wanted) -> Scan:
    """Rows of numbers. Columns are found by their names where a first line, or a comment, has
    names, else x, y and z are the first three that hold numbers; lines with a single number count
    the points.

    Raises:
        Malformed: names none of which are axes; no rows; a word for a number; fewer rows than it
            counts.
    """
    table = parted(lines_of(path), wanted)
    if len(table.rows) < table.promised:
        raise Malformed(f"it promises {table.promised:,} points and has {len(table.rows):,}")
    if table.names is None:
        table.names = _plain_names(path, len(table.example))
    return Scan(_numbers(table, _places(table, wanted)))


def parted(lines: Sequence[str], wanted: Wanted) -> Table:
    """What is a name, what is a row, what is a count."""
    if _is_raster(lines):
        raise Malformed(
            "it is a raster of heights (`ncols`, `nrows`), not points; write its points with"
            " `gdal_translate -of XYZ`"
        )
    comments = [line for line in lines if line.startswith(_COMMENTS)]
    rows = [line for line in lines if not line.startswith(_COMMENTS)]
    told = re.fullmatch(r'"?sep=(.)"?', rows[0]) if rows else None
    rows = rows[1:] if told else rows
    counts = [int(row) for row in rows if row.isascii() and row.isdecimal() and len(row) < 19]
    if counts and len(counts) < len(rows):
        rows = [row for row in rows if not (row.isascii() and row.isdecimal())]
    if not rows or all(row.isdecimal() for row in rows):
        raise Malformed("it has no rows of numbers")
    sign = told[1] if told else delimiter_of(rows[:_AHEAD])
    headers, table = 0, Table(None, rows, sign, sum(counts))
    while headers < min(_AHEAD, len(rows)) and _is_header(split(rows[headers], sign), table):
        headers += 1
    table.names = _names([*comments[:100], *rows[:headers]], headers, sign, wanted)
    table.rows = rows[headers:]
    if not table.rows:
        raise Malformed(f"it has no rows of numbers{_unsplit(rows[-1], sign)}")
    return table


def _is_raster(lines: Sequence[str]) -> bool:
    """Esri's grids share the suffix `.asc`."""
    words = {line.split()[0].lower() for line in lines[:_AHEAD] if line}
    return {"ncols", "nrows"} <= words


def _unsplit(row: str, sign: str | None) -> str:
    """Why a row with digits has none."""
    if not re.search(r"\d", row) or len(split(row, sign)) > 1:
        return ""
    return f" that are apart: `{row[:60]}` is one word"


def _is_header(fields: list[str], table: Table) -> bool:
    """Most of its fields are words where the rows have numbers."""
    example = table.example
    if all(number(field) is None for field in example):
        return all(number(field) is None for field in fields)
    pairs = zip(fields, example, strict=False)
    there = [f for f, e in pairs if number(e) is not None and not is_missing(f)]
    words = sum(number(field) is None for field in there)
    return words > 0 and 2 * words >= len(there)


def _names(lines: list[str], headers: int, sign: str | None, wanted: Wanted) -> list[str] | None:
    """The last line that names axes, or what was asked for; else the last header, unless that is a
    title of a word or two."""
    asked = {str(c) for c in wanted.axes if isinstance(c, str)}
    split_up = [_header(line, sign) for line in lines]
    for names in reversed(split_up):
        if axes_of(names) or (asked and asked <= set(names)):
            return names
    return split_up[-1] if headers and len(split_up[-1]) > 2 else None


def _header(line: str, sign: str | None) -> list[str]:
    """A header may be separated by another sign than the rows; units belong to their names."""
    text = line.lstrip("/#% ")
    for other in (sign, ",", ";", "\t"):
        if other and other in text:
            return split(text, other)
    return split(re.sub(r"\s+(?=[\[(])", "", text), None)


def _places(table: Table, wanted: Wanted) -> list[int]:
    example = table.example
    if table.names is None:
        usable = [i for i, field in enumerate(example) if number(field) is not None]
        return wanted.numbered(usable, len(example))
    places = wanted.among(table.names)
    # R writes the numbers of rows without a name above them
    shift = int(table.delimiter is None and len(example) == len(_trimmed(table.names)) + 1)
    return [place + shift for place in places]


def _numbers(table: Table, places: list[int]) -> np.ndarray:
    for rows in _spellings(table):
        with suppress(ValueError):
            return np.loadtxt(
                rows, delimiter=table.delimiter, usecols=places, ndmin=2, quotechar='"'
            )
    fields = (split(row, table.delimiter) for row in table.rows)
    return np.array([_row(each, places, n) for n, each in enumerate(fields, start=1)])


def _spellings(table: Table) -> Iterator[list[str]]:
    """Rows as they are, and with points for decimal commas: what numpy reads fast."""
    yield table.rows
    if table.delimiter != ",":
        yield [row.replace(",", ".") for row in table.rows]


def _row(fields: list[str], places: list[int], index: int) -> list[float]:
    if max(places) >= len(fields):
        raise Malformed(f"its row {index} has {len(fields)} columns")
    values = [number(fields[place]) for place in places]
    for value, at in zip(values, places, strict=True):
        if value is None:
            raise Malformed(f"its row {index} has `{fields[at][:40]}` for a number")
    return [value for value in values if value is not None]


def _plain_names(path: Path, count: int) -> list[str] | None:
    more = _PLAIN.get(path.suffix.lower(), {}).get(count)
    return ["x", "y", "z", *more] if more else None


def _trimmed(fields: list[str]) -> list[str]:
    """Spreadsheets write commas behind the last field."""
    while fields and not fields[-1].strip():
        fields = fields[:-1]
    return fields
