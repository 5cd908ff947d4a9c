"""What a head chose where the settings left it open (`decoder: auto`): told and kept in bundles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onlay.settings import Config


def settled(task: Config, head: Any) -> Config:
    """The task's settings as its head has them in `config`, every choice made; as they are where it
    has none."""
    own = getattr(head, "config", None)
    return own if type(own) is type(task) else task


def choices(given: Config, settled: Config) -> dict[str, Any]:
    """The fields that were left open, as a run file would say what was chosen: of a block its name,
    or, where that was given, its own fields (`heads.parts.levels`)."""
    before, after = (config.model_dump(mode="json") for config in (given, settled))
    return dict(_changed(before, after, ""))


def _changed(before: Any, after: dict[str, Any], start: str) -> Iterator[tuple[str, Any]]:
    for name, value in after.items():
        old = before.get(name)
        if value == old:
            continue
        if isinstance(value, dict) and isinstance(old, dict) and _alike(old, value):
            yield from _changed(old, value, f"{start}{name}.")
        else:
            yield start + name, _short(value)


def _alike(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Of one class, or mappings of the same names."""
    return old.get("name") == new.get("name")


def _short(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) and "name" in value else value
