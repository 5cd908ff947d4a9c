"""Is a descriptor what it should be: its kind, its name, the type of every field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from onlay import descriptors

NAME = re.compile(r"\w[\w.+-]*")
"""What can be typed in a run file and on a command line as it is."""

BY_PATH: Mapping[Any, Any] = {
    descriptors.ConfigClass: Any,
    descriptors.Suffixes: frozenset[str],
}
"""What a field holds that may also be an import path."""


def check_descriptor(kind: str, descriptor: Any, names: Sequence[str]) -> None:
    """Raise a `TypeError` or `ValueError` for what cannot be a `kind`, beside `names` of the same
    plugin."""
    expected = getattr(descriptors, kind.capitalize())
    if not isinstance(descriptor, expected):
        raise TypeError(
            f"a {kind} must be registered as `onlay.descriptors.{expected.__name__}`, "
            f"not `{type(descriptor).__name__}`"
        )
    _check_name(kind, descriptor.name)
    _check_fields(kind, descriptor, expected)
    if not isinstance(vars(descriptor).get("config"), str):  # a path is followed when it is used
        check_config(kind, descriptor)
    if descriptor.name in names:
        raise ValueError(f"the {kind} `{descriptor.name}` is registered twice")


def check_config(kind: str, descriptor: Any) -> None:
    """Raise unless the configuration, if the kind has one, is a class that names the descriptor."""
    if "config" not in vars(descriptor):
        return
    fields = getattr(descriptor.config, "model_fields", None)
    if not isinstance(fields, Mapping):
        raise TypeError(
            f"the configuration of the {kind} `{descriptor.name}` must be a class on"
            " `onlay.settings.Config`, or its import path"
        )
    field = fields.get("name")
    if field is None or field.default != descriptor.name:
        raise ValueError(
            f"the configuration of the {kind} `{descriptor.name}` must have "
            f'`name: Literal["{descriptor.name}"] = "{descriptor.name}"`'
        )


def _check_name(kind: str, name: object) -> None:
    if type(name) is not str:
        raise TypeError(f"the name of a {kind} must be text, not `{type(name).__name__}`")
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot name a {kind}: use letters, digits, `_`, `-`, `.` and `+`,"
            " and begin with a letter or a digit"
        )


def _check_fields(kind: str, descriptor: Any, expected: type) -> None:
    for name, hint in _hints(expected).items():
        value = vars(descriptor).get(name)
        if hint in BY_PATH and (hint is descriptors.ConfigClass or isinstance(value, str)):
            continue  # `check_config` looks at the one, and a path is followed when it is used
        if not _fits(value, BY_PATH.get(hint, hint)):
            wanted, chosen = expected.__annotations__[name], get_origin(hint) is Literal
            given = repr(value) if chosen else type(value).__name__
            raise TypeError(
                f"`{name}` of the {kind} `{descriptor.name}` must be `{wanted}`, not `{given}`"
            )


@cache
def _hints(expected: type) -> dict[str, Any]:
    return get_type_hints(expected)


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is what an annotation says, and all that it holds; a set will do for a frozen
    one."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return value in inner
    if origin in (UnionType, Union):
        return any(_fits(value, each) for each in inner)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items()
        )
    if origin in (Sequence, frozenset):
        kind = Sequence if origin is Sequence else Set
        fits = isinstance(value, kind) and not isinstance(value, str)
        return fits and all(_fits(each, inner[0]) for each in value)
    return isinstance(value, origin or hint)
