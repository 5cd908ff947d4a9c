"""Overrides are data: `method.rank=8`; the value is JSON where it parses, else the text itself;
lists and mappings may be written as in the run file, `[r, g, b]`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from onlay.config.files import listed
from onlay.errors import ConfigError


def overridden(
    data: Mapping[str, Any],
    overrides: Iterable[str],
    widen: Callable[[str, Any], Any] = lambda key, value: value,
) -> dict[str, Any]:
    """`data` with every `key.key=value` applied in order; `data` itself is left alone.

    `widen(key, value)` turns the short form of a block (`method: arc`, `task.decoder: dpt`) into a
    mapping, and leaves what is none as it is.

    >>> overridden({"method": {"name": "arc"}}, ["method.rank=8", "train.lr=1e-3"])
    {'method': {'name': 'arc', 'rank': 8}, 'train': {'lr': 0.001}}
    """
    result = dict(data)
    for text in overrides:
        keys, value = _parsed(text)
        result = _with(result, keys, value, text, widen)
    return result


def says(text: str, *path: str) -> bool:
    """Whether an override gives what lies at `path`, or something in it.

    >>> says("data.preprocess.resize=pad", "data", "preprocess")
    True
    >>> says("data={path: preprocess}", "data", "preprocess")
    False
    """
    keys, value = _parsed(text)
    if any(key != place for key, place in zip(keys, path, strict=False)):
        return False
    for place in path[len(keys) :]:
        if not isinstance(value, Mapping) or place not in value:
            return False
        value = value[place]
    return True


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key; `over` wins where they meet."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(under.get(key), Mapping)
        result[key] = merged(under[key], value) if both else value
    return result


def as_block(given: str | Mapping[str, Any] | None, default: str) -> Mapping[str, Any]:
    """A block as it is, or from JSON, as on the command line; a name makes one, and so does the
    `default`, which a block without a name has, too.

    >>> as_block('{"groups": 32}', "point_mae")
    {'name': 'point_mae', 'groups': 32}
    """
    if isinstance(given, Mapping):
        return given
    if given is None or not given.lstrip().startswith("{"):
        return {"name": given or default}
    try:
        return {"name": default, **json.loads(given)}
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"the backbone `{given}` is no JSON (from character {error.pos + 1} on)"
        ) from error


def _parsed(text: str) -> tuple[list[str], Any]:
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"`{text}` is no override: write `key=value`, such as `method.rank=8`")
    try:
        return keys, json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        return keys, listed(value)


def _with(
    data: Mapping[str, Any],
    keys: list[str],
    value: Any,
    text: str,
    widen: Callable[[str, Any], Any],
    above: str = "",
) -> dict[str, Any]:
    key, *rest = keys
    if not rest:
        return {**data, key: value}
    inner = widen(f"{above}{key}", data.get(key, {}))
    if inner is None:
        inner = {}
    if not isinstance(inner, Mapping):
        raise ConfigError(f"`{text}`: `{key}` holds `{inner}`, which has no keys")
    return {**data, key: _with(inner, rest, value, text, widen, f"{above}{key}.")}
