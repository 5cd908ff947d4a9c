"""Configuration classes by the dozen, for what is planted."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import ConfigDict, create_model

from onlay.settings import Config


@cache
def named_config(name: str, base: type[Config] = Config, doc: str | None = None) -> type[Config]:
    """A class on `base` of which `name` is the name."""
    kind: Any = Literal[name]
    return create_model(name, __base__=_plain(base), __doc__=doc or base.__doc__, name=(kind, name))


@cache
def _plain(base: type[Config]) -> type[Config]:
    """It has no source in which pydantic could look for docstrings, frame by frame."""

    class Plain(base):
        model_config = ConfigDict(use_attribute_docstrings=False)

    return Plain
