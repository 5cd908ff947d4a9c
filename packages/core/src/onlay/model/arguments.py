"""What a user gives beside a method: refused in words before a library refuses it, or a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic_core import to_jsonable_python
from torch import Tensor

from onlay.descriptors import Modality, resolve
from onlay.errors import BundleError, ConfigError, DataError
from onlay.model.preprocessing import check

_MISSPELT = 0.85
"""How alike names are, by `difflib`, of which one is taken for the other misspelt: `image_size` and
`img_size` are 0.89."""


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


def refuse_unreadable(preprocessing: Any, modality: Modality | None) -> None:
    """Before training, what loading would refuse; facts may be left out.

    Raises:
        ConfigError: the first fact that the modality does not take, and why.
    """
    if modality is None or preprocessing is None:
        return
    where = f"modality `{modality.name}` cannot prepare inputs so"
    try:
        check(modality, preprocessing, where, whole=False)
    except BundleError as error:
        raise ConfigError(str(error)) from error


def refuse_misspelt(preprocessing: Any, modality: Modality | None) -> None:
    """For facts that somebody wrote; a data set may add facts of its own, whatever they are called.

    Raises:
        ConfigError: a name that looks like one of the modality's, misspelt.
    """
    if modality is None or modality.preprocessing is None or not isinstance(preprocessing, Mapping):
        return
    known = resolve(modality.preprocessing).model_fields
    for name in (name for name in preprocessing if isinstance(name, str) and name not in known):
        if near := get_close_matches(name, known, n=1, cutoff=_MISSPELT):
            raise ConfigError(
                f"modality `{modality.name}` cannot prepare inputs so: `preprocessing.{name}`:"
                f" unknown key; did you mean `{near[0]}`?"
            )


def pair_of(batch: Any, *more: Any) -> tuple[Any, Any]:
    """Inputs and targets of the one argument that `loss` takes.

    Raises:
        DataError: it is no pair, or there are several arguments.
    """
    if more or not isinstance(batch, tuple | list) or len(batch) != 2:
        raise DataError(
            "`loss` takes inputs and targets as one pair: `model.loss((inputs, targets))`, or"
            " `model(inputs, targets)`"
        )
    return batch[0], batch[1]


def refuse_other_states(state: Any) -> None:
    """Raise a `BundleError` for what `trained_state` can never have given."""
    if not isinstance(state, Mapping):
        kind = type(state).__name__
        raise BundleError(f"a trained state must be a mapping of names to tensors, not a `{kind}`")
    for name, value in state.items():
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise BundleError(f"`{name}` of a trained state must be a tensor, not a `{kind}`")


def _writable(value: Any) -> bool:
    try:
        json.dumps(to_jsonable_python(value), allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True
