"""How the files of ScanObjectNN are called; imported without torch."""

from __future__ import annotations

from pathlib import Path

VARIANTS = {
    "obj_bg": ("main_split", ""),
    "obj_only": ("main_split_nobg", ""),
    "pb_t50_rs": ("main_split", "_augmentedrot_scale75"),
}
"""Folder, and what stands after `objectdataset` in the names of files."""


def files_of(path: Path, variant: str) -> tuple[Path, Path]:
    """The training and the test file, in the folder of the split; or in `path` itself, if that is
    it, or if their names tell the variant, as those of two variants do not."""
    folder, ending = VARIANTS[variant]
    names = [f"{part}_objectdataset{ending}.h5" for part in ("training", "test")]
    homes = (path / folder, path) if ending or path.name == folder else (path / folder,)
    home = next((home for home in homes if (home / names[0]).is_file()), homes[0])
    return home / names[0], home / names[1]
