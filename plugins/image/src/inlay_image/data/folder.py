"""A folder of class folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inlay.data import Splits
from inlay.errors import DataError
from inlay_image.data.config import ImageFolderConfig
from inlay_image.data.listing import Item, Listing, make_splits, stratified
from inlay_image.data.suffixes import SUFFIXES

_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


def build(config: ImageFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from `train`, `val` and `test` folders, else by a stratified split.

    Raises:
        DataError: no such folder, no class folder, an empty class folder; and see `make_splits`.
    """
    if not config.path.is_dir():
        raise DataError(f"there is no folder `{config.path}`")
    return make_splits(_listing(config), config.preprocess, input_spec)


def _listing(config: ImageFolderConfig) -> Listing:
    parts = {part: _first(config.path, names) for part, names in _NAMES.items()}
    if parts["train"] is None:
        rest, test = stratified(
            _items(config.path, config.path), config.test_size, config.split_seed
        )
    else:
        rest = _items(parts["train"], config.path)
        test = _items(parts["test"], config.path) if parts["test"] else []
    if parts["train"] is not None and parts["val"] is not None:
        return Listing(rest, _items(parts["val"], config.path), test)
    train, val = stratified(rest, config.val_size, config.split_seed)
    return Listing(train, val, test)


def _first(root: Path, names: tuple[str, ...]) -> Path | None:
    """The folder of a part: one that holds folders, for a class may be called `train`, too."""
    return next((root / name for name in names if any((root / name).glob("*/"))), None)


def _items(folder: Path, root: Path) -> list[Item]:
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise DataError(f"`{folder}` has no class folders (`{folder.name}/cat/1.jpg`)")
    return [item for path in classes for item in _class_items(path, root)]


def _class_items(folder: Path, root: Path) -> list[Item]:
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not paths:
        raise DataError(f"the class folder `{folder}` has no images")
    return [Item(path, folder.name, path.relative_to(root).as_posix()) for path in paths]
