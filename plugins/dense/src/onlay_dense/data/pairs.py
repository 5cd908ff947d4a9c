"""Images and what belongs to each of them (a mask, a depth, a map of objects), in two folders."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onlay.errors import DataError
from onlay.reading.finding import folders_in
from onlay.reading.layouts import PARTS_HINT, WHOLE, Layout
from onlay.reading.listing import Item, Tags, some
from onlay.reading.part_names import assigned
from onlay_dense.data.stems import Side, matched
from onlay_image.data.suffixes import SUFFIXES

IMAGES = ("images", "image", "imgs", "img", "rgb", "JPEGImages")
"""Usual names of the folder with the images."""

Place = tuple[str, Path, Path]
"""A part, the folder of its images, and that of what belongs to them."""


@dataclass(frozen=True)
class Paired:
    """The images as they lie, and the file that belongs to each."""

    layout: Layout
    files: Mapping[Path, Path]


@dataclass(frozen=True, kw_only=True)
class TwoFolders:
    """Where pairs lie: `images` and `masks` side by side, either of them with folders of parts
    (`images/train`), or both inside of folders of parts (`train/images`)."""

    root: Path
    noun: str
    """What belongs to an image: `mask`. The settings of its folder and of the end of its stems are
    called `masks` and `mask_ending`."""
    usual: Sequence[str]
    """Usual names of its folder."""
    own: str | None = None
    """Its folder below `root`, or inside of each part; default: a usual name."""
    images: str | None = None
    """Likewise the folder of the images."""
    endings: tuple[str, str] = ("", "")
    """What stems of images, and of what belongs to them, end in beside: `_mask`."""
    drop: bool = False
    """Leave out what has no partner."""
    suffixes: Collection[str] = SUFFIXES
    """Of what belongs to images."""
    notes: list[str] = field(default_factory=list)

    def paired(self, parts: Any) -> Paired:
        """Everything as it lies; `parts` is `data.parts`.

        Raises:
            DataError: no such folders; an image without its own, the other way round, or two of one
                stem.
        """
        files: dict[Path, Path] = {}
        found: dict[str, list[Item]] = {}
        for part, images, own in self._places(parts):
            pairs = matched(*self._sides(images, own), self.drop, self.notes)
            files |= pairs
            items = [item_of(self.root, *pair, self.noun) for pair in pairs.items()]
            found.setdefault(part, []).extend(items)
        return Paired(Layout(found, tuple(self.notes), self.noun), files)

    def _sides(self, images: Path, own: Path) -> tuple[Side, Side]:
        endings = {"ending": self.endings[1], "setting": f"{self.noun}_ending"}
        return (
            Side(folder=images, noun="image", suffixes=SUFFIXES, ending=self.endings[0]),
            Side(folder=own, noun=self.noun, suffixes=self.suffixes, **endings),
        )

    def _places(self, parts: Any) -> Iterator[Place]:
        if not self.root.is_dir():
            raise DataError(f"there is no folder `{self.root}`")
        home = self._home(self.root)
        if home is None:
            yield from self._inside_parts(parts)
            return
        named = _named(parts, home[0])
        if parts == "auto" and len(named) < len(folders_in(home[0])):
            named = {}  # other folders are beside them: none is a part
        if not named:
            yield WHOLE, *home
        for name, part in named.items():
            yield from self._if_there((part, home[0] / name, home[1] / name))

    def _inside_parts(self, parts: Any) -> Iterator[Place]:
        named = _named(parts, self.root)
        homes = {name: self._home(self.root / name) for name in named}
        if not any(homes.values()):
            raise DataError(self._absent())
        for name, home in homes.items():
            if home is not None:
                yield named[name], *home
            else:
                self.notes.append(f"left out: `{self.root / name}`, which has no {self.noun}s")

    def _if_there(self, place: Place) -> Iterator[Place]:
        absent = [folder for folder in place[1:] if not folder.is_dir()]
        if absent:
            self.notes.append(f"left out: the part `{place[0]}`, as there is no `{absent[0]}`")
        else:
            yield place

    def _home(self, folder: Path) -> tuple[Path, Path] | None:
        """Both folders, if they lie in this one."""
        images = _first(folder, [self.images] if self.images else IMAGES)
        own = _first(folder, [self.own] if self.own else self.usual)
        return (images, own) if images and own else None

    def _absent(self) -> str:
        have = some(folders_in(self.root)) or "no folders"
        images, own = self.images or IMAGES[0], self.own or self.usual[0]
        return (
            f"`{self.root}` has {have}, and neither the two folders `{images}` and `{own}` nor"
            f" parts such as `train` with both: name them, `data.images=FOLDER"
            f" data.{self.noun}s=FOLDER`; {PARTS_HINT}"
        )


def in_both(ones: Paired, others: Paired) -> tuple[Paired, dict[Path, Path]]:
    """Images that have a partner in both, and of each of `ones` the other one."""
    parts = {
        name: [item for item in items if item.source in others.files]
        for name, items in ones.layout.parts.items()
    }
    notes = tuple(dict.fromkeys((*ones.layout.notes, *others.layout.notes)))
    files = {image: own for image, own in ones.files.items() if image in others.files}
    partners = {own: others.files[image] for image, own in files.items()}
    return Paired(Layout(parts, notes, "several"), files), partners


def item_of(root: Path, image: Path, own: Path, noun: str) -> Item:
    """An image under its name below `root`; two that are one image belong together if what belongs
    to them is as large."""
    key = image.relative_to(root).as_posix() if image.is_relative_to(root) else str(image)
    return Item(image, f"a {noun} of {own.stat().st_size:,} bytes", key, Tags(frozenset()))


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _named(parts: Any, folder: Path) -> Mapping[str, str]:
    """Folders that are parts, and which."""
    if parts == "none":
        return {}
    if not isinstance(parts, Mapping):
        found = assigned(folders_in(folder))
        return {name: part for name, part in found.items() if part != "aside"}
    own = {p: [names] if isinstance(names, str) else names for p, names in parts.items()}
    have = folders_in(folder)
    if missing := [name for names in own.values() for name in names if name not in have]:
        raise DataError(
            f"`data.parts` names the folder `{missing[0]}`, and `{folder}` has"
            f" {some(have) or 'no folders'}"
        )
    return {name: part for part, names in own.items() for name in names}
