"""ScanObjectNN (Uy et al. 2019) in its three usual variants, 2,048 points in 128 groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onlay_pointcloud.data.scanobjectnn_files import VARIANTS, files_of
from onlay_pointcloud.protocols.recipes import notes, recipes, search, sizes

HOMES = ("ScanObjectNN", "ScanObjectNN/h5_files", "scanobjectnn", "h5_files", "")
"""Below the root; the first that has a variant's files is taken, else the first."""

AUGMENTED = {
    "scale_translate": "scaled and shifted in training, as in Point-MAE and DAPT",
    "rotate": "turned in training, as in ACT, ReCon and IDPT and, likely, Adapter-X",
}
SMALL = (
    "One of the 581 test clouds of OBJ_BG and OBJ_ONLY is 0.17 points, one of the 2,882 of"
    " PB_T50_RS 0.03; what DAPT, IDPT, PointGST and full fine-tuning publish there lies within"
    " 10 clouds."
)


def scaled(root: Path) -> dict[str, Any]:
    return grid(root, "scale_translate")


def rotated(root: Path) -> dict[str, Any]:
    return grid(root, "rotate")


def grid(root: Path, augment: str) -> dict[str, Any]:
    """All three, whether they are there or not."""
    data = {
        variant: {
            "data": {"name": "scanobjectnn", "path": _home(root, variant), "variant": variant}
        }
        for variant in VARIANTS
    }
    return {
        "grid": {"method": ["linear", "full"], "data": data, "train.seed": [0, 1, 2]},
        "base": {
            "backbone": sizes(2048, 128),
            "data": {"val_size": 0, "preprocess": {"augment": augment}},
            "train": {"selection": "last"},
        },
        "recipes": recipes("{data}", "pb_t50_rs"),  # as its authors' for the hardest variant
        "search": search(),
        "report": {"groups": {"variants": list(VARIANTS)}, "notes": notes(*_notes(), SMALL)},
    }


def missing(root: Path) -> dict[str, str]:
    """Whose training or test file is not there."""
    places = " or ".join(f"`{root / home}`" for home in (HOMES[0], HOMES[-1]))
    return {
        variant: f"no `{_shown(variant, 0)}` with `{_shown(variant, 1)}` in {places}"
        for variant in VARIANTS
        if not _there(_home(root, variant), variant)
    }


def _home(root: Path, variant: str) -> Path:
    homes = [root / home for home in HOMES]
    return next((home for home in homes if _there(home, variant)), homes[0])


def _there(home: Path, variant: str) -> bool:
    return all(path.is_file() for path in files_of(home, variant))


def _shown(variant: str, part: int) -> str:
    return files_of(Path(), variant)[part].as_posix()


def _notes() -> list[dict[str, Any]]:
    return [
        {
            "say": f"Clouds are {how}; figures that differ in it are not to be compared.",
            "when": {"data.preprocess.augment": augment},
        }
        for augment, how in AUGMENTED.items()
    ]
