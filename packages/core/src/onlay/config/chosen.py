"""What a head chose where the settings left it open (`decoder: auto`): told and kept in bundles."""

from __future__ import annotations

from typing import Any

from onlay.config.base import Config


def settled(task: Config, head: Any) -> Config:
    """The task's settings as its head has them in `config`, every choice made; as they are where it
    has none."""
    own = getattr(head, "config", None)
    return own if type(own) is type(task) else task


def choices(given: Config, settled: Config) -> dict[str, Any]:
    """The fields that were left open, as a run file would say what was chosen: of a block its
    name."""
    before, after = (config.model_dump(mode="json") for config in (given, settled))
    changed = {name: after[name] for name in after if after[name] != before.get(name)}
    return {name: _short(value) for name, value in changed.items()}


def _short(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) and "name" in value else value
