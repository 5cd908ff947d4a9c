"""A folder of class folders, or of folders of parts (`train`, `Validation`, ...) with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onlay.config.data import FilesConfig
from onlay.errors import DataError
from onlay.reading.finding import find, folders_in
from onlay.reading.layouts import PARTS_HINT, WHOLE, Layout, divided
from onlay.reading.listing import Item, Listing, some
from onlay.reading.part_names import assigned

_CLASSES_HINT = "if they are classes, say `data.parts=none`"


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

    def listing(self, config: FilesConfig) -> Listing:
        """The folders' own parts, else a stratified split.

        Raises:
            DataError: what `layout` and `divided` raise.
        """
        return divided(self.layout(config), config, self.noun)

    def layout(self, config: FilesConfig, known: Collection[str] = ()) -> Layout:
        """The parts as they lie. `known` are classes, if any are: a lone folder of such a name is
        no wrapper.

        Raises:
            DataError: no such folder, no class folder, an empty one, folders of parts beside others
                or under names that are not clear.
        """
        if not self.root.is_dir():
            raise DataError(_no_folder(self.root))
        found = find(self.root, self.suffixes)
        reading = _Reading(self, known, [*found.notes])
        below = len(self.root.parts)
        files = [file.parts[below:] for file in found.files]
        return Layout(reading.parts(files, config.parts), tuple(reading.notes))


Steps = tuple[str, ...]
"""Names from the root to a file, or to a folder."""


@dataclass(frozen=True)
class _Reading:
    """One reading of a folder. `base` is the folder that holds classes, or parts; all files that
    are given with it lie below it."""

    folders: ClassFolders
    known: Collection[str]
    notes: list[str]

    def parts(self, files: list[Steps], names: Any) -> dict[str, list[Item]]:
        """The items of every part, or of everything; `names` is `data.parts`."""
        if isinstance(names, Mapping):
            ours = [n for own in names.values() for n in ([own] if isinstance(own, str) else own)]
            outer = _Reading(self.folders, {*self.known, *ours}, self.notes)
            base = outer._unwrapped((), files, parts=False)
            return self._of_parts(base, files, self._given(base, names))
        base = self._unwrapped((), files, parts=names == "auto")
        groups = self._recognised(base, files) if names == "auto" else {}
        if groups:
            return self._of_parts(base, files, groups)
        items = self._items(base, files)
        return self._below_classes(base, items) if names == "auto" else {WHOLE: items}

    def _path(self, steps: Steps) -> Path:
        return self.folders.root.joinpath(*steps)

    def _unwrapped(self, base: Steps, files: Sequence[Steps], *, parts: bool) -> Steps:
        """Looks through a lone folder that holds the class folders, or the parts, of all."""
        while len(tops := {file[len(base)] for file in files}) == 1:
            (top,) = tops
            deep = all(len(file) > len(base) + 2 for file in files)
            if not deep or top in self.known or (parts and assigned([top])):
                break
            inner = (*base, top)
            self.notes.append(
                f"read `{self._path(inner)}`, the only folder with {self.folders.noun}s in"
                f" `{self._path(base)}`"
            )
            base = inner
        return base

    def _given(self, base: Steps, named: Mapping[str, Any]) -> dict[str, list[str]]:
        """The folders that the configuration calls parts."""
        groups = {p: [n] if isinstance(n, str) else list(n) for p, n in named.items()}
        have, ours = folders_in(self._path(base)), [n for names in groups.values() for n in names]
        if missing := [name for name in ours if name not in have]:
            raise DataError(
                f"`data.parts` names the folder `{missing[0]}`, and `{self._path(base)}` has"
                f" {some(have) or 'no folders'}"
            )
        self._say_left(base, [name for name in have if name not in ours])
        return groups

    def _recognised(self, base: Steps, files: Sequence[Steps]) -> dict[str, list[str]]:
        """The folders of each part by their usual names; none where all folders are classes."""
        depth = len(base)
        names = assigned(folders_in(self._path(base)))
        tops = sorted({file[depth] for file in files if len(file) > depth + 1})
        deep = {file[depth] for file in files if len(file) > depth + 2}
        own = [top for top in tops if names.get(top, "aside") != "aside"]
        if not deep.intersection(own):
            if own and own == tops:
                self._refuse_flat(base, own)
            return {}
        if others := [top for top in tops if top not in names]:
            raise DataError(
                f"`{self._path(base)}` has {some(others)} beside {some(own)}: {PARTS_HINT};"
                f" {_CLASSES_HINT}"
            )
        self._say_left(base, [top for top in tops if names[top] == "aside"])
        return self._grouped(base, {top: names[top] for top in own})

    def _refuse_flat(self, base: Steps, names: Sequence[str]) -> None:
        noun, example = self.folders.noun, self.folders.example
        raise DataError(
            f"{some(names)} in `{self._path(base)}` are called like parts, and hold {noun}s but no"
            f" class folders (`{names[0]}/{example}`); {_CLASSES_HINT}"
        )

    def _grouped(self, base: Steps, names: Mapping[str, str]) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for name, part in names.items():
            groups.setdefault(part, []).append(name)
        for part, own in groups.items():
            if len(own) > 1:
                raise DataError(
                    f"{some(own)} in `{self._path(base)}` may both be the part `{part}`:"
                    f" {PARTS_HINT}"
                )
            if own[0].casefold() != part:
                self.notes.append(f"`{self._path((*base, own[0]))}` is the part `{part}`")
        return groups

    def _of_parts(
        self, base: Steps, files: Sequence[Steps], groups: Mapping[str, Sequence[str]]
    ) -> dict[str, list[Item]]:
        """Training comes first: its classes tell what is a class in the others."""
        parts: dict[str, list[Item]] = {}
        for part in (part for part in ("train", "val", "test") if part in groups):
            for name in groups[part]:
                items = self._of_part((*base, name), files, parts.get("train"))
                parts.setdefault(part, []).extend(items)
        return {part: items for part, items in parts.items() if items}

    def _of_part(
        self, folder: Steps, files: Sequence[Steps], trained: Sequence[Item] | None
    ) -> list[Item]:
        own = [file for file in files if file[: len(folder)] == folder]
        if trained is not None and all(len(file) == len(folder) + 1 for file in own):
            self._say_loose(len(own), folder)  # a test without labels, say
            return []
        known = {*self.known, *(item.label for item in trained or ())}
        inner = _Reading(self.folders, known, self.notes)._unwrapped(folder, own, parts=False)
        return self._items(inner, own)

    def _below_classes(self, base: Steps, items: list[Item]) -> dict[str, list[Item]]:
        """Everything; or parts that are folders in every class folder: `chair/train/1.off`."""
        inner = [_inner(item, len(base)) for item in items]
        names = assigned(sorted({name for name in inner if name}))
        used = {names.get(name or "") for name in inner}
        if "train" not in used or not used & {"val", "test"}:
            return {WHOLE: items}
        if None in used:
            raise DataError(
                f"some {self.folders.noun}s of `{self._path(base)}` lie in folders of parts in"
                f" their class folder ({some(sorted(names))}) and others do not: {_CLASSES_HINT}"
            )
        self.notes.append(f"the parts are folders in the class folders of `{self._path(base)}`")
        parts: dict[str, list[Item]] = {part: [] for part in ("train", "val", "test")}
        for item, name in zip(items, inner, strict=True):
            parts.get(names[name or ""], []).append(item)
        return {part: own for part, own in parts.items() if own}

    def _items(self, folder: Steps, files: Sequence[Steps]) -> list[Item]:
        """One item for each file in a class folder of `folder`."""
        depth, path = len(folder), self._path(folder)
        counts = Counter(file[depth] for file in files if len(file) > depth + 1)
        classes = folders_in(path)
        if not classes:
            example = f"{path.name}/{self.folders.example}"
            raise DataError(f"`{path}` has no class folders (`{example}`)")
        if empty := [name for name in classes if not counts[name]]:
            raise DataError(f"the class folder `{path / empty[0]}` has no {self.folders.noun}s")
        self._say_loose(len(files) - sum(counts.values()), folder)
        labelled = (file for file in files if len(file) > depth + 1)
        return [Item(self._path(file), file[depth], "/".join(file)) for file in labelled]

    def _say_left(self, base: Steps, names: Sequence[str]) -> None:
        if names:
            self.notes.append(f"left out: {some(names)} in `{self._path(base)}`, which is no part")

    def _say_loose(self, count: int, folder: Steps) -> None:
        if count:
            noun = self.folders.noun + ("s" if count > 1 else "")
            where = f"`{self._path(folder)}`"
            self.notes.append(f"left out: {count:,} {noun} in {where}, in no class folder")


def _no_folder(root: Path) -> str:
    if root.is_file():
        return f"`{root}` is a file, and no folder of classes: name a data set for it (`data.name`)"
    return f"there is no folder `{root}`"


def _inner(item: Item, depth: int) -> str | None:
    """The folder in its class folder that a file lies in, if any."""
    steps = item.key.split("/")
    return steps[depth + 1] if len(steps) > depth + 2 else None
