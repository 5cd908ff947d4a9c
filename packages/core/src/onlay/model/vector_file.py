"""Vectors by name beside the paths of files, as a table on disk.

Shapes: N files, D width.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from onlay.errors import ConfigError, OnlayError
from onlay.host.firstparty import install
from onlay.machine.disk import replacing

Write = Callable[[BinaryIO, Sequence[str], Mapping[str, np.ndarray]], None]


def writer_of(path: Path) -> Write:
    """What writes a file of this suffix.

    Raises:
        ConfigError: it is not one of `WRITERS`.
        OnlayError: pyarrow is not installed.
    """
    if path.suffix.lower() not in WRITERS:
        names = ", ".join(f"`{suffix}`" for suffix in WRITERS)
        raise ConfigError(f"`{path}` names no kind of table: vectors are written as {names}")
    if path.suffix.lower() == ".parquet":
        _pyarrow()
    return WRITERS[path.suffix.lower()]


def write_vectors(path: Path, files: Sequence[Path], vectors: Mapping[str, np.ndarray]) -> None:
    """One row for each file: `path`, and (N, D) float32 for each name; whole or not at all.

    Raises:
        RunError: it cannot be written.
    """
    write = writer_of(path)
    with replacing(path) as file:
        write(file, [str(name) for name in files], vectors)


def _parquet(file: BinaryIO, files: Sequence[str], vectors: Mapping[str, np.ndarray]) -> None:
    arrow, parquet = _pyarrow()
    names = [name.encode("utf-8", "backslashreplace").decode() for name in files]
    columns: dict[str, Any] = {"path": arrow.array(names, arrow.string())}
    for name, rows_ND in vectors.items():
        flat = arrow.array(rows_ND.reshape(-1), arrow.float32())
        columns[name] = arrow.FixedSizeListArray.from_arrays(flat, rows_ND.shape[1])
    parquet.write_table(arrow.table(columns), file)


def _npz(file: BinaryIO, files: Sequence[str], vectors: Mapping[str, np.ndarray]) -> None:
    np.savez(file, path=np.array(files), **vectors)  # type: ignore[arg-type]


def _csv(file: BinaryIO, files: Sequence[str], vectors: Mapping[str, np.ndarray]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    writer = csv.writer(text, lineterminator="\n")
    names = [f"{name}_{i}" for name, rows in vectors.items() for i in range(rows.shape[1])]
    writer.writerow(["path", *names])
    for number, name in enumerate(files):
        writer.writerow([name, *(x for rows in vectors.values() for x in rows[number].tolist())])
    text.detach()


WRITERS: Mapping[str, Write] = {".parquet": _parquet, ".npz": _npz, ".csv": _csv}


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise OnlayError(
            f"`.parquet` needs `pyarrow`: {install('onlay[parquet]')}; or write `.npz` or `.csv`"
        ) from error
    return pyarrow, parquet
