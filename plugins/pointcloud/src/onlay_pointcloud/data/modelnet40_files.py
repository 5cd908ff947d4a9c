"""What tells the files of ModelNet40; imported without torch."""

from __future__ import annotations

from pathlib import Path

PATTERNS = {
    "dat": "modelnet40_train_*pts_fps.dat",
    "txt": "modelnet40_train.txt",
    "h5": "ply_data_train*.h5",
    "off": "*/train/*.off",
}
"""What tells a layout, in the order of preference."""


def episodes(path: Path, way: int, shot: int, fold: int) -> list[Path]:
    """Where a few-shot episode may lie: in `5way_10shot`, as most have it, or in `5way10shot`."""
    spellings = [f"{way}way{sign}{shot}shot" for sign in ("_", "")]
    return [path / folder / f"{fold}.pkl" for folder in spellings]
