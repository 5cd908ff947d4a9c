"""Pickles that would build something else than they hold; each is written byte for byte."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onlay_pointcloud.data.pickles import read_pickle

ARRAY = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
"""An array whose content is to come."""
HEAD = b"\x80\x03"


def dtype(name: bytes, order: bytes = b"<") -> bytes:
    state = b"(K\x03U\x01" + order + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return b"cnumpy\ndtype\n(U" + bytes([len(name)]) + name + b"K\x00K\x01tR" + state


def array(content: bytes, shape: bytes, kind: bytes) -> bytes:
    return ARRAY + b"(K\x01(" + shape + b"t" + kind + b"\x89C" + bytes([len(content)]) + content \
        + b"tb"  # fmt: skip


FORTY = struct.pack("<5Q", *[0xDEADBEEF] * 5)
ATTACKS = {
    "objects over bytes": (array(FORTY, b"K\x05", dtype(b"O8", b"|")), "arrays of `O8`"),
    "objects, spelled apart": (array(FORTY, b"K\x05", dtype(b"O", b"|")), "arrays of `O`"),
    "a type of fields": (array(FORTY, b"K\x05", dtype(b"f4,O")), "arrays of `f4,O`"),
    "fields in the state": (
        b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<N(U\x01at}K\x08K\x01K\x10tb",
        "something else than numbers",
    ),
    "a state for an array set twice": (
        array(FORTY, b"K\x05", dtype(b"f8")) + b"(K\x01(K\x05t" + dtype(b"f8") + b"\x89C\x00tb",
        "steps do not fit",
    ),
    "more than it holds": (array(FORTY, b"J\xff\xff\xff\x7f", dtype(b"f8")), "40 bytes is said"),
    "a negative shape": (array(FORTY, b"J\xff\xff\xff\xff", dtype(b"f8")), "steps do not fit"),
    "an array without content": (b"](" + ARRAY + b"e", "array without content"),
    "a list in itself": (b"]q\x00h\x00a", "refers to a list of its own"),
    "a tuple of lists again": (b"(]]]]tq\x00h\x00\x86", "refers to a list of its own"),
    "bytes to the end of the world": (b"\x8e" + struct.pack("<Q", 2**60) + b"abc", "cut off"),
    "text to the end of the world": (b"X" + struct.pack("<I", 2**32 - 1) + b"abc", "cut off"),
    "a frame that is too long": (b"\x95" + struct.pack("<Q", 2**60) + b"]", "ends before"),
    "depth": (b"(" * 5000, "nested more than"),
    "repeats of a large array": (
        b"(" + ARRAY + b"q\x01(K\x01(J\x00\x00\x10\x00t" + dtype(b"u1") + b"\x89B"
        + struct.pack("<I", 2**20) + bytes(2**20) + b"tb" + b"h\x01" * 10**5 + b"t",
        "more than twice",
    ),
    "the top once more": (b"K\x012", "the step `DUP`"),
    "an object": (b"cbuiltins\nobject\n)\x81", "asks for `builtins.object`"),
    "a name on the stack": (b"\x8c\x02os\x8c\x06system\x93", "asks for `os.system`"),
    "an empty stack": (b"R", "steps do not fit"),
    "no mark": (b"t", "steps do not fit"),
    "unhashable keys": (b"}]K\x01s", "neither a text nor a number"),
    "no pickle": (b"\xff\xfe", "no pickle"),
    "a digit in words": (b"Iabc\n", "cut off or damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_pickles_that_promise_or_ask_for_more(tmp_path: Path, fails: Callable, name: str) -> None:
    content, reason = ATTACKS[name]
    path = tmp_path / "a.dat"
    path.write_bytes(HEAD + content + b".")
    tracemalloc.start()
    fails(lambda: read_pickle(path), f"`{path}` cannot be read as `.dat`: ", reason)
    assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    tracemalloc.stop()


def test_the_arrays_of_the_attacks_are_read_where_they_hold_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(HEAD + array(struct.pack(">2f", 1.5, -2), b"K\x02", dtype(b"f4", b">")) + b".")
    assert read_pickle(path).tolist() == [1.5, -2]


def test_one_array_twice(tmp_path: Path) -> None:
    """As it happens where a cloud stands in two parts."""
    cloud = np.arange(6.0).reshape(2, 3)
    for protocol in range(6):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps([cloud, cloud], protocol))
        first, second = read_pickle(tmp_path / "a.pkl")
        assert first is second
        assert np.array_equal(first, cloud)


def test_axes_in_any_order(tmp_path: Path) -> None:
    """Since protocol 5 numpy says the order of the axes apart."""
    cloud = np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2)
    for protocol in range(6):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": cloud, "b": cloud.T}, protocol))
        found = read_pickle(tmp_path / "a.pkl")
        assert np.array_equal(found["a"], cloud)
        assert np.array_equal(found["b"], cloud.T)
