"""What each opcode does that lists and dicts of numpy arrays need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.pickle_steps import PickleSteps
from onlay_pointcloud.data.pickled_arrays import named

Step = Callable[[PickleSteps, Any], None]


def follow(steps: PickleSteps, name: str, argument: Any) -> None:
    """One opcode, under the name that `pickletools` gives it.

    Raises:
        Malformed: it is none that arrays in lists need, or the stack does not fit it.
    """
    step = STEPS.get(name)
    if step is None:
        raise Malformed(f"it has the step `{name}`, and only numpy arrays in lists are read")
    try:
        step(steps, argument)
    except (IndexError, KeyError, TypeError) as error:
        raise Malformed("its steps do not fit each other") from error


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
