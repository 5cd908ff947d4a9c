"""Trainings killed at any moment, resumed until they end, and compared bit for bit with one that
nobody disturbed.

    hatch run kill-loop --trials 30     # about 10 minutes on two quiet cores

Every life is a process of its own that starts as a user starts it and is killed (SIGKILL, which no
program hears) after a random time: while it imports, builds, trains, saves, or writes its bundle.
Moments are drawn from `--seed`. Exit status 1 if any trial ends differently.
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRAIN = {
    "epochs": 2,
    "batch_size": 8,
    "checkpoint_every": 1,
    "model_ema_decay": 0.9,
    "selection": "best_val",
}
MOST_KILLS = 4
"""In one trial; the next life is left alone."""
PASSING = ("seconds", "peak_bytes", "folder", "bundle_bytes", "sha256")
"""What differs between two runs that are the same; the last is a summary's hash of the others."""


@dataclass
class Trial:
    """One run and its kills."""

    kind: str
    moments: list[float] = field(default_factory=list)
    """Seconds after which its lives were killed."""
    wrong: str = ""
    """What differs from the undisturbed run; empty where nothing does."""

    def __str__(self) -> str:
        times = " ".join(f"{moment:.1f}" for moment in self.moments) or "never"
        return f"{self.kind}, killed after {times} s: {self.wrong or 'the same'}"


def main() -> None:
    """Try, print, count."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        trials = list(run_trials(options, Path(scratch)))
    different = [trial for trial in trials if trial.wrong]
    same, kills = len(trials) - len(different), sum(len(trial.moments) for trial in trials)
    print(f"tried {len(trials)} ({kills} kills), same {same}, different {len(different)}")
    sys.exit(1 if different else 0)


def run_trials(options: argparse.Namespace, scratch: Path) -> Iterator[Trial]:
    """Kinds take turns; each is first run undisturbed, which tells how long a life can be."""
    chance = random.Random(options.seed)
    whole, seconds = {}, {}
    for kind in options.kinds:
        begin, folder = time.monotonic(), scratch / f"{kind}-undisturbed"
        live(kind, folder, scratch)
        whole[kind], seconds[kind] = outcome(folder), time.monotonic() - begin
        print(f"{kind}: undisturbed in {seconds[kind]:.1f} s", flush=True)
    for number in range(options.trials):
        kind = options.kinds[number % len(options.kinds)]
        folder = scratch / f"{kind}-{number}"
        trial = attempt(Trial(kind), folder, scratch, chance, seconds[kind])
        trial.wrong = trial.wrong or difference(whole[kind], outcome(folder))
        print(f"{number + 1}/{options.trials} {trial}", flush=True)
        yield trial


def attempt(
    trial: Trial, folder: Path, scratch: Path, chance: random.Random, seconds: float
) -> Trial:
    """Lives of one run, until one ends by itself."""
    for moment in [*(chance.uniform(0, seconds) for _ in range(MOST_KILLS)), None]:
        try:
            killed = live(trial.kind, folder, scratch, moment)
        except RuntimeError as error:
            trial.wrong = str(error)
            break
        if moment is None or not killed:
            break
        trial.moments.append(moment)
    return trial


def live(kind: str, folder: Path, scratch: Path, moment: float | None = None) -> bool:
    """One life of a run; was it killed?

    Raises:
        RuntimeError: it ended by itself and badly.
    """
    line = [sys.executable, "-m", "onlay", "train", str(run_file(kind, scratch)), f"out={folder}"]
    life = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, told = life.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        life.kill()
        life.communicate()
        return True
    if life.returncode:
        raise RuntimeError(f"it did not go on: {told.strip()[-500:]}")
    return False


def run_file(kind: str, scratch: Path) -> Path:
    """The run of a kind, written once."""
    path = scratch / f"{kind}.yaml"
    if not path.exists():
        run = images(scratch) if kind == "images" else clouds()
        path.write_text(json.dumps({**run, "train": TRAIN}), encoding="utf-8")  # JSON is YAML
    return path


def images(scratch: Path) -> dict[str, Any]:
    """Forty of scikit-learn's digits as pictures in folders, on the bundled backbone."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (grey, label) in enumerate(zip(digits.images[:40], digits.target, strict=False)):
        path = scratch / "digits" / str(label % 3) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((grey * 15).astype(np.uint8)).save(path)
    preprocess = {"augment": "random_resized_crop"}
    data = {"name": "image_folder", "path": str(scratch / "digits"), "preprocess": preprocess}
    return {"backbone": "onlay_vit_64", "method": "arc", "data": data}


def clouds() -> dict[str, Any]:
    """A few generated shapes on the bundled backbone."""
    sizes = {"train_size": 24, "val_size": 10, "test_size": 10}
    data = {"name": "shapes", **sizes, "preprocess": {"augment": "rotate"}}
    return {"backbone": "onlay_points", "method": "dapt", "data": data}


def outcome(folder: Path) -> dict[str, Any]:
    """What a run leaves, without what no two runs share."""
    bundle, metrics = folder / "bundle", folder / "metrics.jsonl"
    if not (folder / "summary.json").exists():
        return {}
    records = [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    return {
        "tensors": (bundle / "adapter_model.safetensors").read_bytes(),
        "manifest": json.loads((bundle / "adapter_config.json").read_text("utf-8")),
        "records": [_lasting(record) for record in records],
        "summary": _lasting(json.loads((folder / "summary.json").read_text("utf-8"))),
        "files": sorted(p.name for p in (*folder.iterdir(), *bundle.iterdir())),
    }


def difference(whole: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The names of what is not the same."""
    if not found:
        return "it has not ended"
    return ", ".join(
        _told(name, whole[name], found[name]) for name in whole if whole[name] != found[name]
    )


def _told(name: str, whole: Any, found: Any) -> str:
    """What differs, where it is small enough to be shown."""
    if name == "tensors":
        return "other tensors"
    if name == "files":
        return f"other files {found}"
    pairs = zip(whole, found, strict=False) if name == "records" else [(whole, found)]
    changed = {k: (old.get(k), new.get(k)) for old, new in pairs for k in old | new}
    differ = {key: values for key, values in changed.items() if values[0] != values[1]}
    return f"other {name} {differ}"


def _lasting(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without what passes, and without a method's figures (`dapt/reached/block_03`): of an epoch
    that was interrupted they tell of the part behind the last start."""
    return {k: value for k, value in record.items() if k not in PASSING and "/" not in k}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--kinds", nargs="+", choices=("images", "clouds"), default=None)
    options = parser.parse_args()
    options.kinds = options.kinds or ["images", "clouds"]
    return options


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the order of sums is that of one thread
    main()
