"""Five fine-grained data sets with the splits that VPT published (Jia et al. 2022)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onlay.reading.benchmark import Benchmark
from onlay_image.protocols.recipes import BACKBONE, recipes, search

FILES = ("train.json", "val.json", "test.json")
SETS = Benchmark(
    homes=("fgvc",),
    names={
        "cub": ("CUB_200_2011", "CUB200_2011", "cub200", "cub"),
        "nabirds": ("nabirds",),
        "flowers": ("OxfordFlowers", "OxfordFlower", "oxford_flowers102", "flowers102", "flowers"),
        "dogs": ("StanfordDogs", "dogs"),
        "cars": ("StanfordCars", "cars"),
    },
    holds=lambda path: all((path / name).is_file() for name in FILES),
    expected="VPT's `train.json`, `val.json` and `test.json`",
)
NOTE = (
    "Trained on VPT's training lists; nine tenths of the official training part are in them (of"
    " flowers all), and the rest is to choose by."
)


def grid(root: Path) -> dict[str, Any]:
    """All five, whether they are there or not."""
    data = {n: {"data": {"name": "fgvc", "path": path}} for n, path in SETS.paths(root).items()}
    return {
        "grid": {"method": ["linear", "full"], "data": data, "train.seed": [0, 1, 2]},
        "base": {"backbone": BACKBONE, "train": {"selection": "last"}},
        "recipes": recipes("fgvc-{data}", "fgvc"),
        "search": search(),
        "report": {"groups": {"fgvc": list(SETS.names)}, "notes": [NOTE]},
    }


def missing(root: Path) -> dict[str, str]:
    return SETS.missing(root)
