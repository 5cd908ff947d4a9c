"""What is said of an adapter beside its method: it must be something that a bundle can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from onlay.errors import ConfigError


def refuse_unwritable(name: Any, preprocessing: Any) -> None:
    """Before training, and not when the bundle is written or read.

    Raises:
        ConfigError: which argument, and why.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"an adapter's `name` must be a text that is not empty (got `{name!r}`)")
    if preprocessing is None:
        return
    if not isinstance(preprocessing, Mapping):
        kind = type(preprocessing).__name__
        raise ConfigError(f"`preprocessing` must be a mapping of settings, not a `{kind}`")
    for key, value in preprocessing.items():
        if not isinstance(key, str) or not _writable(value):
            raise ConfigError(
                f"`preprocessing` has `{key!r}: {value!r}`, which a bundle cannot hold: names are"
                " texts, and values texts, finite numbers, lists or mappings of these"
            )


def _writable(value: Any) -> bool:
    try:
        json.dumps(to_jsonable_python(value), allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True
