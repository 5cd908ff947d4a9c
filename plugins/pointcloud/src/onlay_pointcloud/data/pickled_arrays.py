"""Numpy's arrays, numbers and types as pickles describe them, made by us from their bytes."""

from __future__ import annotations

import re
from math import prod
from typing import Any, NamedTuple

import numpy as np

from onlay_pointcloud.data.bounds import Malformed

_NUMERIC = re.compile(r"[biuf](1|2|4|8)")
"""Types by their plain names; complex numbers, texts and objects are none of a cloud."""

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
"""Before and after numpy 2.0."""

_NAMES = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    **{(module, name): name for module in _MULTIARRAY for name in ("_reconstruct", "scalar")},
    ("numpy.core.numeric", "_frombuffer"): "_frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "_frombuffer",
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
}


class Named(NamedTuple):
    """What a pickle asks for by name; nothing but a word of ours."""

    word: str


class Raw:
    """An array without content (`dtype` is `None`), or a type without its byte order."""

    def __init__(self, dtype: np.dtype | None = None) -> None:
        self.dtype, self.index = dtype, None
        """`index` is its place in the memo."""

    index: int | None


def named(module: Any, name: Any) -> Named:
    """What numpy makes arrays and numbers with.

    Raises:
        Malformed: anything else is asked for.
    """
    if (module, name) not in _NAMES:
        raise Malformed(
            f"it asks for `{str(module)[:60]}.{str(name)[:60]}`, which is refused because it could"
            " run any code; only numpy arrays in lists are read"
        )
    return Named(_NAMES[module, name])


def called(maker: Any, arguments: Any) -> Any:
    """What a call in a pickle stands for; an array or a type is filled afterwards."""
    if not isinstance(maker, Named) or not isinstance(arguments, tuple):
        raise TypeError
    match maker.word, *arguments:
        case "_reconstruct", Named("ndarray"), (0,), _:
            return Raw()
        case "dtype", str(name), *_:
            return Raw(_numeric(name))
        case "scalar", np.dtype() as dtype, content:
            return array(_bytes(content), dtype, ())[()]
        case "_frombuffer", (bytes() | bytearray()) as content, np.dtype() as dtype, shape, *order:
            return _ordered(bytes(content), dtype, shape, order)
        case "encode", str(text), "latin1" | "latin-1":
            return _bytes(text)
        case ("bytes",):
            return b""
    raise Malformed("it describes an array in a way that numpy does not")


def filled(raw: Any, state: Any) -> np.ndarray | np.dtype:
    """The array or type that a state describes."""
    if not isinstance(raw, Raw) or not isinstance(state, tuple):
        raise TypeError
    if raw.dtype is not None:
        order = state[1]
        if order not in ("<", ">", "=", "|") or any(state[2:5]):
            raise Malformed("it holds arrays of something else than numbers")
        return raw.dtype.newbyteorder(order)
    shape, dtype, fortran, content = state[-4:]
    return array(_bytes(content), dtype, shape, "F" if fortran else "C")


def array(content: bytes, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray:
    """Numbers of a type and shape over bytes that are exactly as many."""
    if not isinstance(dtype, np.dtype) or not isinstance(shape, tuple) or len(shape) > 8:
        raise TypeError
    if not all(type(size) is int and 0 <= size < 2**62 for size in shape):
        raise TypeError
    if prod(shape) * dtype.itemsize != len(content):
        raise Malformed(
            f"an array of {len(content)} bytes is said to have the shape {shape} of {dtype}"
        )
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _ordered(content: bytes, dtype: np.dtype, shape: Any, order: list[Any]) -> np.ndarray:
    """As `numpy` describes arrays since protocol 5; from 2.3 on with the order of the axes."""
    match order:
        case ["C" | "F" as how] | ["C" | "F" as how, None]:
            return array(content, dtype, shape, how)
        case ["K", tuple(axes)] if sorted(axes) == list(range(len(shape))):
            return array(content, dtype, shape).transpose(axes)
    raise Malformed("it describes an array in a way that numpy does not")


def _numeric(name: str) -> np.dtype:
    if not _NUMERIC.fullmatch(name):
        raise Malformed(f"it holds arrays of `{name[:20]}`, and only numbers are read")
    return np.dtype(name)


def _bytes(content: Any) -> bytes:
    """Python 2 wrote bytes as text."""
    if isinstance(content, str):
        try:
            return content.encode("latin1")
        except UnicodeEncodeError as error:
            raise Malformed("its bytes are no bytes") from error
    if not isinstance(content, bytes):
        raise TypeError
    return content
