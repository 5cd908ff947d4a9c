"""The field that every method has, as the placement knows it and no method needs to."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import PositiveInt, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from onlay.settings import VERSION_KEY, Config


class Held(Config):
    """Settings of a method, with those of its placement."""

    last_blocks: PositiveInt | None = None
    """Let the method see only so many blocks of the backbone, counted from the end, and what comes
    behind them: the backward pass stops early, and `train.cache: prefix` keeps what the blocks
    before them give; null: all of it."""

    @model_serializer(mode="wrap")
    def _with_version(
        self, dump: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """As always, but silent where it is not set: what was written without it means the same."""
        data = dump(self)
        if data.get("last_blocks") is None:
            data.pop("last_blocks", None)
        if info.mode == "json" and self.versioned():
            data[VERSION_KEY] = self.schema_version
        return data

    def __eq__(self, other: object) -> bool:
        """Without the field it is what the method's own class makes of the same settings."""
        if type(other) is not _plain(type(self)):
            return super().__eq__(other)
        return {**vars(other), "last_blocks": None} == vars(self)

    def __hash__(self) -> int:
        return _plain(type(self)).__hash__(self)  # type: ignore[call-arg]

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (_plain(type(self)), self.__getstate__())


def _plain(kind: type[Any]) -> type[Any]:
    return next(c for c in kind.__mro__[1:] if c is not Held)


@cache
def held(plain: type[Config]) -> type[Config]:
    """A method's settings with the field; a method that has one of that name keeps its own."""
    if "last_blocks" in plain.model_fields:
        return plain
    own = {"__module__": plain.__module__, "__qualname__": plain.__qualname__}
    return type(plain)(plain.__name__, (Held, plain), {**own, "__doc__": plain.__doc__})


def _again(plain: type[Config], state: dict[Any, Any]) -> Config:
    kind = held(plain)
    made = kind.__new__(kind)
    made.__setstate__(state)
    return made


def last_blocks(config: Config) -> int | None:
    """How many blocks a method is held to; none: the whole backbone."""
    return config.last_blocks if isinstance(config, Held) else None
