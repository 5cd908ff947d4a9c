"""Command lines that nobody meant."""

from __future__ import annotations

import random
from pathlib import Path

from fuzzing import cases, made
from fuzzing.cases import Case

_ODD = (
    "", " ", "-", "--", "--lr=1e-3", "[/b]", "\x1b[31m", "🙂", "..", "/etc", "/dev/null", "~",
    "*", "x" * 300, "train.lr=", "=", "a=b", "train.epochs=no", "method=lora", "method=arcc",
    "--json",
    "data.path=/nowhere", "method.rank=0", "method={", "train=3", "out=/dev/null/x", "..=1", "a.=1",
    "hf-hub:", "hf-hub:a/b", "--top", "0", "-1", "1e400", "nan", "--device", "gpu7",
)  # fmt: skip


def make(rng: random.Random, folder: Path) -> Case:
    """A command with odd words; those that would train or write are kept from it."""
    words = rng.choice(_COMMANDS)(rng, folder)
    return Case(
        f"onlay {' '.join(words)[:150]!r}",
        lambda: cases.command(*words),
        lambda said: isinstance(said, str),
    )


def _odd(rng: random.Random, folder: Path, most: int = 3) -> list[str]:
    own = [str(folder), str(folder / "nothing"), str(made.image_bundle()), str(Path(__file__))]
    return [rng.choice([*_ODD, *own]) for _ in range(rng.randint(1, most))]


def _train(rng: random.Random, folder: Path) -> list[str]:
    right = ["backbone=onlay_vit_64", "method=linear", "data=digits", f"out={folder / 'run'}"]
    rng.shuffle(right)
    return ["train", "--dry-run", *right[: rng.randint(0, 4)], *_odd(rng, folder, 2)]


def _predict(rng: random.Random, folder: Path) -> list[str]:
    return ["predict", *([str(made.image_bundle())] * (rng.random() < 0.7)), *_odd(rng, folder)]


def _other(rng: random.Random, folder: Path) -> list[str]:
    names = ["explain", "schema", "plugins", "eval", "inspect", "merge", "import", "folds", "new"]
    out = ["--out", str(folder / "out")] * (rng.random() < 0.3)
    return [rng.choice([*names, *_ODD]), *_odd(rng, folder), *out]


_COMMANDS = (_train, _predict, _other, _other)
