"""The steps of a pickle that lists and dicts of numpy arrays need."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.pickled_arrays import Named, Raw, called, filled

_DEPTH = 64
"""Lists within lists; a file of ours has three."""

_PLAIN = (int, float, str, bytes, bool, type(None), np.dtype, np.generic)
"""What may stand twice in a pickle and is no heavier for it."""


class Opened(NamedTuple):
    """What lay on the stack when a mark was set."""

    stack: list[Any]


class PickleSteps:
    """A stack and a memo, as pickles expect; `room` is how many bytes of arrays it may hand out."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.stack: list[Any] = []
        self.below: list[Opened] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> Any:
        if len(self.stack) != 1 or self.below:
            raise Malformed("its steps do not fit each other")
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self, _: Any) -> None:
        if len(self.below) >= _DEPTH:
            raise Malformed(f"it is nested more than {_DEPTH} deep")
        self.below.append(Opened(self.stack))
        self.stack = []

    def since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.below.pop().stack
        return [whole(value) for value in values]

    def pop(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise IndexError
        start = len(self.stack) - count
        values = self.stack[start:]
        del self.stack[start:]
        return tuple(whole(value) for value in values)

    def keep(self, index: int) -> None:
        value = self.memo[index] = self.stack[-1]
        if isinstance(value, Raw):
            value.index = index

    def again(self, index: int) -> None:
        """Only leaves are handed out again, so that nothing holds itself or doubles."""
        value = self.memo[index]
        if isinstance(value, np.ndarray):
            self.spend(value)
        elif not (isinstance(value, (*_PLAIN, Named)) or is_short(value)):
            raise Malformed("it refers to a list of its own, which may hold itself")
        self.stack.append(value)

    def spend(self, array: np.ndarray) -> None:
        self.room -= array.nbytes
        if self.room < 0:
            raise Malformed("its arrays are more than twice what the file holds")

    def extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError
        self.stack[-1].extend(values)

    def store(self, flat: list[Any]) -> None:
        keys, values = flat[::2], flat[1::2]
        if type(self.stack[-1]) is not dict or len(keys) != len(values):
            raise TypeError
        if not all(isinstance(key, (int, str, bytes)) for key in keys):
            raise Malformed("a key of its dicts is neither a text nor a number")
        self.stack[-1].update(zip(keys, values, strict=True))

    def reduce(self, _: Any) -> None:
        arguments = self.stack.pop()
        maker = self.stack.pop()
        made = called(maker, arguments)
        if isinstance(made, np.ndarray):
            self.spend(made)
        self.stack.append(made)

    def build(self, _: Any) -> None:
        """An array gets its content, a type its byte order; the memo then knows the new one."""
        state = self.stack.pop()
        raw = self.stack[-1]
        made = filled(raw, state)
        if isinstance(made, np.ndarray):
            self.spend(made)
        self.stack[-1] = made
        if raw.index is not None:
            self.memo[raw.index] = made


def whole(value: Any) -> Any:
    """Not an array whose content is still to come: nobody could replace it in a list."""
    if isinstance(value, Raw):
        raise Malformed("it has an array without content")
    return value


def is_short(value: Any) -> bool:
    """A shape, or what else of a few numbers and texts is written once."""
    return (
        isinstance(value, tuple) and len(value) <= 8 and all(isinstance(v, _PLAIN) for v in value)
    )
