"""Damaged run folders: a resumed run is the one that was stopped, or it is refused."""

from __future__ import annotations

import json
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzzing import cases, made
from fuzzing.cases import Case

_FILES = ("last.pt", "last.pt", "last.pt", "config.yaml", "metrics.jsonl", "summary.json")


def make(rng: random.Random, folder: Path) -> Case:
    """A run that was stopped behind its last epoch, with one file damaged since."""
    run = folder / "run"
    shutil.copytree(_finished(), run)
    name = rng.choice(_FILES)
    if name != "summary.json":  # else the run counts as finished, and is told again
        (run / "summary.json").unlink()
        shutil.rmtree(run / "bundle")
    how = [cases.truncated, cases.flipped, cases.flipped, cases.zeroed, cases.noise, cases.doubled]
    did, content = rng.choice(how)(rng, (run / name).read_bytes())
    (run / name).write_bytes(content)
    return Case(f"{name}: {did}", lambda: ended(run), lambda got: got == ended_of(_finished()))


def ended(run: Path) -> dict[str, Any]:
    """Go on with a run; gives what it ends with."""
    said = cases.command(*_words(run))
    return {**ended_of(run), **({"said": said} if "Traceback" in said else {})}


def ended_of(run: Path) -> dict[str, Any]:
    """The trained tensors, byte for byte, and the metrics at the end."""
    tensors = (run / "bundle" / "adapter_model.safetensors").read_bytes()
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return {"tensors": tensors, "test": summary["metrics"]}


def _words(run: Path) -> list[str]:
    data = ["data=image_folder", f"data.path={_pictures()}"]
    short = ["train.epochs=1", "train.batch_size=8", "train.trackers=[]"]
    return ["train", "backbone=onlay_vit_64", "method=linear", *data, *short, f"out={run}"]


@cache
def _finished() -> Path:
    """A run of one epoch."""
    run = made.room() / "run"
    cases.command(*_words(run))
    return run


@cache
def _pictures() -> Path:
    """Twenty pictures of two classes."""
    folder = made.room() / "pictures"
    g = np.random.default_rng(0)
    for label, shift in (("dark", 0), ("light", 128)):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            picture = Image.fromarray(g.integers(0, 128, (16, 16, 3), dtype=np.uint8) + shift)
            picture.save(folder / label / f"{number}.png")
    return folder
