"""From the bytes of a text file to its rows of fields, however it was exported."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from onlay_pointcloud.data.bounds import Malformed

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_DECIMAL = re.compile(r"[+-]?\d*,?\d+(?:[eE][+-]?\d+)?")
"""A number that may have a decimal comma."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")

_QUOTED = re.compile(r'"([^"]*)"|(\S+)')

_NOT_A_NUMBER = re.compile(r"[+-]?(?:nan\(.*\)|1\.#(?:ind|qnan|snan|inf)\d*)")
"""How programs of Microsoft's compiler write NaN and infinity."""

_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "-", "--", "nil", "?"})
"""How tables say that there is no value."""


def lines_of(path: Path) -> list[str]:
    """Lines without blanks around them, whatever ends them; empty ones are left out.

    Raises:
        Malformed: it is no text.
    """
    text = _decoded(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    if stray := _CONTROL.search(text):
        line = text.count("\n", 0, stray.start()) + 1
        raise Malformed(f"it is no text (line {line:,} has a control character)")
    return [line for line in map(str.strip, text.split("\n")) if line]


def _decoded(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace")
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = content[first:400:2]  # digits in UTF-16 have a zero byte beside them
        if half and not any(half):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def split(line: str, delimiter: str | None) -> list[str]:
    """The fields of a line; `None` stands for blanks."""
    if delimiter is None:
        if '"' in line:
            return [quoted or plain for quoted, plain in _QUOTED.findall(line)]
        return line.split()
    fields = line.split(delimiter)
    if '"' in line:
        fields = next(csv.reader([line], delimiter=delimiter))
    return [field.strip() for field in fields]


def delimiter_of(lines: Sequence[str]) -> str | None:
    """What stands between the fields of most lines that have digits; `None` for blanks."""
    lines = [line for line in lines if re.search(r"\d", line)]
    for sign in (";", "\t", "|", ","):
        having = [line for line in lines if line.count(sign) >= 2]
        if sign == ",":
            having = [line for line in having if not _has_commas(line)]
        if having and 2 * len(having) >= len(lines):
            return sign
    return None


def _has_commas(line: str) -> bool:
    """Numbers between blanks have decimal commas: `1,5 2,5 3`, but not `1, 2, 3`."""
    fields = line.split()
    return len(fields) >= 3 and all(_DECIMAL.fullmatch(field) for field in fields)


def numbers(tokens: Sequence[bytes]) -> np.ndarray:
    """The numbers (N,) of words between blanks, float64.

    Raises:
        Malformed: one is a word; names it.
    """
    with suppress(ValueError):
        return np.array(tokens, "S").astype(np.float64)
    found = [number(token.decode("latin-1")) for token in tokens]
    words = [token for token, value in zip(tokens, found, strict=True) if value is None]
    if words:
        raise Malformed(f"it has a word for a number, `{words[0].decode('latin-1')[:40]}`")
    return np.array(found, np.float64)


def number(field: str) -> float | None:
    """A field's number, NaN where it says that there is none, `None` where it is a word."""
    text = field.strip().strip("\"'").strip()
    if "_" in text:
        return None
    for spell in (str, _with_point, _with_e):
        try:
            return float(spell(text))
        except ValueError:
            continue
    low = text.lower()
    return float("nan") if low in _MISSING or _NOT_A_NUMBER.fullmatch(low) else None


def _with_point(text: str) -> str:
    """Also with a hyphen for the minus of typographers."""
    return text.replace(",", ".").replace("\u2212", "-")


def _with_e(text: str) -> str:
    """Fortran's exponents, `1.5D+00`."""
    return re.sub(r"[dD](?=[+-]?\d)", "e", text)


def is_missing(field: str) -> bool:
    return field.strip().strip("\"'").strip().lower() in _MISSING
