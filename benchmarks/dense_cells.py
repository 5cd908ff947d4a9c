"""What `dense.py` trains: every method on every decoder, each with the same number of trials."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onlay_image.bundled import SHA256

SEEDS = (0, 1, 2)
SEARCH_SEED = 100
EPOCHS = 5
"""Of 36 steps, of four pictures; of a trial too: after trials of half the length full fine-tuning
was given a rate at which one seed of three learnt nothing."""
HEAD_RATES = {"linear": 1e-2, "dpt": 2e-3}
"""Of decoder and classifier, of every method but `linear`, which has no other."""
DECODERS: Mapping[str, Any] = {
    "linear": "linear",
    "dpt": {"name": "dpt", "width": 24, "channels": [24, 48, 48, 48]},
}
"""Both of few parameters, so that an adapter's count for something."""

FROZEN = {"linear": (3e-2, 1e-1, 3e-1), "dpt": (1e-3, 3e-3, 1e-2)}
ADAPTER = (1e-3, 3e-3, 1e-2)
GENERATING = (5e-4, 1e-3, 2e-3)  # iConFormer at scale 1 diverges at 3e-3
ICONFORMER = {"name": "iconformer", "scale": 1.0}
METHODS: Mapping[str, tuple[Any, Sequence[float]]] = {
    "linear": ("linear", ()),
    "full": ("full", (1e-4, 3e-4, 1e-3)),
    "iconformer": (ICONFORMER, GENERATING),
    "iconformer-static": (ICONFORMER | {"generator": "static"}, ADAPTER),
    "arc": ("arc", ADAPTER),
    "dapt": ("dapt", ADAPTER),
    "smoa": ({"name": "smoa", "scale": 4.0}, ADAPTER),
    "lora": ({"name": "peft", "options": {"r": 8, "lora_alpha": 16}}, ADAPTER),
}
"""The method's settings, and the rates that are tried; those of `linear`, which trains the decoder
alone, are its decoder's. Scales are those that once were chosen for the photographs of signing
hands (see `docs/explanation/measured.md`)."""

TRAIN = {"batch_size": 4, "eval_batch_size": 30, "trackers": [], "pictures": 0}


def nuclei(*, search: bool) -> dict[str, Any]:
    """At half of their scale, squares of 128 pixels of 256: anywhere in training, else the
    centre. 144 pictures to train on, 36 to validate on, 60 for the test."""
    parts = {"train": "train"} | ({} if search else {"test": "val"})
    return {
        "data": {
            "name": "mask_folder",
            "path": str(source()),
            "masks": "instances",
            "values": {0: "background", "rest": "nucleus"},
            "parts": parts,
            "val_size": 36,
            "preprocess": {"resize": "crop", "crop_pct": 0.5, "augment": "crop_flip"},
        },
        "task": {"name": "segmentation", "loss": "ce_dice"},
    }


def rooms(*, search: bool) -> dict[str, Any]:
    """As many rendered rooms; a search has one for the test, at which nobody looks."""
    sizes = {"train_size": 144, "val_size": 36, "test_size": 1 if search else 100}
    return {
        "data": {"name": "rooms", **sizes, "preprocess": {"augment": "flip"}},
        "task": {"name": "depth"},
    }


DATA = {"nuclei": nuclei, "rooms": rooms}
GROUPS = (("nuclei", "linear"), ("nuclei", "dpt"), ("rooms", "dpt"))


def source() -> Path:
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("ONLAY_DATA", beside)) / "nuclei"
    if not path.is_dir():
        raise SystemExit(f"no folder {path}: set ONLAY_DATA to a folder that holds `nuclei`")
    return path.resolve()


@dataclass(frozen=True)
class Cell:
    """One training."""

    data: str
    decoder: str
    method: str
    rate: float
    seed: int

    @property
    def search(self) -> bool:
        """A trial, judged by the validation part alone."""
        return self.seed == SEARCH_SEED

    @property
    def name(self) -> str:
        kind = "search" if self.search else f"seed{self.seed}"
        told = f"{self.data}-{self.decoder}-{self.method}-{self.rate:g}-{kind}"
        content = json.dumps([self.run(), SHA256])
        return f"{told}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    def run(self) -> dict[str, Any]:
        """The content of its run file, but for where it is kept."""
        base = DATA[self.data](search=self.search)
        (method, _), head = METHODS[self.method], HEAD_RATES[self.decoder]
        rates = {"lr": self.rate} | ({} if self.method == "linear" else {"head_lr": head})
        return {
            "backbone": "onlay_vit_64",
            "method": method,
            "data": base["data"],
            "task": base["task"] | {"decoder": DECODERS[self.decoder]},
            "train": {**TRAIN, **rates, "epochs": EPOCHS, "seed": self.seed},
        }


def trials(data: str, decoder: str, methods: Sequence[str]) -> Iterator[Cell]:
    """Each method at each of its rates."""
    for method in methods:
        for rate in METHODS[method][1] or FROZEN[decoder]:
            yield Cell(data, decoder, method, rate, SEARCH_SEED)
