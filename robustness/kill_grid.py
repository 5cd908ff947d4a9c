"""Comparisons whose schedulers and workers are killed at any moment, until they are whole, and
compared bit for bit with one that nobody disturbed.

    hatch run kill-grid --kills 100     # about ten minutes of CPU time

After a random time a process of `onlay compare` is killed (SIGKILL): a scheduler, one that trains a
cell or starts others, or all of them; what is left goes on and is killed again. When nothing runs
any more the same command goes on, every third time twice at once on one folder. One grid in
`--cold` runs as a user runs it; the others are copies of this process and of one that starts cells,
with all imports behind them, so that kills fall while something is done. Moments are drawn from
`--seed` and the grid's number. What was found lies in `--out`, and the same command goes on behind
it. Exit status 1 if a cell that was done is trained again or lost, or a bundle differs; such a
grid's folder stays.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Protocol

import psutil

from onlay.host import PluginHost

PLUGIN = Path(__file__).parents[1] / "packages" / "train" / "tests" / "data" / "tiny_plugin.py"
GRID = {
    "grid": {"method": ["linear", "noisy"], "train.seed": [0, 1]},
    "base": {
        "backbone": "tiny",
        "data": "stripes",
        "train": {"epochs": 6, "batch_size": 4, "trackers": [], "checkpoint_every": 1},
    },
    "search": {"keys": {"train.lr": [1e-3, 1e-1, "log"]}, "trials": 1},
    "where": {"name": "local", "jobs": 2},
}
"""Four cells and two trials, of which those of the search come first."""
WHO = ("scheduler", "worker", "all")
WORKERS = 2
"""In one life; a cell that is killed three times in one start has failed, and that is right."""
BUNDLE = Path("bundle", "adapter_model.safetensors")


class Start(Protocol):
    """One start of a comparison."""

    pid: int

    def poll(self) -> int | None: ...


class Copy:
    """A start that is a copy of this process."""

    def __init__(self, words: list[str]) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=_onlay, args=(words,))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode


@dataclass
class Watched:
    """One folder of a comparison, from its first start until it is whole."""

    folder: Path
    cold: bool
    """It runs as a user runs it."""
    killed: list[str] = field(default_factory=list)
    """What was killed, kill by kill."""
    done: dict[str, bytes] = field(default_factory=dict)
    """Cell -> its summary when it was first seen."""
    wrong: list[str] = field(default_factory=list)

    def look(self) -> None:
        """A summary stays what it was when it was first seen: times are in it."""
        found = {path.parent.name: path.read_bytes() for path in self._summaries()}
        for cell, first in self.done.items():
            if cell not in found:
                self.wrong.append(f"{cell} is lost")
            elif found[cell] != first:
                self.wrong.append(f"{cell} was trained again")
        self.done |= found

    def _summaries(self) -> list[Path]:
        return sorted(self.folder.glob("cells/*/summary.json"))

    def tensors(self) -> dict[str, bytes]:
        return {cell: (self.folder / "cells" / cell / BUNDLE).read_bytes() for cell in self.done}

    def facts(self) -> dict[str, Any]:
        """What is kept of it."""
        counts = {"cells": len(self.done), "interrupted": self.interrupted()}
        return {"cold": self.cold, "killed": self.killed, "wrong": self.wrong, **counts}

    def interrupted(self) -> int:
        """How many cells were begun more than once."""
        attempts = [path.read_text() for path in self.folder.glob("cells/*/attempts.jsonl")]
        return sum(text.count('"began"') > 1 for text in attempts)


def main() -> None:
    """Kill, look, print, count."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    file, found = options.out / "grid.yaml", read(options.out / "found.jsonl")
    file.write_text(json.dumps(GRID), encoding="utf-8")  # JSON is YAML
    whole, cold_seconds = undisturbed(file, Watched(options.out / "undisturbed", cold=True))
    warm_up()
    again, warm_seconds = undisturbed(file, Watched(options.out / "warm", cold=False))
    assert again == whole, "two undisturbed grids differ"
    pace = {True: cold_seconds, False: warm_seconds}
    while (left := options.kills - kills(found)) > 0:
        cold = len(found) % options.cold == options.cold - 1
        seen = Watched(options.out / f"killed-{len(found) + 1}", cold)
        chance = random.Random(f"{options.seed} {len(found) + 1}")
        shutil.rmtree(seen.folder, ignore_errors=True)  # it was not brought to its end
        disturbed(file, seen, chance, pace, min(left, options.most))
        seen.wrong += differences(whole, seen.tensors())
        found.append(seen.facts())
        with (options.out / "found.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(found[-1]) + "\n")
        which = "killed, as a user runs it:" if cold else "killed"
        told = "; ".join(seen.wrong) or "every cell once, the same bits"
        print(
            f"{kills(found)}/{options.kills} {which} {', '.join(seen.killed)}: {told}", flush=True
        )
        if not seen.wrong:
            shutil.rmtree(seen.folder)
    sums = {key: sum(each[key] for each in found) for key in ("cells", "interrupted")}
    wrong = sum(len(each["wrong"]) for each in found)
    print(
        f"{kills(found)} kills, {len(found)} grids, {sums['cells']} cells,"
        f" {sums['interrupted']} went on, {wrong} wrong"
    )
    sys.exit(1 if wrong else 0)


def read(path: Path) -> list[dict[str, Any]]:
    """What earlier starts found, a line for each grid."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kills(found: Sequence[dict[str, Any]]) -> int:
    return sum(len(each["killed"]) for each in found)


def undisturbed(file: Path, seen: Watched) -> tuple[dict[str, bytes], float]:
    """The bundles of every cell, and how long they take."""
    shutil.rmtree(seen.folder, ignore_errors=True)
    began = time.monotonic()
    until([started(file, seen)], seen, None)
    print(f"undisturbed: {len(seen.done)} cells in {time.monotonic() - began:.1f} s", flush=True)
    return seen.tensors(), time.monotonic() - began


def disturbed(
    file: Path, seen: Watched, chance: random.Random, pace: dict[bool, float], most: int
) -> None:
    """Lives of one grid until it is whole; behind the last kill nobody disturbs it. `pace` is how
    long a life takes (cold or not), and follows a machine on which others work, too."""
    while True:
        starts = [started(file, seen) for _ in range(1 + (len(seen.killed) % 3 == 2))]
        began = time.monotonic()
        struck = live(starts, seen, chance, pace[seen.cold], most)
        if not seen.killed:  # all of it in one life
            pace[seen.cold] = time.monotonic() - began
        ended = [start.poll() for start in starts]
        if 0 in ended:
            return
        if not struck:
            seen.wrong.append(f"it ended with status {ended}")
            return


def live(
    starts: Sequence[Start],
    seen: Watched,
    chance: random.Random,
    seconds: float,
    most: int,
) -> bool:
    """Kill at random moments until all starts have ended; was anything killed?"""
    before = len(seen.killed)
    while len(seen.killed) < most:
        again = len(seen.killed) > before  # imports are behind it
        if until(starts, seen, chance.uniform(0, seconds / 3 if again else seconds)):
            break
        if not (running := [start for start in starts if start.poll() is None]):
            break
        workers = seen.killed[before:].count("worker")
        who = chance.choice(WHO if workers < WORKERS else [w for w in WHO if w != "worker"])
        kill(running, who, seen.folder, chance)
        seen.killed.append(who)
    until(starts, seen, None)
    return len(seen.killed) > before


def until(starts: Sequence[Start], seen: Watched, moment: float | None) -> bool:
    """Look on until all starts have ended, or a moment has come; have they ended?"""
    began = time.monotonic()
    while any(start.poll() is None for start in starts):
        if moment is not None and time.monotonic() - began > moment:
            return False
        seen.look()
        time.sleep(0.05)
    seen.look()
    return True


def kill(starts: Sequence[Start], who: str, folder: Path, chance: random.Random) -> None:
    """A scheduler, one of those that work for it, or everything."""
    schedulers = [psutil.Process(start.pid) for start in starts]
    below = [process for each in schedulers for process in each.children(recursive=True)]
    workers = list({*below, *holders(folder)}) or schedulers
    doomed = {
        "scheduler": [chance.choice(schedulers)],
        "worker": [chance.choice(sorted(workers, key=lambda process: process.pid))],
        "all": [*schedulers, *workers],
    }[who]
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def holders(folder: Path) -> list[psutil.Process]:
    """Processes that hold a cell."""
    found = []
    for path in folder.glob("cells/*/.lock.json"):
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            found.append(psutil.Process(json.loads(path.read_text())["pid"]))
    return found


def started(file: Path, seen: Watched) -> Start:
    words = ["--plugin", str(PLUGIN), "compare", str(file), "--out", str(seen.folder)]
    if not seen.cold:
        return Copy(words)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "onlay", *words], **quiet)


def warm_up() -> None:
    """Import what a start imports, and start what cells are forked from, for all copies."""
    for module in ("onlay.cli", "onlay_train.grid.start", "onlay_train.grid.report.page"):
        import_module(module)
    PluginHost.discover(files=[PLUGIN])
    multiprocessing.set_forkserver_preload(["onlay_train.grid.executors.warm"])
    forkserver.ensure_running()


def _onlay(words: list[str]) -> None:
    """In a copy of this process; it did not start what cells are forked from, and may not ask after
    its end."""
    from onlay.cli import main as onlay

    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    onlay(words, prog_name="onlay")


def differences(whole: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    lost = [f"{cell} is lost" for cell in whole.keys() - found.keys()]
    more = [f"{cell} is of no grid" for cell in found.keys() - whole.keys()]
    other = [
        f"{cell} has other bits" for cell in whole if found.get(cell, whole[cell]) != whole[cell]
    ]
    return [*lost, *more, *other]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--most", type=int, default=8, help="kills of one grid")
    parser.add_argument("--out", type=Path, default=Path("runs", "kill-grid"))
    parser.add_argument("--cold", type=int, default=8, help="one grid in so many is started cold")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the order of sums is that of one thread
    main()
