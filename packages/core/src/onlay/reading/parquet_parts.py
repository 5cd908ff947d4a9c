"""Which rows of tables of Parquet are of which part: by the names of the files, or by a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onlay.reading.layouts import WHOLE
from onlay.reading.parquet_table import TableFile
from onlay.reading.part_names import assigned, told
from onlay.reading.pieces import by_part
from onlay.reading.split_columns import USUAL, left_out, parts_of, plain

Rows = list[tuple[TableFile, Sequence[int] | None]]
"""Tables, and the numbers of the rows that are meant; `None`: all."""


@dataclass(frozen=True)
class PartedTables:
    """The files of one data set."""

    found: Sequence[tuple[str, Path]]
    """As `pieces` has them."""
    tables: Sequence[TableFile]
    where: Path
    """What a user named."""
    parts: Any
    """`data.parts`."""

    def rows(self, notes: list[str]) -> Mapping[str, Rows]:
        """Those of `train`, `val` and `test`, or all under `whole`.

        A column that a user names goes before the names of files. Any other is asked where these
        names tell no parts, or a single one and the column several.

        Raises:
            DataError: as `by_part` and `parts_of`; a table without the column that others have.
        """
        chosen = self._column(notes)
        if chosen is not None:
            return self._by_column(chosen, notes)
        tables = {table.path: table for table in self.tables}
        divided = by_part(self.found, self.parts, self.where)
        return {part: [(tables[path], None) for path in own] for part, own in divided.items()}

    def _column(self, notes: list[str]) -> str | None:
        """The column of parts; None where the names of the files are asked."""
        first = self.tables[0]
        if self.parts == "none" or not self.parts:
            return None
        if "split" in first.columns:
            return first.column("split")
        ours = [name for name in first.have if plain(name) == USUAL[0]]
        named = self._named()
        if isinstance(self.parts, Mapping) and named:
            return None
        if len(named) > 1:
            notes += [_not_asked(name) for name in ours[:1]]
            return None
        if ours and not named:
            return first.only("split", ours)
        usual = [n for n in first.have if plain(n) in USUAL and self._tells(n, len(named))]
        usual = [name for name in usual if name in ours] or usual
        return first.only("split", usual) if usual else None

    def _named(self) -> Sequence[str]:
        """The groups of files that are parts, by their names or by `data.parts`."""
        if not isinstance(self.parts, Mapping):
            divided = by_part(self.found, self.parts, self.where)
            return [part for part in divided if part != WHOLE]
        names = told(self.parts)
        return list(names) if set(names) <= {group for group, _ in self.found} else ()

    def _tells(self, column: str, named: int) -> bool:
        """Whether a column of a usual name holds names of parts and of nothing else, and more of
        them than the names of files, or those that `data.parts` has.
        """
        if not all(column in table.have for table in self.tables):
            return False
        values = {text for table in self.tables for text in table.texts(column)}
        if isinstance(self.parts, Mapping):
            return set(told(self.parts)) <= values
        known = assigned(sorted(values))
        return len(known) == len(values) and len(set(known.values())) > named

    def _by_column(self, column: str, notes: list[str]) -> Mapping[str, Rows]:
        splits = [(table, self._splits(table, column)) for table in self.tables]
        first: dict[str, str] = {}
        for table, own in splits:
            for row, split in enumerate(own):
                if split not in first:
                    first[split] = f"row {row} of `{table.path}`"
        names = parts_of(first, self.parts, self.where)
        if plain(column) != USUAL[0]:
            notes.append(f"column `{column}` of `{self.where}` is the split")
        notes += left_out([split for _, own in splits for split in own], names)
        divided: dict[str, Rows] = {}
        for table, own in splits:
            for part in dict.fromkeys(part for part in names.values() if part != "aside"):
                rows = [row for row, split in enumerate(own) if names.get(split) == part]
                if rows:
                    divided.setdefault(part, []).append((table, rows))
        return divided

    def _splits(self, table: TableFile, column: str) -> list[str]:
        return table.texts(table.only("split", [name for name in table.have if name == column]))


def _not_asked(column: str) -> str:
    return (
        f"column `{column}` is not asked: the names of the files tell the parts;"
        f" `data.columns.split={column}` asks it"
    )
