"""Text in lines of cells: CSV and its relatives, as programs and people write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from onlay.errors import DataError

_DELIMITERS = ",;\t|"
_LINE_END = re.compile(r"[\r\n]")


def read_table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names of the columns, and the cells of every line with its number.

    Raises:
        DataError: no such file, none of text, a line whose quotation marks do not match.
    """
    text = _text(path)
    skipped = 0
    if declared := re.match(r"sep=([,;\t|])\r?\n", text, re.IGNORECASE):  # of spreadsheets
        text, skipped = text[declared.end() :], 1
    delimiter = declared[1] if declared else _delimiter(text)
    lines = _lines(path, text, delimiter, skipped)
    return next((cells for _, cells in lines if any(cells)), []), lines


def _lines(path: Path, text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        for cells in rows:
            yield rows.line_num + skipped, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(
            f"line {rows.line_num + skipped} of `{path}` is no line of a table: is a quotation"
            f" mark missing or one too many? ({error})"
        ) from error


def _delimiter(text: str) -> str:
    """The one that divides the first line into the most cells; a comma where none does."""
    first = next((line for line in _LINE_END.split(text) if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=bare.count)


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark."""
    try:
        content = path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise DataError(f"`{path}` cannot be read: {error.strerror}") from error
    if content is None and path.is_dir():
        raise DataError(f"`{path}` is a folder, and no table: name a data set for it (`data.name`)")
    if content is None:
        raise DataError(f"there is no file `{path}`")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"`{path}` is no text in UTF-8 (byte {error.start}): save it as CSV in UTF-8"
        ) from error
    if "\0" in text:
        raise DataError(f"`{path}` is no table of text: save it as CSV in UTF-8")
    return text.removeprefix("\ufeff")
