"""A folder of class folders, or of `train`, `val` and `test` folders of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from onlay.config.data import SplitConfig
from onlay.errors import DataError
from onlay.listing import Item, Listing, stratified

_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True)
class ClassFolders:
    """Which files below a folder count, and what they are called in messages."""

    root: Path
    suffixes: Collection[str]
    """Of the files that count, in lower case, with their dot."""
    noun: str
    """What one file is: `image`."""
    example: str
    """A file below a class folder, for a message: `cat/1.jpg`."""

    def listing(self, config: SplitConfig) -> Listing:
        """Parts from `train`, `val` and `test` folders, else by a stratified split.

        Raises:
            DataError: no such folder, no class folder, an empty class folder, too few files to
                split.
        """
        if not self.root.is_dir():
            raise DataError(f"there is no folder `{self.root}`")
        parts = {part: self._first(names) for part, names in _NAMES.items()}
        if parts["train"] is None:
            rest, test = self._split(self._items(self.root), config.test_size, config)
        else:
            rest = self._items(parts["train"])
            test = self._items(parts["test"]) if parts["test"] else []
        if parts["train"] is not None and parts["val"] is not None:
            return Listing(rest, self._items(parts["val"]), test)
        return Listing(*self._split(rest, config.val_size, config), test)

    def _split(
        self, items: list[Item], size: float, config: SplitConfig
    ) -> tuple[list[Item], list[Item]]:
        return stratified(items, size, config.split_seed, noun=self.noun)

    def _first(self, names: tuple[str, ...]) -> Path | None:
        """The folder of a part: one that holds folders, for a class may be called `train`, too."""
        folders = (self.root / name for name in names)
        return next((folder for folder in folders if any(folder.glob("*/"))), None)

    def _items(self, folder: Path) -> list[Item]:
        classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        if not classes:
            raise DataError(f"`{folder}` has no class folders (`{folder.name}/{self.example}`)")
        return [item for path in classes for item in self._class_items(path)]

    def _class_items(self, folder: Path) -> list[Item]:
        paths = sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in self.suffixes and not path.name.startswith(".")
        )
        if not paths:
            raise DataError(f"the class folder `{folder}` has no {self.noun}s")
        return [Item(path, folder.name, path.relative_to(self.root).as_posix()) for path in paths]
