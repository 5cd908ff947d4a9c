"""The classes of a head, from what a user gives as `labels` or `num_classes`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AnySet
from numbers import Integral
from typing import Any

from onlay.errors import ConfigError


def class_names(labels: Any, num_classes: Any = None) -> tuple[str, ...]:
    """The names in the order of the outputs; without `labels`, numbers from 0.

    Raises:
        ConfigError: neither is given, they disagree, or the names are no list of different ones.
    """
    if labels is None:
        return _numbers(num_classes)
    names = _names(labels)
    if num_classes is not None and num_classes != len(names):
        raise ConfigError(f"`num_classes` is {num_classes} but there are {len(names)} labels")
    return names


def _numbers(count: Any) -> tuple[str, ...]:
    if count is None:
        raise ConfigError("give `labels` (class names) or `num_classes`")
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
        raise ConfigError(f"`num_classes` must be a whole number from 1 on (got `{count}`)")
    return tuple(str(i) for i in range(int(count)))


def _names(labels: Any) -> tuple[str, ...]:
    if isinstance(labels, str | bytes):
        raise ConfigError(
            f"`labels` must be a list of class names, such as `['cat', 'dog']` (got `{labels!r}`)"
        )
    if isinstance(labels, Mapping | AnySet) or not isinstance(labels, Iterable):
        raise ConfigError(
            "`labels` must be a list of class names in the order of the outputs"
            f" (got a `{type(labels).__name__}`); for their number alone give `num_classes`"
        )
    names = tuple(map(_name, labels))
    if not names:
        raise ConfigError("`labels` is empty: name at least one class")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f"`labels` names the class `{twice[0]}` more than once")
    return names


def _name(label: Any) -> str:
    if isinstance(label, Integral) and not isinstance(label, bool):
        return str(int(label))
    if not isinstance(label, str) or not label.strip():
        raise ConfigError(f"a class name in `labels` must be a text that is not empty: `{label!r}`")
    if any("\ud800" <= letter <= "\udfff" for letter in label):  # half a letter, of a broken name
        raise ConfigError(f"a class name in `labels` cannot be written as UTF-8: `{label!r}`")
    return str(label)
