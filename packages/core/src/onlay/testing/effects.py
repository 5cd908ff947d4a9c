"""Whether settings change anything: each is set to other values until something differs."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic_core import to_jsonable_python
from torch import Tensor

from onlay.errors import ConfigError, OnlayError
from onlay.methods.held import Held
from onlay.testing.checking import require
from onlay.testing.states import changed, listed

Look = Callable[[Any], Mapping[str, Tensor]]
"""What can be seen of a case: the cheap looks come first, as one that differs is enough."""

TRIES = 4
"""Other values of a setting on one case."""


def require_effects(cases: Sequence[Any], looks: Sequence[Look], quiet: Mapping[str, str]) -> None:
    """Raise for settings, but quiet ones, of which no other value changes what can be seen."""
    fields = type(cases[0].config).model_fields
    unknown = [name for name in quiet if name not in fields]
    require(not unknown, f"{listed(unknown)} is said to be `quiet` and is no setting")
    known = {"name", *quiet, *Held.model_fields}  # the placement's own are no plugin's business
    unseen = _without_effect(cases, looks, [n for n in fields if n not in known])
    require(not unseen, f"no other value of {listed(unseen)} changes anything on a small backbone")


def _without_effect(cases: Sequence[Any], looks: Sequence[Look], names: Iterable[str]) -> list[str]:
    seen = _Seen(looks)
    return [name for name in names if not any(_acts(case, name, cases, seen) for case in cases)]


class _Seen:
    """Looks at cases, at each once."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self.looks = looks
        self.found: dict[tuple[int, int], Mapping[str, Tensor]] = {}

    def differs(self, case: Any, other: Any) -> bool:
        return any(self._differs(number, case, other) for number in range(len(self.looks)))

    def _differs(self, number: int, case: Any, other: Any) -> bool:
        if (id(case), number) not in self.found:
            self.found[id(case), number] = self.looks[number](case)
        try:
            found = self.looks[number](other)
        except OnlayError:  # it was read, and what it asks for is refused
            return True
        return bool(changed(self.found[id(case), number], found))


def _acts(case: Any, name: str, cases: Sequence[Any], seen: _Seen) -> bool:
    others = (_with(case, name, value) for value in _values(case, name, cases))
    taken = (other for other in others if other is not None)
    return any(seen.differs(case, other) for other, _ in zip(taken, range(TRIES), strict=False))


def _with(case: Any, name: str, value: Any) -> Any:
    """The case with another value, if the configuration takes it."""
    other = replace(case, settings={**case.settings, name: to_jsonable_python(value)})
    try:
        return other if getattr(other.config, name) != getattr(case.config, name) else None
    except ConfigError:
        return None


def _values(case: Any, name: str, cases: Iterable[Any]) -> Iterator[Any]:
    """Other values to try: those of the examples, then what the type suggests."""
    yield from (other.settings[name] for other in cases if name in other.settings)
    annotation = type(case.config).model_fields[name].annotation
    yield from _suggested(annotation, getattr(case.config, name))


def _suggested(annotation: Any, value: Any) -> Iterator[Any]:
    """
    >>> list(_suggested(Literal["a", "b"] | None, "a"))
    ['a', 'b', None]
    """
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _suggested(parts[0], value)
    elif origin in (typing.Union, types.UnionType):
        for part in parts:
            yield from _suggested(part, value)
    elif origin is Literal:
        yield from parts
    elif origin in (tuple, list):
        yield from ([one] for one in _suggested(parts[0], None))
    elif annotation is types.NoneType:
        yield None
    else:
        yield from _numbers(annotation, value)


def _numbers(annotation: Any, value: Any) -> Iterator[Any]:
    if annotation is bool:
        yield not value
    elif annotation is int:
        start = value or 1
        yield from (start + 1, 2 * start, start + 2, 1, 0)
    elif annotation is float:
        start = value or 0.25
        yield from (2 * start, start / 2, 0.3, 0.0)
