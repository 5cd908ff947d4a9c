"""Validation errors as one sentence: a short place, what is wrong, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from onlay.errors import ConfigError

_WORDS = (
    (r"^Value error, |^Assertion failed, ", ""),
    (r"^Input should be a valid (tuple|list)", "must be a list"),
    (r"^(Tuple|List) should (.*) after validation", r"must \2"),
    (r"^Input should be a valid dictionary or instance of .*", "must be a block of settings"),
    (r"^Input should be a valid dictionary", "must be names with values"),
    (r"^Input is not a valid path.*", "must be a path"),
    (r"^Input should ", "must "),
    (r", (unable to parse|got) .*", ""),
    (r"^Field required$", "is missing"),
)
"""pydantic's words and ours."""

_BRANCH = re.compile(r"(constrained|function)-.*|\w+\[.*\]|int|float|str")


def as_one_sentence(error: ValidationError, *, within: str = "") -> ConfigError:
    """`method.rank: must be greater than 0; train.lr: must be a valid number (got `fast`)`."""
    grouped = groupby(error.errors(include_url=False), lambda e: _without_branch(e["loc"]))
    return ConfigError("; ".join(_told(place, list(errors), within) for place, errors in grouped))


def _told(place: Sequence[str | int], errors: list[Any], within: str) -> str:
    """What is wrong at one place; several errors are the branches of a union."""
    nearest = [e for e in errors if not _wrong_kind(e) or _inside(e["loc"])] or errors
    inside = _inside(nearest[0]["loc"])
    path = ".".join(str(part) for part in (within, *place, *inside) if part != "")
    text = " or ".join(dict.fromkeys(_in_our_words(e["msg"]) for e in nearest))
    if all(_wrong_kind(e) for e in nearest):
        text += f" (got `{nearest[0]['input']}`)"
    return f"{path}: {text}" if path else text


def _in_our_words(text: str) -> str:
    for theirs, ours in _WORDS:
        text = re.sub(theirs, ours, text)
    return text


def _wrong_kind(error: Any) -> bool:
    """Not of the type that was asked for, so that another branch of a union may have been meant."""
    return error["type"].endswith(("_parsing", "_type", "_from_float", "literal_error"))


def _is_branch(part: str | int) -> bool:
    """pydantic names the branch of a union in the place: `tuple[int, ...]`, `constrained-float`."""
    return isinstance(part, str) and _BRANCH.fullmatch(part) is not None


def _without_branch(loc: Sequence[str | int]) -> Sequence[str | int]:
    return loc[: next((i for i, part in enumerate(loc) if _is_branch(part)), len(loc))]


def _inside(loc: Sequence[str | int]) -> Sequence[str | int]:
    return loc[len(_without_branch(loc)) + 1 :]
