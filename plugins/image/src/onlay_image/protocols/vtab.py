"""VTAB-1k (Zhai et al. 2019): 19 tasks of 1,000 images, in the folders that NOAH, SSF and most
later code read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onlay.reading.benchmark import Benchmark
from onlay_image.protocols.recipes import BACKBONE, recipes, search

GROUPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "natural": {
        "cifar": ("cifar", "cifar100"),
        "caltech": ("caltech101",),
        "dtd": ("dtd",),
        "flowers": ("oxford_flowers102", "flowers102"),
        "pets": ("oxford_iiit_pet",),
        "svhn": ("svhn",),
        "sun397": ("sun397",),
    },
    "specialized": {
        "camelyon": ("patch_camelyon",),
        "eurosat": ("eurosat",),
        "resisc45": ("resisc45",),
        "retinopathy": ("diabetic_retinopathy",),
    },
    "structured": {
        "clevr-count": ("clevr_count",),
        "clevr-dist": ("clevr_dist",),
        "dmlab": ("dmlab",),
        "kitti": ("kitti",),
        "dspr-loc": ("dsprites_loc",),
        "dspr-ori": ("dsprites_ori",),
        "snorb-azi": ("smallnorb_azi",),
        "snorb-ele": ("smallnorb_ele",),
    },
}
"""Group -> task, as papers call it -> its folder."""

LOSSLESS = ("cifar", "svhn", "camelyon", "clevr-count", "clevr-dist", "kitti")
LOSSLESS += ("dspr-loc", "dspr-ori", "snorb-azi", "snorb-ele")
"""Tasks whose sources are no JPEG files."""

FILES = ("train800val200.txt", "test.txt")
TASKS = Benchmark(
    homes=("vtab-1k", "vtab"),
    names={task: folders for group in GROUPS.values() for task, folders in group.items()},
    holds=lambda path: all((path / name).is_file() for name in FILES),
    expected=" and ".join(f"`{name}`" for name in FILES),
)

SWIN = {"name": "vtab1k-swin-{data}", "when": {"backbone.model": "*swin*"}}
"""ARC's, which has a table for each of the two backbones."""

MEANS = (
    "Papers print one of two means: over 19 tasks ARC, RLRR, HTA and V-PETL Bench, over the means"
    " of the 3 groups SSF, NOAH, FacT, Bi-Adapter, SPT and Adapter-X; of one run the second is 2 to"
    " 3 points higher."
)
NORMALISED = {
    "imagenet": "by ImageNet's mean and deviation, as in ARC, NOAH, FacT, RepAdapter and Adapter+",
    "half": "by 0.5 and 0.5, as in RLRR",
    "none": "by nothing, as in Bi-Adapter and, likely, Adapter-X",
}


def imagenet(root: Path) -> dict[str, Any]:
    return grid(root, "imagenet")


def half(root: Path) -> dict[str, Any]:
    return grid(root, "half")


def none(root: Path) -> dict[str, Any]:
    return grid(root, "none")


def grid(root: Path, normalize: str) -> dict[str, Any]:
    """All tasks, whether they are there or not."""
    data = {t: {"data": {"name": "vtab", "path": path}} for t, path in TASKS.paths(root).items()}
    split = {"train": "train800val200", "preprocess": {"normalize": normalize}}
    return {
        "grid": {"method": ["linear", "full"], "data": data, "train.seed": [0, 1, 2]},
        "base": {"backbone": BACKBONE, "data": split, "train": {"selection": "last"}},
        "recipes": recipes(SWIN, "vtab1k-{data}", "vtab1k"),
        "search": search(**{"data.train": "train800"}),
        "report": {
            "groups": {name: list(tasks) for name, tasks in GROUPS.items()},
            "notes": [*_notes(), *_lossy(TASKS.found(root))],
        },
    }


def missing(root: Path) -> dict[str, str]:
    return TASKS.missing(root)


def _notes() -> Iterator[Any]:
    yield MEANS
    for name, how in NORMALISED.items():
        yield {
            "say": f"Pixels are normalised {how}; figures that differ in it, by up to 1.5 points,"
            " are not to be compared.",
            "when": {"data.preprocess.normalize": name},
        }
    yield {
        "say": "Trained on 800 images of a task, for the other 200 are to choose by; published"
        " figures are of 1,000.",
        "when": {"data.train": "train800"},
    }


def _lossy(found: Mapping[str, Path]) -> Iterator[str]:
    """NOAH's export wrote JPEG files of everything; users find CIFAR-100 ten points lower."""
    lossy = [task for task in LOSSLESS if task in found and _is_jpeg(found[task])]
    if lossy:
        yield (
            f"The images of {', '.join(f'`{task}`' for task in lossy)} are JPEG files, and their"
            " sources are not: in that lossy export, NOAH's, CIFAR-100 is about 10 points lower"
            " than from tensors."
        )


def _is_jpeg(folder: Path) -> bool:
    """By the first line of the test list."""
    with (folder / "test.txt").open(encoding="utf-8", errors="replace") as lines:
        name = next(lines, "").strip().rpartition(" ")[0]
    return name.lower().endswith((".jpg", ".jpeg"))
