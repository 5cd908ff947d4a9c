"""Schema versions: older data is brought up one step at a time, newer data is refused in words."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from onlay.errors import OnlayError

if TYPE_CHECKING:
    from onlay.config.base import Config

VERSION_KEY = "$v"


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
