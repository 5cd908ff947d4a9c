"""The search before the seeds: what is drawn for each trial, and which trial is the best."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from onlay.config.run import RunConfig
from onlay.errors import ConfigError
from onlay.reports import Measure
from onlay.settings import Config
from onlay_train.grid.file import SearchConfig

if TYPE_CHECKING:
    from onlay_train.summary import Summary


NOTHING_TO_CHOOSE_ON = (
    "a search chooses on a validation part, and the data have none: give one (`data.val_size`, or a"
    " folder `val`)"
)
WHOLE = (None, "all")
"""Among numbers of items: as many as there are."""


def searched_fields(search: SearchConfig, config: RunConfig) -> dict[str, bool]:
    """Which keys a run has -> whether its values are whole numbers; a key that only some other
    method has is left out.

    Raises:
        ConfigError: a key is no field, or one that holds no number.
    """
    found = {}
    for key in search.keys:
        place = _owner(config, key)
        if place is None:
            continue
        owner, name = place
        found[key] = _whole(type(owner), name, key)
    return found


def check_keys(search: SearchConfig, configs: Sequence[RunConfig]) -> None:
    """A key that no run has is a slip."""
    for key in search.keys:
        if not any(_owner(config, key) for config in configs):
            raise ConfigError(f"search.keys: no run of this grid has a field `{key}`")


def values(search: SearchConfig, fields: Mapping[str, bool], trial: int) -> dict[str, float]:
    """What trial number `trial` trains with: the same draw for all methods.

    Each field has a generator of its own, so that a field which a method lacks changes none of the
    others, and more trials begin as fewer do.
    """
    return {
        key: scaled(search.keys[key], _uniform(search.seed, key, trial), whole)
        for key, whole in fields.items()
    }


def scaled(span: Sequence[Any], share: float, whole: bool) -> float:
    """The value at a share of the way from the least to the largest, with five digits.

    >>> scaled((1e-4, 1e-2, "log"), 0.5, False)
    0.001
    """
    low, high = span[0], span[1]
    if len(span) == 3:
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    else:
        value = low + share * (high - low)
    return rounded(value, whole)


def rounded(value: float, whole: bool) -> float:
    """A whole number, or five digits."""
    return round(value) if whole else float(f"{value:.5g}")


def words(chosen: Mapping[str, float]) -> list[str]:
    return [f"{key}={value!r}" for key, value in chosen.items()]


def best(trials: Sequence[Summary]) -> int | None:
    """The index of the trial with the best main metric on the validation part; of equal ones the
    first. `None` where none has a number.

    Raises:
        ConfigError: there is no validation part to choose on.
    """
    found, index = math.nan, None
    for number, summary in enumerate(trials):
        score = summary.metrics.get(f"validation_{summary.main_metric}")
        if score is None:
            raise ConfigError(NOTHING_TO_CHOOSE_ON)
        measure: Measure = summary.measure(summary.main_metric)
        if measure.improves(score, found):
            found, index = score, number
    return index


def nearest(value: Any, among: Sequence[Any]) -> Any:
    """The one of `among` that is nearest: numbers, also as labels, by their ratio, the smaller in
    doubt, and everything (`null`, `all`) beyond all numbers; else the value itself, or the
    first."""
    if value in among:
        return value
    numbers = sorted((n, each) for each in among if (n := as_number(each)) and n > 0)
    if value in WHOLE and numbers:
        return numbers[-1][1]
    own = as_number(value)
    if own is None or own <= 0 or not numbers:
        return among[0]
    return min(numbers, key=lambda pair: (abs(math.log(pair[0] / own)), pair[0]))[1]


def as_number(value: Any) -> float | None:
    """A number, also one that is a label."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _uniform(seed: int, key: str, trial: int) -> float:
    """Text seeds are hashed by `random` in a way that is the same everywhere."""
    return random.Random(f"{seed} {key} {trial}").random()


def _owner(config: Config, key: str) -> tuple[Config, str] | None:
    """The block that has the field, and the field's name."""
    *blocks, name = key.split(".")
    for block in blocks:
        config = getattr(config, block, None)  # type: ignore[assignment]
        if not isinstance(config, Config):
            return None
    return (config, name) if name in type(config).model_fields else None


def _whole(cls: type[Config], name: str, key: str) -> bool:
    """Whether a field takes whole numbers alone."""
    field = cls.model_fields[name]
    takes = TypeAdapter(field.rebuild_annotation())
    if _valid(takes, 1.5) or _valid(takes, 0.5):
        return False
    if (_valid(takes, 1) and not _valid(takes, True)) or _valid(takes, 2):
        return True
    raise ConfigError(f"search.keys: `{key}` holds no number, and has no range")


def _valid(takes: TypeAdapter[Any], value: Any) -> bool:
    try:
        return type(takes.validate_python(value, strict=False)) in (int, float)
    except ValidationError:
        return False
