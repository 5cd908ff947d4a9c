"""A field that holds a configuration of whichever class the plugins registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import PydanticCustomError, core_schema

from onlay.errors import PluginError
from onlay.host.firstparty import distribution_of

if TYPE_CHECKING:
    from onlay.host import PluginHost
    from onlay.settings import Config

ONE_OF = "x-onlay-one-of"
"""Marks the place in a JSON Schema where `onlay schema` puts the installed configurations, with
their kind and the name to assume."""


NAME_OF = "x-onlay-name-of"
"""Likewise, where it puts the registered names."""


@dataclass(frozen=True)
class NameOf:
    """The annotated text is the name of something registered of a `kind`.

    The host is taken from the validation context; without one nothing is looked up. One of our own
    names is read where its plugin is not installed, too: who uses it says so.
    """

    kind: str

    def __get_pydantic_core_schema__(
        self, source: type[str], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def look_up(name: str, info: ValidationInfo) -> str:
            host = (info.context or {}).get("host")
            if host is not None and distribution_of(self.kind, name) is None:
                host.find(self.kind, name)
            return name

        return core_schema.with_info_after_validator_function(look_up, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), NAME_OF: self.kind}


@dataclass(frozen=True)
class OneOf:
    """The annotated field holds one of the registered configurations of a `kind`; `name` says
    which.

    The host is taken from the validation context; a configuration object is taken as it is.
    """

    kind: str
    default: str | None = None
    """The name to assume where a block has none."""

    def __get_pydantic_core_schema__(
        self, source: type[Config], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def validate(value: Any, info: ValidationInfo) -> Any:
            if isinstance(value, source):
                return value
            host = (info.context or {}).get("host")
            assert host is not None, "validate with context={'host': host}"
            return self.validated(value, host)

        return core_schema.with_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda config, info: config.model_dump(mode=info.mode), info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {ONE_OF: [self.kind, self.default]}

    def configs(self, host: PluginHost) -> dict[str, type[Config]]:
        """The configuration classes by name; a plugin whose class fails is left out."""
        found = {}
        for name in host.registered(self.kind):
            with suppress(PluginError):
                found[name] = host.find(self.kind, name).config
        return found

    def validated(self, value: Any, host: PluginHost) -> Any:
        """The configuration object of a block or a short form; inner errors keep their place."""
        data = self.widened(value, host)
        if not isinstance(data, Mapping):
            raise PydanticCustomError("block", "must be a name or a block with a `name`")
        if "name" not in data:
            have = ", ".join(host.registered(self.kind)) or "none"
            raise PydanticCustomError("block", "`name` is missing (have: {have})", {"have": have})
        descriptor = host.find(self.kind, str(data["name"]))
        return descriptor.config.model_validate(dict(data), context={"host": host})

    def widened(self, value: Any, host: PluginHost) -> Any:
        """`arc` -> `{"name": "arc"}`; a backbone that is no registered name goes to the catch-all
        one."""
        if isinstance(value, Mapping):
            return {"name": self.default, **value} if self.default else value
        if not isinstance(value, str):
            return value
        taker = None if self._is_name(value, host) else self._catch_all(host)
        return {"name": value} if taker is None else {"name": taker.name, taker.catch_all: value}

    def inside(self, field: str, host: PluginHost) -> OneOf | None:
        """What a field of the configurations holds, if it is again one of a kind."""
        classes = self.configs(host).values()
        found = (block for cls in classes for name, block in blocks_of(cls) if name == field)
        return next(found, None)

    def _is_name(self, text: str, host: PluginHost) -> bool:
        """Registered, one of ours that is not installed, or so near to one that it must be a
        slip."""
        known = host.registered(self.kind)
        ours = distribution_of(self.kind, text) is not None
        return text in known or ours or bool(get_close_matches(text, known, n=1, cutoff=0.8))

    def _catch_all(self, host: PluginHost) -> Any:
        takers = [d for d in host.registered(self.kind).values() if getattr(d, "catch_all", None)]
        return takers[0] if len(takers) == 1 else None


def blocks_of(cls: type[Config]) -> Iterator[tuple[str, OneOf]]:
    """The fields of a configuration class that hold again one of a kind, or several by name."""
    for name, field in cls.model_fields.items():
        inside = [note for part in get_args(field.annotation) for note in _notes(part)]
        yield from ((name, note) for note in (*field.metadata, *inside) if isinstance(note, OneOf))


def _notes(part: Any) -> tuple[Any, ...]:
    return getattr(part, "__metadata__", ())


def inner_blocks(config: Config) -> Iterator[tuple[str, Config]]:
    """What these fields hold, each with its kind, `("decoder", DptConfig())`, and what those hold
    again."""
    for name, block in blocks_of(type(config)):
        found = getattr(config, name)
        for own in found.values() if isinstance(found, Mapping) else (found,):
            yield block.kind, own
            yield from inner_blocks(own)
