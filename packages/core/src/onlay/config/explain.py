"""A configuration class in words: each field with its type, default and description."""

from __future__ import annotations

import inspect
import json
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from onlay.config.oneof import NameOf, OneOf
from onlay.settings import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNS = {
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "min_length": "length >=",
    "multiple_of": "multiple of",
}


@dataclass(frozen=True)
class Explained:
    """One field, in words."""

    name: str
    """Dotted where the field lies in a sub-block."""
    type: str
    default: str
    """As it would be written; `required` where there is none."""
    description: str


def explained(config: type[Config], prefix: str = "") -> Iterator[Explained]:
    """Every field of a configuration class but its `name`; those of sub-blocks under dotted
    names."""
    for name, field in config.model_fields.items():
        if name == "name" and not prefix:
            continue
        block = field.annotation
        if _is_block(block):
            yield from explained(block, f"{prefix}{name}.")
        else:
            yield Explained(
                prefix + name,
                _type(field),
                _default(field),
                " ".join((field.description or "").split()),
            )


def summary(config: type[Config]) -> str:
    """The class's docstring."""
    return inspect.getdoc(config) or ""


def _is_block(annotation: Any) -> TypeGuard[type[Config]]:
    return (
        inspect.isclass(annotation) and issubclass(annotation, Config) and annotation is not Config
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    return value if isinstance(value, str) else json.dumps(value)


def _type(field: FieldInfo) -> str:
    for note in field.metadata:
        if isinstance(note, OneOf):
            return f"a {note.kind}"
        if isinstance(note, NameOf):
            return f"name of a registered {note.kind}"
    return ", ".join([_annotation(field.annotation), *_limits(field.metadata)])


def _limits(metadata: list[Any]) -> list[str]:
    return [
        f"{sign} {getattr(note, name)}"
        for note in metadata
        for name, sign in _SIGNS.items()
        if getattr(note, name, None) is not None
    ]


def _annotation(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        for note in inner[1:]:
            if isinstance(note, NameOf):
                return f"{note.kind} names"
        return ", ".join([_annotation(inner[0]), *_limits(list(inner[1:]))])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if arg is type(None) else _annotation(arg) for arg in inner)
    if origin in (tuple, list):
        return f"list of {_annotation(inner[0])}"
    if origin is dict:
        return f"mapping of {_annotation(inner[0])} to {_annotation(inner[1])}"
    if annotation is Path:
        return "path"
    return getattr(annotation, "__name__", str(annotation))
