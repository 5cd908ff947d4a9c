"""Pickles of numpy arrays, without running what else a pickle may ask for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from onlay.errors import DataError
from onlay_pointcloud.data.readers import attempted

_MODULES = ("numpy.core.", "numpy._core.")
"""Before and after numpy 2.0."""

_REDUCED: tuple[Any, ...] = (
    np.zeros(1).__reduce__(),
    np.zeros(1).__reduce_ex__(5),
    np.float32(0).__reduce__(),
)

_MAKERS = {maker.__name__: maker for maker, *_ in _REDUCED}
"""What numpy makes arrays and numbers with when it reads a pickle."""


def read_pickle(path: Path) -> Any:
    """Lists, dicts, numbers, texts and numpy arrays.

    Raises:
        DataError: the file is missing, truncated, or asks for anything else, which it names.
    """
    return attempted(path, _load)


def _load(path: Path) -> Any:
    with path.open("rb") as file:
        return _NumpyOnly(file, path).load()


class _NumpyOnly(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")  # arrays that Python 2 wrote
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module.startswith(_MODULES) and name in _MAKERS:
            return _MAKERS[name]
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) == ("__builtin__", "bytes"):
            return _nothing
        raise DataError(
            f"`{self.path}` is a pickle that asks for `{module}.{name}`, which is refused because"
            " it could run any code; only numpy arrays in lists are read"
        )


def _nothing() -> bytes:
    """How old pickles hold no bytes."""
    return b""


def _latin1(text: str, encoding: str) -> bytes:
    """How old pickles hold bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes are encoded as `{encoding}`")
    return text.encode("latin1")
