"""Validation errors as one sentence: a short place, what is wrong, what to do."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from inlay.errors import ConfigError


def as_one_sentence(error: ValidationError, *, within: str = "") -> ConfigError:
    """`method.rank: must be greater than 0; train.lr: must be a valid number (got `fast`)`."""
    return ConfigError("; ".join(_told(e, within) for e in error.errors(include_url=False)))


def _told(error: Any, within: str) -> str:
    place = ".".join(str(part) for part in (within, *error["loc"]) if part != "")
    text = _in_our_words(error)
    return f"{place}: {text}" if place else text


def _in_our_words(error: Any) -> str:
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = re.sub(r"^Input should ", "must ", text)
    text = re.sub(r", (unable to parse|got) .*", "", text).replace("Field required", "is missing")
    if error["type"].endswith(("_parsing", "_type", "literal_error", "_from_float")):
        text += f" (got `{error['input']}`)"
    return text
