"""Configuration: one file, overrides as data, and whichever classes the plugins registered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay.host import PluginHost
    from onlay.settings import Config

__all__ = ["load", "parse", "resolve", "save"]


def load(path: str | Path, overrides: Iterable[str], host: PluginHost) -> RunConfig:
    """Read a YAML file, apply `key.key=value` overrides, and `resolve` it.

    Raises:
        ConfigError: the file, an override or a value cannot be used; names the place.
        UnknownName: no installed plugin registers a name.
    """
    from onlay.config.files import read

    return resolve(read(Path(path)), overrides, host)


def resolve(data: Mapping[str, Any], overrides: Iterable[str], host: PluginHost) -> RunConfig:
    """A complete configuration: preset under own values, run folder named, plugins noted; then
    tells the plugins."""
    from pydantic import ValidationError

    from onlay.config.overrides import overridden
    from onlay.config.run import BLOCKS, RunConfig
    from onlay.config.sentences import as_one_sentence
    from onlay.config.written import brought_up
    from onlay.errors import UnknownName
    from onlay.host.missing import with_origin

    def widen(key: str, value: Any) -> Any:
        outer, _, field = key.partition(".")
        block = BLOCKS.get(outer)
        if block is not None and field:
            block = block.inside(field, host) if isinstance(value, str) else None
        return value if block is None else block.widened(value, host)

    try:
        config = RunConfig.model_validate(
            overridden(brought_up(data, host), overrides, widen), context={"host": host}
        )
    except ValidationError as error:
        raise as_one_sentence(error) from error
    except UnknownName as error:
        raise with_origin(error, data.get("plugins"), host) from error
    config = config.model_copy(
        update={"out": config.out or _folder(config, host), "plugins": _used(config, host)}
    )
    host.config_resolved(config)
    return config


def save(config: RunConfig, path: Path, *, heading: str = "") -> None:
    """Write the resolved configuration with every default and the schema versions."""
    from onlay.config.files import write

    write(path, config.model_dump(mode="json"), heading=heading)


def parse(kind: str, value: str | Mapping[str, Any] | Config, host: PluginHost) -> Config:
    """A configuration of one `kind` from a name, a mapping or a configuration object.

    >>> parse("method", {"name": "arc", "rank": 8}, host).rank  # doctest: +SKIP
    8
    """
    from pydantic import ValidationError
    from pydantic_core import PydanticCustomError

    from onlay.config.oneof import OneOf
    from onlay.config.sentences import as_one_sentence
    from onlay.errors import ConfigError
    from onlay.settings import Config

    if isinstance(value, Config):
        return value
    try:
        return OneOf(kind).validated(value, host)
    except ValidationError as error:
        raise as_one_sentence(error, within=kind) from error
    except PydanticCustomError as error:
        raise ConfigError(f"{kind}: {error.message()}") from error


def _folder(config: RunConfig, host: PluginHost) -> Path:
    from onlay.config.run import backbone_label

    label = re.sub(r"[^\w.\-]+", "_", backbone_label(config.backbone, host)).strip("_")
    return Path("runs") / f"{label}-{config.method.name}"


def _used(config: RunConfig, host: PluginHost) -> dict[str, str]:
    from onlay.config.oneof import inner_blocks
    from onlay.config.run import BLOCKS

    blocks = {block.kind: getattr(config, key) for key, block in BLOCKS.items()}
    inner = [each for block in blocks.values() for each in inner_blocks(block)]
    owners = [host.owner(kind, block.name) for kind, block in (*blocks.items(), *inner)]
    if config.train.opt in host.optimizers:
        owners.append(host.owner("optimizer", config.train.opt))
    return {owner.distribution: owner.version for owner in sorted(owners, key=str)}
