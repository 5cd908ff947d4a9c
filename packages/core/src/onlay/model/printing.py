"""Answers as a table, as CSV and as JSON; a row is a file and what is said of it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from onlay.machine.guard import shown

Rows = Sequence[tuple[str, Mapping[str, Any]]]


def print_json(rows: Rows) -> None:
    """A list of objects, `path` first."""
    records = [{"path": path, **record} for path, record in rows]
    click.echo(json.dumps(records, indent=2, allow_nan=False))


def print_csv(rows: Rows) -> None:
    """A line for each file; what a row does not have, or what is no number, is empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = _columns(rows)
    writer.writerow(["path", *columns])
    for path, row in rows:
        cells = (row.get(column) for column in columns)
        writer.writerow([_sayable(path), *("" if cell is None else cell for cell in cells)])


def print_table(rows: Rows) -> None:
    """For people."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    columns = _columns(rows)
    table = Table(Column("file", overflow="fold"), *map(escape, columns))
    for path, cells in rows:
        table.add_row(
            escape(_sayable(shown(path))), *(escape(cells.get(column, "")) for column in columns)
        )
    Console().print(table)


def _sayable(path: str) -> str:
    """Names of files are bytes, of which standard output may have no letters for some."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return path.encode(encoding, "backslashreplace").decode(encoding)


def _columns(rows: Rows) -> list[str]:
    """Of all rows, in the order of their first appearance."""
    return list(dict.fromkeys(column for _, row in rows for column in row))
