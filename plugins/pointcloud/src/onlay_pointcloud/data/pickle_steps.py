"""The steps of a pickle that lists and dicts of numpy arrays need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.pickled_arrays import Named, Raw, called, filled, named

Step = Callable[["PickleSteps", Any], None]

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

    def follow(self, name: str, argument: Any) -> None:
        """One opcode, under the name that `pickletools` gives it.

        Raises:
            Malformed: it is none that arrays in lists need, or the stack does not fit it.
        """
        step = STEPS.get(name)
        if step is None:
            raise Malformed(f"it has the step `{name}`, and only numpy arrays in lists are read")
        try:
            step(self, argument)
        except (IndexError, KeyError, TypeError) as error:
            raise Malformed("its steps do not fit each other") from error

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
        """Only leaves are handed out again, so that nothing holds itself or doubles at each step."""
        value = self.memo[index]
        if isinstance(value, np.ndarray):
            self.spend(value)
        elif not (isinstance(value, _PLAIN + (Named,)) or is_short(value)):
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


def _tuple(count: int) -> Step:
    return lambda steps, _: steps.push(steps.pop(count))


def _push(steps: PickleSteps, argument: Any) -> None:
    steps.push(argument)


def _store(steps: PickleSteps, _: Any) -> None:
    steps.store(list(steps.pop(2)))


def _global(steps: PickleSteps, argument: str) -> None:
    steps.push(named(*argument.split(" ", 1)))


_ARGUMENTS = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)

STEPS: dict[str, Step] = {
    "PROTO": lambda steps, _: None,
    "FRAME": lambda steps, _: None,
    **dict.fromkeys(_ARGUMENTS, _push),
    "NONE": lambda steps, _: steps.push(None),
    "NEWTRUE": lambda steps, _: steps.push(True),
    "NEWFALSE": lambda steps, _: steps.push(False),
    "MARK": PickleSteps.mark,
    "EMPTY_LIST": lambda steps, _: steps.push([]),
    "LIST": lambda steps, _: steps.push(steps.since_mark()),
    "APPEND": lambda steps, _: steps.extend(list(steps.pop(1))),
    "APPENDS": lambda steps, _: steps.extend(steps.since_mark()),
    "EMPTY_DICT": lambda steps, _: steps.push({}),
    "DICT": lambda steps, _: _dict(steps),
    "SETITEM": _store,
    "SETITEMS": lambda steps, _: steps.store(steps.since_mark()),
    "EMPTY_TUPLE": _tuple(0),
    "TUPLE": lambda steps, _: steps.push(tuple(steps.since_mark())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), PickleSteps.keep),
    "MEMOIZE": lambda steps, _: steps.keep(len(steps.memo)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), PickleSteps.again),
    "GLOBAL": _global,
    "STACK_GLOBAL": lambda steps, _: steps.push(named(*steps.pop(2))),
    "REDUCE": PickleSteps.reduce,
    "BUILD": PickleSteps.build,
}
"""What each opcode does."""


def _dict(steps: PickleSteps) -> None:
    flat = steps.since_mark()
    steps.push({})
    steps.store(flat)
