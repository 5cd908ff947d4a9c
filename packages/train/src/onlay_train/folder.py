"""What a run leaves on disk, and whose it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.config import save
from onlay.config.files import read
from onlay.config.run import RunConfig
from onlay.errors import RunError

_FREE = frozenset(
    {
        "out",
        "train.num_workers",
        "train.eval_batch_size",
        "train.log_every",
        "train.checkpoint_every",
        "train.trackers",
    }
)
"""Keys that may change from one start of a run to the next: no weight depends on them."""


class RunFolder:
    """The files of a run; `bundle`, `curves` and `summary` appear when it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.checkpoint = path / "last.pt"
        self.metrics = path / "metrics.jsonl"
        self.bundle = path / "bundle"
        self.curves = path / "curves.png"
        self.summary = path / "summary.json"

    def claim(self, config: RunConfig) -> None:
        """Check that the folder is free or holds this very run.

        Raises:
            RunError: it holds another run (names the keys that differ), or files that are no run.
        """
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not self.config.exists():
            raise RunError(
                f"`{self.path}` holds files that are no run: choose another folder with `out=...`"
            )
        theirs, ours = _meaning(read(self.config)), _meaning(config.model_dump(mode="json"))
        differ = sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k))
        if differ:
            raise RunError(
                f"`{self.path}` already holds another run ({_differences(differ, theirs, ours)}):"
                " choose another folder with `out=...`, or delete this one"
            )

    def open(self, config: RunConfig) -> None:
        """Make the folder and write the resolved configuration."""
        self.path.mkdir(parents=True, exist_ok=True)
        save(config, self.config, heading=f"onlay train {self.config}")

    def history(self) -> list[dict[str, Any]]:
        """The records of `metrics.jsonl`; a line that was cut off by a kill is left out."""
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line to `metrics.jsonl`."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def rewind(self, epoch: int) -> None:
        """Forget records of epochs after `epoch`: they were not followed by a checkpoint."""
        kept = [record for record in self.history() if record["epoch"] <= epoch]
        write_atomically(self.metrics, "".join(json.dumps(record) + "\n" for record in kept))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the run as finished."""
        write_atomically(self.summary, json.dumps(summary, indent=2) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old text or the new."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping under dotted keys.

    >>> flat({"train": {"lr": 0.1}, "out": "x"})
    {'train.lr': 0.1, 'out': 'x'}
    """
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _meaning(dump: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run this run: every value but the free ones and the versions of packages."""
    values = {k: v for k, v in flat(dump).items() if k not in _FREE and not k.startswith("plugins")}
    return json.loads(json.dumps(values))


def _differences(keys: list[str], theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    shown = [f"`{key}` is {theirs.get(key)} there and {ours.get(key)} here" for key in keys[:3]]
    more = [f"{len(keys) - 3} more keys differ"] if len(keys) > 3 else []
    return ", ".join(shown + more)
