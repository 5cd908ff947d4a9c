"""The base of every configuration class: strict, frozen, described by the docstrings under its
fields, readable in later versions.

Older data is brought up one schema version at a time, newer data is refused in words.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from onlay.errors import OnlayError

VERSION_KEY = "$v"


class Config(BaseModel):
    """Settings of one registered thing.

    A registered class begins with `name: Literal["arc"] = "arc"`; the docstring under a field is
    its description in `onlay schema` and `onlay explain`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        defer_build=True,  # most classes are only listed
    )

    if TYPE_CHECKING:
        # What is registered has it, and only that is handed around as a mere `Config`.
        @property
        def name(self) -> str: ...

    schema_version: ClassVar[int] = 1
    """Counted up whenever a saved configuration would no longer be read as it was meant."""

    @classmethod
    def migrate(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        """`data` as written by schema `version`, in the words of `version + 1`."""
        raise NotImplementedError(f"{cls.__name__} has no migration from schema {version}")

    @classmethod
    def versioned(cls) -> bool:
        """Whether a dump carries the schema version: what has a `name`, and the run as a whole."""
        return "name" in cls.model_fields or "schema_version" in vars(cls)

    @model_serializer(mode="wrap")
    def _with_version(
        self, dump: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        data = dump(self)
        if info.mode == "json" and self.versioned():
            data[VERSION_KEY] = self.schema_version
        return data

    @model_validator(mode="wrap")
    @classmethod
    def _of_any_version(cls, data: Any, read: Callable[[Any], Self]) -> Self:
        try:
            return read(upgraded(cls, data))
        except ValidationError as error:
            raise _with_near_misses(error, cls) from None


def _with_near_misses(error: ValidationError, cls: type[Config]) -> ValidationError:
    """The same errors; an unknown key of this very class is told what it resembles."""
    return ValidationError.from_exception_data(
        error.title,
        [
            InitErrorDetails(
                type=_unknown_key(str(e["loc"][0]), cls)
                if e["type"] == "extra_forbidden" and len(e["loc"]) == 1
                else PydanticCustomError(cast("Any", e["type"]), "{text}", {"text": e["msg"]}),
                loc=e["loc"],
                input=e["input"],
            )
            for e in error.errors(include_url=False)
        ],
    )


def _unknown_key(key: str, cls: type[Config]) -> PydanticCustomError:
    fields = list(cls.model_fields)
    near = _in_a_block(key, cls) or get_close_matches(key, fields, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"have: {', '.join(fields)}"
    return PydanticCustomError("unknown_key", "unknown key; {hint}", {"hint": hint})


def _in_a_block(key: str, cls: type[Config]) -> list[str]:
    """`train.lr` for `lr`: a field of that very name one level below."""
    blocks = {name: field.annotation for name, field in cls.model_fields.items()}
    return [
        f"{name}.{key}"
        for name, block in blocks.items()
        if inspect.isclass(block) and issubclass(block, Config) and key in block.model_fields
    ]


def upgraded(cls: type[Config], data: Any) -> Any:
    """`data` in the words of today's `cls`, without its version.

    Data that names no version was written by hand and is read as today's.
    """
    if not isinstance(data, dict) or VERSION_KEY not in data:
        return data
    data = deepcopy(data)
    version = data.pop(VERSION_KEY)
    if type(version) is not int or version < 1:
        raise PydanticCustomError("schema_version", "`$v` must be a whole number from 1 on")
    if version > cls.schema_version:
        raise PydanticCustomError(
            "schema_version",
            "written by a newer version (schema {written}, this one reads {read}): "
            "update the package that brings it",
            {"written": version, "read": cls.schema_version},
        )
    for step in range(version, cls.schema_version):
        data = _migrated(cls, data, step)
    return data


def _migrated(cls: type[Config], data: dict[str, Any], version: int) -> dict[str, Any]:
    """Whatever is wrong with a migration is its author's mistake, and told as such."""
    try:
        newer = cls.migrate(data, version)
    except (OnlayError, PydanticCustomError):
        raise
    except Exception as error:
        raise _no_migration(cls, version, f"{type(error).__name__}: {error}") from error
    if not isinstance(newer, dict):
        raise _no_migration(cls, version, f"it gave a `{type(newer).__name__}`")
    return newer


def _no_migration(cls: type[Config], version: int, reason: str) -> PydanticCustomError:
    return PydanticCustomError(
        "schema_version",
        "written by an older version (schema {written}, this one reads {read}), and "
        "`{name}.migrate` fails ({reason}): tell the authors of the package that brings it",
        {"written": version, "read": cls.schema_version, "name": cls.__name__, "reason": reason},
    )
