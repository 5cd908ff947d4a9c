"""Five fine-grained data sets with the splits that VPT published (Jia et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onlay.reading.benchmark import Benchmark
from onlay_image.data.fgvc_lists import lists_in
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
    holds=lambda path: _published(path) or lists_in(path) is not None,
    expected="VPT's `train.json`, `val.json` and `test.json`, nor the authors' own lists",
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
        "report": {"groups": {"fgvc": list(SETS.names)}, "notes": [*_divided(root)]},
    }


def _divided(root: Path) -> Iterator[str]:
    """How the training parts came about: by VPT's lists, and which by others."""
    found = SETS.found(root)
    own = [label for label, path in found.items() if not _published(path)]
    if len(own) < len(found):
        yield NOTE
    if own:
        yield (
            f"{', '.join(f'`{label}`' for label in own)}: by the authors' lists, a tenth of the"
            " training part split off by chance where they have none to choose by; not VPT's split."
        )


def _published(path: Path) -> bool:
    return all((path / name).is_file() for name in FILES)


def missing(root: Path) -> dict[str, str]:
    return SETS.missing(root)
