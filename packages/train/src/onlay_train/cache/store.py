"""Rows of tensors on disk, mapped into memory; a folder of them is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from onlay.errors import RunError
from onlay.machine.disk import write_text, writing
from onlay.machine.system import flush_folder

META = "kept.json"
_hash = partial(hashlib.blake2b, digest_size=16)
_BITS = {torch.bfloat16: np.int16}
"""What numpy does not know, by what has as many bits."""


@dataclass(frozen=True)
class Column:
    """One tensor of every row."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """torch's name."""

    @classmethod
    def of(cls, name: str, like: Tensor) -> Column:
        return cls(name, tuple(like.shape), str(like.dtype).removeprefix("torch."))

    @property
    def torch(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    @property
    def numpy(self) -> Any:
        return _BITS.get(self.torch) or torch.empty(0, dtype=self.torch).numpy().dtype

    @property
    def size(self) -> int:
        """Bytes of a row."""
        return prod(self.shape) * self.torch.itemsize


class Store:
    """`rows` rows of some columns, a file for each."""

    def __init__(self, folder: Path, columns: Iterable[Column], rows: int) -> None:
        self.folder, self.columns, self.rows = folder, tuple(columns), rows
        self._open: dict[str, Any] = {}

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return self.rows * sum(column.size for column in self.columns)

    @property
    def whole(self) -> bool:
        """Whether all of it is there, and nothing was cut off since."""
        files = {self.folder / f"{c.name}.bin": self.rows * c.size for c in self.columns if c.size}
        try:
            return (self.folder / META).exists() and all(
                file.stat().st_size == size for file, size in files.items()
            )
        except OSError:
            return False

    def check(self) -> None:
        """Compare what is there with the hash that its writer left; where it differs, it is not
        there any more."""
        if not self.whole:
            return
        try:
            told = json.loads((self.folder / META).read_text(encoding="utf-8"))["hashes"]
            same = told == self._hashes(self.folder)
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same:
            with writing(self.folder):
                (self.folder / META).unlink(missing_ok=True)

    def _hashes(self, folder: Path) -> dict[str, str]:
        found = {}
        for column in self.columns:
            if column.size:
                with (folder / f"{column.name}.bin").open("rb") as file:
                    found[column.name] = hashlib.file_digest(file, _hash).hexdigest()
        return found

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        """Copies of a row's tensors, by their names."""
        return {c.name: self._read(c, row) for c in self.columns}

    def _read(self, column: Column, row: int) -> Tensor:
        if not column.size:
            return torch.empty(column.shape, dtype=column.torch)
        if column.name not in self._open:
            self._open[column.name] = self._mapped(self.folder, column, "r")
        return torch.from_numpy(np.array(self._open[column.name][row])).view(column.torch)

    def _mapped(self, folder: Path, column: Column, mode: Any) -> Any:
        shape = (self.rows, *column.shape)
        return np.memmap(folder / f"{column.name}.bin", column.numpy, mode, shape=shape)

    def write(self, batches: Iterable[tuple[int, Mapping[str, Tensor]]], facts: Any) -> None:
        """Batches with the row at which each begins. What a killed writer left goes; the folder
        gets its name when all of it is there."""
        fresh = self.folder.with_suffix(".part")
        shutil.rmtree(fresh, ignore_errors=True)
        with writing(fresh):
            fresh.mkdir(parents=True)
            open_ = {c.name: self._mapped(fresh, c, "w+") for c in self.columns if c.size}
            for start, batch in batches:
                for name, mapped in open_.items():
                    _put(mapped, start, batch[name])
            for mapped in open_.values():
                mapped.flush()
            del open_
            told = {"columns": [asdict(c) for c in self.columns], "rows": self.rows, "of": facts}
            told |= {"hashes": self._hashes(fresh)}
            write_text(fresh / META, json.dumps(told, indent=1) + "\n")
            shutil.rmtree(self.folder, ignore_errors=True)
            fresh.rename(self.folder)
            flush_folder(self.folder.parent)

    def lock(self) -> FileLock:
        """One start writes it, and others wait."""
        with writing(self.folder):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder.with_suffix(".lock"))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": {}}  # another process maps the files itself


def _put(mapped: Any, start: int, values: Tensor) -> None:
    own = values.cpu().contiguous()
    if own.dtype in _BITS:
        own = own.view(torch.int16)
    mapped[start : start + len(own)] = own.numpy()


def taken(lock: FileLock) -> bool:
    """Take a lock that is free; whether it was."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def check_room(stores: Iterable[Store]) -> None:
    """Raise a `RunError` where the disk has less room than is needed."""
    needed: dict[Path, int] = {}
    for store in stores:
        needed[store.folder.parent] = needed.get(store.folder.parent, 0) + store.size
    for folder, size in needed.items():
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < size:
            raise RunError(
                f"`{folder}` has {in_bytes(free)} free, and what `train.cache` keeps takes"
                f" {in_bytes(size)}: free some space, choose another disk with `train.cache_dir`,"
                " fewer `train.cache_views`, or `train.cache_dtype=bf16`"
            )


def in_bytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size >= 2**20 else f"{size / 2**10:,.1f} KiB"
