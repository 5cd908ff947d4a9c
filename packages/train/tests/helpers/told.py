"""A plugin that notes what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onlay
from onlay.config.run import RunConfig

Configure = Callable[..., RunConfig]


class Told:
    """Writes down what the host tells, and fails where it is asked to."""

    def __init__(self, fails_in: str = "") -> None:
        self.fails_in = fails_in
        self.heard: list[tuple[Any, ...]] = []

    def _hear(self, name: str, *facts: Any) -> None:
        self.heard.append((name, *facts))
        if name == self.fails_in:
            raise ValueError("misbehaving")

    @onlay.hookimpl
    def step_finished(self, step: int, metrics: Mapping[str, float]) -> None:
        self._hear("step_finished", step, sorted(metrics))

    @onlay.hookimpl
    def evaluated(self, split: str, metrics: Mapping[str, float]) -> None:
        self._hear("evaluated", split, metrics["top1"])

    @onlay.hookimpl
    def checkpoint_saving(self, state: dict[str, Any], path: Path) -> None:
        state["told"] = {"steps": state["progress"]["step"]}
        self._hear("checkpoint_saving", path.name)

    @onlay.hookimpl
    def checkpoint_loaded(self, state: dict[str, Any], path: Path) -> None:
        self._hear("checkpoint_loaded", state["told"])

    @onlay.hookimpl
    def run_finished(self, folder: Path, summary: Mapping[str, Any]) -> None:
        self._hear("run_finished", (folder / "bundle").exists(), summary["epochs"])
