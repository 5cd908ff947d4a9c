"""Schema versions: older data is brought up one step at a time, newer data is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from onlay.config.base import Config

VERSION_KEY = "$v"


def upgraded(cls: type[Config], data: Any) -> Any:
    """`data` in the words of today's `cls`, without its version.

    Data that names no version was written by hand and is read as today's.
    """
    if not isinstance(data, dict) or VERSION_KEY not in data:
        return data
    data = dict(data)
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
        data = cls.migrate(data, step)
    return data
