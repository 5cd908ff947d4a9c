"""What a run leaves on disk, and whose it is; imported without torch, to look at many runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from onlay.config import save
from onlay.config.files import read
from onlay.config.run import RunConfig
from onlay.config.written import completed
from onlay.errors import RunError
from onlay.hooks import Run
from onlay.machine.disk import write_text, writing
from onlay.machine.processes import world
from onlay_train.lease import LEASE
from onlay_train.lock import HOLDER, LOCK

_FREE = frozenset(
    {
        "out",
        "train.num_workers",
        "train.eval_batch_size",
        "train.log_every",
        "train.checkpoint_every",
        "train.trackers",
        "train.cache_dir",
    }
)
"""Keys that may change from one start of a run to the next: no weight depends on them."""

_OF_THE_CACHE = frozenset({"train.cache", "train.cache_views", "train.cache_dtype"})
"""Keys that say nothing where nothing is kept."""

_LATER = frozenset({"data.test_seed"})
"""Fields that came after runs and cells had names, and whose null is what there was before."""

_OF_A_STEP = frozenset({"train.batch_size", "train.grad_accum_steps"})
"""Keys that may change where the number of processes does, so that a step sees as many samples."""

CELL_FILES = ("cell.json", "attempts.jsonl", "error.json", "output.txt")
"""What a comparison keeps of a cell, in the folder of its run."""

_PASSING = frozenset({LOCK, HOLDER, LEASE, ".config.yaml.new", *CELL_FILES})
"""What can lie in a folder before a run has begun in it."""


class RunFolder:
    """The files of a run; `bundle`, `curves` and `summary` appear when it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.own_id = path / "run.json"
        self.checkpoint = path / "last.pt"
        self.former = path / "before-last.pt"
        self.metrics = path / "metrics.jsonl"
        self.bundle = path / "bundle"
        self.curves = path / "curves.png"
        self.summary = path / "summary.json"

    @property
    def finished(self) -> bool:
        """Nothing is left to do; a bundle that is gone is written again from the checkpoint."""
        return self.summary.exists() and (self.bundle.exists() or not self.checkpoint.exists())

    def claim(self, config: RunConfig) -> None:
        """Check that the folder is free or holds this very run.

        Raises:
            RunError: it holds another run (names the keys that differ), or files that are no run.
            BundleError: something else lies in the bundle's place.
        """
        from onlay.bundle.writing import check_place

        if not self._content():
            return
        self.check_plain()
        check_place(self.bundle)
        if not self.config.exists():
            raise RunError(
                f"`{self.path}` holds files that are no run: choose another folder with `out=...`"
            )
        if not (written := read(self.config)):
            raise RunError(
                f"`{self.config}` is empty, and does not tell whose run this is:"
                " choose another folder with `out=...`, or delete this one"
            )
        theirs = meaning(completed(written, config))
        ours = meaning(config.model_dump(mode="json"))
        differ = sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k))
        if differ and not (_OF_A_STEP.issuperset(differ) and self._sees_as_many(config)):
            raise RunError(
                f"`{self.path}` already holds another run ({_differences(differ, theirs, ours)}):"
                " choose another folder with `out=...`, or delete this one"
            )

    def _content(self) -> list[str]:
        """Names in the folder, if there is one, but for passing ones."""
        with writing(self.path):
            if not self.path.exists():
                return []
            return [p.name for p in self.path.iterdir() if p.name not in _PASSING]

    def check_plain(self) -> None:
        """A pipe in the place of a file would be waited for without end, and a folder would be met
        after the training: a `RunError`."""
        states = (self.own_id, self.checkpoint, self.former)
        for path in (self.config, *states, self.metrics, self.summary, self.curves):
            if path.exists() and not path.is_file():
                raise RunError(f"`{path}` is no plain file: remove it, or choose another folder")

    def _sees_as_many(self, config: RunConfig) -> bool:
        """Does a step of this start see as many samples as one of the run that lies here?"""
        here = config.train.batch_size * config.train.grad_accum_steps * world()
        return self.own_id.exists() and self._read_own().get("samples") == here

    def open(self, run: Run, samples: int) -> None:
        """Write the resolved configuration, and whose folder it is; `samples` are those of a
        step."""
        with writing(self.config):
            save(run.config, self.config, heading=f"onlay train {self.config}")
        own = {"id": run.id, "samples": samples}
        if not self.own_id.exists() or self._read_own() != own:
            write_text(self.own_id, json.dumps(own) + "\n")

    def run(self, config: RunConfig) -> Run:
        """The run that lies here, or a new one, whose id nothing has yet; every process must ask.

        Raises:
            RunError: what tells its id is damaged.
        """
        from accelerate.utils import broadcast_object_list

        own = self._read_own()["id"] if self.own_id.exists() else uuid4().hex[:12]
        return Run(folder=self.path, id=broadcast_object_list([own])[0], config=config)

    def _read_own(self) -> dict[str, Any]:
        try:
            own = dict(json.loads(self.own_id.read_bytes()))
            return own | {"id": str(own["id"])}
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise RunError(f"`{self.own_id}` is damaged: delete it") from error

    def changed_plugins(self, config: RunConfig) -> list[str]:
        """Which of the distributions that the run uses are of another version than at its latest
        start."""
        theirs = read(self.config).get("plugins") or {} if self.config.exists() else {}
        return [
            f"`{name}` was {theirs[name]} when this run was last started and is {version} now:"
            " what follows may differ from an undisturbed run"
            for name, version in config.plugins.items()
            if name in theirs and theirs[name] != version
        ]

    def history(self) -> list[dict[str, Any]]:
        """The records of `metrics.jsonl`; a line that was cut off by a kill is left out.

        Raises:
            RunError: a line is damaged.
        """
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_bytes().splitlines(keepends=True)
        return [self._record(n, line) for n, line in enumerate(lines, 1) if line.endswith(b"\n")]

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            return dict(json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise RunError(f"`{self.metrics}` is damaged in line {number}") from error

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line to `metrics.jsonl`."""
        with writing(self.metrics), self.metrics.open("ab") as file:
            file.write(json.dumps(record).encode() + b"\n")

    def rewrite(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Make `metrics.jsonl` hold these records alone: others were not followed by a
        checkpoint."""
        write_text(self.metrics, "".join(json.dumps(record) + "\n" for record in records))

    def finish(self, summary: str) -> None:
        """Mark the run as finished."""
        write_text(self.summary, summary)
        with writing(self.former):
            self.former.unlink(missing_ok=True)


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


def as_before(dump: Mapping[str, Any]) -> dict[str, Any]:
    """Without fields that came later and are null: null is what there was before, so that what was
    trained then has the name that it had."""
    return {
        block: {k: v for k, v in own.items() if v is not None or f"{block}.{k}" not in _LATER}
        if isinstance(own, Mapping)
        else own
        for block, own in dump.items()
    }


def meaning(dump: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run this run: every value but the free ones and the versions of packages."""
    every = flat(as_before(dump))
    kept = every.get("train.cache") is not None
    values = {
        k: v
        for k, v in every.items()
        if k not in _FREE and not k.startswith("plugins") and (kept or k not in _OF_THE_CACHE)
    }
    return json.loads(json.dumps(values))


def _differences(keys: list[str], theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    shown = [f"`{key}` is {theirs.get(key)} there and {ours.get(key)} here" for key in keys[:3]]
    more = [f"{len(keys) - 3} more keys differ"] if len(keys) > 3 else []
    return ", ".join(shown + more)
