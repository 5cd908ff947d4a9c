"""1, 2, 4, 8 and 16 images a class of five data sets, by NOAH's lists (Zhang et al. 2022)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onlay.reading.benchmark import Benchmark
from onlay_image.data.few_shot_lists import lists_of
from onlay_image.protocols.recipes import BACKBONE, recipes, search

SHOTS = (1, 2, 4, 8, 16)
SETS = Benchmark(
    homes=("few-shot", "FGFS"),
    names={
        "food": ("food-101", "food101"),
        "aircraft": ("fgvc_aircraft", "aircraft"),
        "flowers": ("oxford_flowers", "oxford_flowers102", "flowers"),
        "pets": ("oxford_pets", "oxford_iiit_pet", "pets"),
        "cars": ("stanford_cars", "standford-cars", "cars"),  # the second, as it is spelt in FGFS
    },
    holds=lambda path: lists_of(path) is not None,
    expected="`test_meta.list` and `train_meta.list.num_shot_1.seed_0` and so on, in `annotations`",
)


def grid(root: Path) -> dict[str, Any]:
    """All five, whether they are there or not."""
    data = {n: {"data": {"name": "few_shot", "path": path}} for n, path in SETS.paths(root).items()}
    axes = {"method": ["linear", "full"], "data": data, "data.shot": SHOTS}
    return {
        "grid": {**axes, "data.list_seed": [0, 1, 2], "train.seed": [0]},
        "base": {"backbone": BACKBONE, "train": {"selection": "last"}},
        "recipes": recipes("few-shot", "vtab1k"),
        "search": {**search(), "at": {"data.shot": [1, 8]}},
        "report": {"groups": {f"{shot} a class": [f"shot={shot}"] for shot in SHOTS}},
    }


def missing(root: Path) -> dict[str, str]:
    return SETS.missing(root)
