"""Comparisons whose schedulers and workers are killed at any moment, until they are whole, and
compared bit for bit with one that nobody disturbed.

    hatch run kill-grid --kills 100     # about half an hour on two quiet cores

`onlay compare` runs as a user runs it, every third time twice at once on one folder. After a random
time a process of it is killed (SIGKILL): a scheduler, one that trains a cell, one that starts
others, or all of them. Then the same command goes on. Moments are drawn from `--seed`. Exit status
1 if a cell that was done is trained again or lost, or a bundle differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PLUGIN = Path(__file__).parents[1] / "packages" / "train" / "tests" / "data" / "tiny_plugin.py"
GRID = {
    "grid": {"method": ["linear", {"name": "noisy", "rank": [1, 2]}], "train.seed": [0, 1]},
    "base": {
        "backbone": "tiny",
        "data": "stripes",
        "train": {"epochs": 12, "batch_size": 4, "trackers": [], "checkpoint_every": 1},
    },
    "search": {"keys": {"train.lr": [1e-3, 1e-1, "log"]}, "trials": 2},
    "where": {"name": "local", "jobs": 2},
}
"""Six cells and six trials, of which those of the search come first."""
WHO = ("scheduler", "worker", "all")
BUNDLE = Path("bundle", "adapter_model.safetensors")


@dataclass
class Watched:
    """One folder of a comparison, from its first start until it is whole."""

    folder: Path
    killed: list[str] = field(default_factory=list)
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

    def interrupted(self) -> int:
        """How many cells were begun more than once."""
        attempts = [path.read_text() for path in self.folder.glob("cells/*/attempts.jsonl")]
        return sum(text.count('"began"') > 1 for text in attempts)


def main() -> None:
    """Kill, look, print, count."""
    options = _options()
    chance = random.Random(options.seed)
    kills = interrupted = wrong = cells = grids = 0
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "grid.yaml"
        file.write_text(json.dumps(GRID), encoding="utf-8")  # JSON is YAML
        whole, seconds = undisturbed(file, Path(scratch) / "undisturbed")
        while kills < options.kills:
            grids += 1
            seen = Watched(Path(scratch) / f"killed-{grids}")
            disturbed(file, seen, chance, seconds, min(options.kills - kills, options.most))
            seen.wrong += differences(whole, seen.tensors())
            kills, cells = kills + len(seen.killed), cells + len(seen.done)
            interrupted, wrong = interrupted + seen.interrupted(), wrong + len(seen.wrong)
            told = "; ".join(seen.wrong) or "every cell once, the same bits"
            print(f"{kills}/{options.kills} killed {', '.join(seen.killed)}: {told}", flush=True)
    print(f"{kills} kills, {grids} grids, {cells} cells, {interrupted} went on, {wrong} wrong")
    sys.exit(1 if wrong else 0)


def undisturbed(file: Path, folder: Path) -> tuple[dict[str, bytes], float]:
    """The bundles of every cell, and how long they take."""
    began, seen = time.monotonic(), Watched(folder)
    started(file, folder).wait()
    seen.look()
    print(f"undisturbed: {len(seen.done)} cells in {time.monotonic() - began:.1f} s", flush=True)
    return seen.tensors(), time.monotonic() - began


def disturbed(file: Path, seen: Watched, chance: random.Random, seconds: float, most: int) -> None:
    """Starts of one grid until one ends by itself; from the last kill on nobody disturbs it."""
    while True:
        starts = [started(file, seen.folder)]
        if len(seen.killed) % 3 == 2:
            starts.append(started(file, seen.folder))
        moment = chance.uniform(0, seconds) if len(seen.killed) < most else None
        ended = until(starts, seen, moment)
        if ended:
            break
        seen.killed.append(kill(starts, chance))
        for start in starts:  # a worker's death does not end the scheduler
            start.wait()
        seen.look()
    if bad := [str(start.returncode) for start in starts if start.returncode]:
        seen.wrong.append(f"it ended with status {', '.join(bad)}")


def until(starts: list[subprocess.Popen[bytes]], seen: Watched, moment: float | None) -> bool:
    """Look on until all starts have ended, or a moment has come; have they ended?"""
    began = time.monotonic()
    while any(start.poll() is None for start in starts):
        if moment is not None and time.monotonic() - began > moment:
            return False
        seen.look()
        time.sleep(0.05)
    seen.look()
    return True


def kill(starts: list[subprocess.Popen[bytes]], chance: random.Random) -> str:
    """One kind of process of one start, or all of all starts; gives which."""
    who = chance.choice(WHO)
    start = psutil.Process(chance.choice(starts).pid)
    below = start.children(recursive=True)
    everyone = [p for each in starts for p in psutil.Process(each.pid).children(recursive=True)]
    doomed = {
        "scheduler": [start],
        "worker": [chance.choice(below)] if below else [start],
        "all": [*(psutil.Process(each.pid) for each in starts), *everyone],
    }[who]
    for process in doomed:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return who


def started(file: Path, folder: Path) -> subprocess.Popen[bytes]:
    words = ["--plugin", str(PLUGIN), "compare", str(file), "--out", str(folder)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "onlay", *words], **quiet)


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
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the order of sums is that of one thread
    main()
