"""What an earlier version wrote, in the words of today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError, to_jsonable_python

from onlay.config.run import BLOCKS, RunConfig
from onlay.errors import ConfigError
from onlay.settings import VERSION_KEY, Config, upgraded

if TYPE_CHECKING:
    from onlay.host import PluginHost


def brought_up(data: Mapping[str, Any], host: PluginHost) -> dict[str, Any]:
    """Older schemas migrated, block by block, so that an override in today's words is laid over
    today's words.

    Raises:
        ConfigError: a newer schema, or one that cannot be migrated.
    """
    whole: dict[str, Any] = _upgraded(RunConfig, dict(data), "")
    for key, block in BLOCKS.items():
        own = whole.get(key)
        if isinstance(own, Mapping):
            known = host.registered(block.kind).get(str(own.get("name")))
            whole[key] = _upgraded(known.config, own, key) if known else own
    return whole


def completed(written: Mapping[str, Any], like: RunConfig) -> dict[str, Any]:
    """A dumped run as today's version would have dumped it: migrated, and with the defaults of
    settings that came since. Blocks of other names than those of `like`, and what cannot be read,
    stay as they are.
    """
    data = _upgraded(RunConfig, dict(written), "")
    for name, field in RunConfig.model_fields.items():
        if name not in data and not field.is_required():
            data[name] = to_jsonable_python(field.get_default(call_default_factory=True))
        own = getattr(like, name)
        if isinstance(own, Config) and isinstance(data.get(name), Mapping):
            data[name] = _redumped(type(own), data[name])
    return {**data, VERSION_KEY: RunConfig.schema_version}


def _upgraded(cls: type[Config], data: Any, key: str) -> Any:
    try:
        return upgraded(cls, data)
    except PydanticCustomError as error:
        raise ConfigError(f"{key}: {error.message()}" if key else error.message()) from error


def _redumped(cls: type[Config], block: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return cls.model_validate(block).model_dump(mode="json")
    except ValidationError:
        return block
