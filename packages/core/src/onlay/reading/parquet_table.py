"""Tables of Parquet with a thing in each row, as Hugging Face has them: a column of bytes, or of
paths, and one of labels. Rows are read by the group that they are stored in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from onlay.errors import DataError, OnlayError
from onlay.host.firstparty import install
from onlay.reading.labels import LIST_THEM, missing
from onlay.reading.listing import Item, some
from onlay.reading.parquet_rows import Row
from onlay.reading.split_columns import plain

_USUAL = {
    "image": ("image", "img", "picture", "photo", "jpg", "png"),
    "label": ("label", "labels", "class", "category", "target", "y"),
}
"""What columns are called; the first of a kind that is there."""
_FEATURES = {"image": "Image", "label": "ClassLabel"}
"""What Hugging Face's own note of the columns calls them."""


def pyarrow() -> Any:
    """The library that reads Parquet.

    Raises:
        OnlayError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise OnlayError(f"Parquet needs `pyarrow`: {install('onlay[parquet]')}") from error
    return pyarrow


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """What pyarrow says of a file, in one sentence that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"the table `{path}` is missing") from error
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        if isinstance(error, OnlayError):
            raise
        raise DataError(
            f"the table `{path}` cannot be read: it is cut short, damaged or no Parquet"
        ) from error


@dataclass(frozen=True, eq=False)
class Table:
    """One file, of which a row is asked for by its number."""

    path: Path
    size: int
    written: int
    """When, in nanoseconds."""
    column: str
    """Of what is read."""
    starts: np.ndarray
    """The number of the first row of each group, and of all rows behind them."""

    def group(self, row: int) -> int:
        return int(np.searchsorted(self.starts, row, side="right")) - 1


@dataclass(frozen=True)
class TableFile:
    """What a file says of itself."""

    path: Path
    columns: Mapping[Any, str]
    """What `image`, `label` and `split` are called, where a user says it."""

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open no longer than it is read: a data set may have more of them than a system opens."""
        arrow = pyarrow()
        with in_words(self.path), arrow.parquet.ParquetFile(self.path) as file:
            yield file

    @cached_property
    def _schema(self) -> Any:
        with self._opened() as file:
            return file.schema_arrow

    @cached_property
    def features(self) -> Mapping[str, Any]:
        """Hugging Face's note of the columns; empty where there is none."""
        told = (self._schema.metadata or {}).get(b"huggingface", b"{}")
        try:
            found = json.loads(told)["info"]["features"]
        except (ValueError, LookupError, TypeError):
            return {}
        return found if isinstance(found, Mapping) else {}

    def column(self, kind: str) -> str:
        """The name of the column `image` or `label`.

        Raises:
            DataError: there is none, or several may be meant.
        """
        if (given := self.columns.get(kind)) is not None:
            return self.only(kind, [name for name in self.have if name == given])
        return self.only(kind, self._noted(kind) or self._usual(kind)[:1])

    @property
    def have(self) -> Sequence[str]:
        """The names of all columns."""
        return self._schema.names

    def only(self, kind: str, found: Sequence[str]) -> str:
        """The one column that was found for `image`, `label` or `split`.

        Raises:
            DataError: there is none, or several may be meant.
        """
        if len(found) == 1:
            return found[0]
        raise DataError(
            f"the table `{self.path}` has {'several columns' if found else 'no column'}"
            f" `{self.columns.get(kind, kind)}` (have: {some(self.have)}); choose one with"
            f" `data.columns.{kind}=NAME`"
        )

    def choice(self, kind: str, where: Path) -> str:
        """What to say of the column `image` or `label` that was taken by its name alone: that it
        is called otherwise, or that others may be meant; else empty.
        """
        if kind in self.columns or self._noted(kind):
            return ""
        chosen, *others = self._usual(kind)
        if chosen == kind and not others:
            return ""
        instead = f", and not {some(others)}" if others else ""
        return f"column `{chosen}` of `{where}` is the {kind}{instead}"

    def _noted(self, kind: str) -> list[str]:
        own = [n for n in self.have if self._feature(n).get("_type") == _FEATURES[kind]]
        return [name for name in own if plain(name) != "split"]  # numbered as classes are

    def _usual(self, kind: str) -> list[str]:
        return [name for name in _USUAL[kind] if name in self.have]

    def _feature(self, name: str) -> Mapping[str, Any]:
        found = self.features.get(name)
        return found if isinstance(found, Mapping) else {}

    def items(
        self, names: Sequence[str] | None, root: Path, rows: Sequence[int] | None = None
    ) -> list[Item]:
        """A thing for each row, or for some. `names` are those of the classes 0, 1, ..., where the
        file itself does not tell them; paths in it are relative to `root`.

        Raises:
            DataError: the file cannot be read, a column is missing or of another kind, a row has no
                label, or one that no name stands for.
        """
        column, label = self.column("image"), self.column("label")
        names = self._feature(label).get("names") or names
        labels, sources = self._values(label), self._sources(column, root)
        return [
            Item(sources[row], self._label(labels[row], row, names), f"{self.path.name}/{row}")
            for row in (range(len(labels)) if rows is None else rows)
        ]

    def texts(self, column: str) -> list[str]:
        """What each row has in a column, or the name that its number there stands for; empty where
        it has nothing.
        """
        names = dict(enumerate(self._feature(column).get("names") or ()))
        values = self._values(column)
        told = [names.get(own, own) if isinstance(own, int) else own for own in values]
        return ["" if own is None else str(own).strip() for own in told]

    def _values(self, column: str) -> list[Any]:
        with self._opened() as file:
            return file.read(columns=[column], use_threads=False)[column].to_pylist()

    def _sources(self, column: str, root: Path) -> Sequence[Any]:
        types = pyarrow().types
        kind = self._schema.field(column).type
        if types.is_string(kind) or types.is_large_string(kind):
            return [root / str(path) for path in self._values(column)]
        inner = {kind.field(n).name for n in range(kind.num_fields)} if _struct(kind) else set()
        if not (types.is_binary(kind) or types.is_large_binary(kind) or "bytes" in inner):
            raise DataError(
                f"the column `{column}` of `{self.path}` holds {kind}, and neither bytes nor paths:"
                " choose another with `data.columns.image=NAME`"
            )
        table = self._table(column)
        return [Row(table, row, root) for row in range(int(table.starts[-1]))]

    def _table(self, column: str) -> Table:
        facts = os.stat(self.path)
        with self._opened() as file:
            metadata = file.metadata
        rows = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
        starts = np.cumsum([0, *rows])
        return Table(self.path, facts.st_size, facts.st_mtime_ns, column, starts)

    def _label(self, value: Any, row: int, names: Sequence[str] | None) -> str:
        where = f"row {row} of `{self.path}`"
        if value is None or value == -1 or (isinstance(value, str) and missing(value)):
            raise DataError(
                f"{where} has the label `{value}`, which is none: take the row out, say by"
                f" `data.parts` which parts have labels, {LIST_THEM}"
            )
        if not isinstance(value, int | str):
            raise DataError(f"{where} has the label `{value!r}`, which is no text or number")
        if isinstance(value, str) or names is None:
            return str(value)
        if not 0 <= value < len(names):
            raise DataError(f"{where} has the label {value}, and there are {len(names)} names")
        return names[value]


def _struct(kind: Any) -> bool:
    return bool(pyarrow().types.is_struct(kind))
