"""A JSON file of COCO's form: its images, its categories, and what is noted of each image."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onlay.errors import DataError
from onlay.reading.listing import some

Note = Mapping[str, Any]

_FAR = 1e9
"""Pixels that no image has."""


@dataclass(frozen=True)
class CocoImage:
    """One image."""

    path: Path
    name: str
    """As the file has it."""
    size: tuple[int, int] | None
    """Height and width, where the file tells them."""
    notes: Sequence[Note]
    """Its objects: `category`, a name, `bbox`, and perhaps `segmentation`, of which no polygon is
    empty, and `iscrowd`."""


@dataclass(frozen=True)
class CocoFile:
    """What is read of one file."""

    path: Path
    categories: tuple[str, ...]
    """Their names, in the order of their numbers."""
    images: Sequence[CocoImage]
    notes: tuple[str, ...]
    """Sentences for people."""


def read_coco(path: Path, folders: Sequence[Path]) -> CocoFile:
    """The file, with its images where they lie in one of the folders.

    Raises:
        DataError: it cannot be read or is of another form; it names images that are not there,
            categories or images that it does not list, or boxes that are none.
    """
    content = _content(path)
    categories = _categories(path, content["categories"])
    own, emptied = _by_image(path, content, categories)
    paths = _images(path, content["images"], folders)
    images = [_image(each, paths[each["id"]], own[each["id"]]) for each in content["images"]]
    ordered = tuple(categories[number] for number in sorted(categories))
    said = (_emptied(emptied, path),) if emptied else ()
    return CocoFile(path, ordered, images, said)


def _emptied(count: int, path: Path) -> str:
    boxes = "one box" if count == 1 else f"{count:,} boxes"
    return f"left out: {boxes} without an area in `{path}`"


def _content(path: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise DataError(f"there is no file `{path}`") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"`{path}` cannot be read as JSON: {_short(error)}") from error
    for name in ("images", "categories", "annotations"):
        found = content.get(name) if isinstance(content, dict) else None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise DataError(
                f"`{path}` is no file of COCO's form: it has no list `{name}` (it has"
                f" {some(list(content)) if isinstance(content, dict) else 'no names'})"
            )
    return content


def _short(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _categories(path: Path, found: Sequence[Note]) -> dict[int, str]:
    for each in found:
        number, name = each.get("id"), each.get("name")
        if not isinstance(number, int) or not isinstance(name, str) or not name:
            raise DataError(f"`{path}` has a category without a whole `id` or a `name`: {number!r}")
    named: dict[int, str] = {each["id"]: each["name"] for each in found}
    twice = [name for name, times in Counter(named.values()).items() if times > 1]
    if twice or len(named) < len(found):
        raise DataError(f"`{path}` has two categories of one `id` or of one name ({some(twice)})")
    return named


def _by_image(
    path: Path, content: Mapping[str, list[Any]], categories: Mapping[int, str]
) -> tuple[dict[Any, list[Note]], int]:
    """The objects of each image, and how many were left out as their boxes have no area."""
    numbers = [each.get("id") for each in content["images"]]
    if len(set(map(repr, numbers))) < len(numbers) or not all(
        isinstance(number, int | str) for number in numbers
    ):
        raise DataError(f"`{path}` has two images of one `id`, or one without")
    own: dict[Any, list[Note]] = {number: [] for number in numbers}
    emptied = 0
    for note in content["annotations"]:
        if not _named(note.get("image_id"), own):
            raise DataError(
                f"`{path}` notes an object on the image {note.get('image_id')!r}, which is none of"
                f" its {len(own):,} images"
            )
        if not _named(note.get("category_id"), categories):
            known = some([str(number) for number in sorted(categories)])
            raise DataError(
                f"`{path}` notes an object of category {note.get('category_id')!r}, which is none"
                f" of its categories ({known})"
            )
        _refuse_other_crowds(path, note)
        box = _box(path, note)
        if box[2] > 0 and box[3] > 0:
            named = {"category": categories[note["category_id"]], "bbox": box}
            own[note["image_id"]].append({**note, **named, **_outline(note)})
        else:
            emptied += 1
    return own, emptied


def _named(given: Any, known: Mapping[Any, Any]) -> bool:
    """Whether it is one of the `id`s; a list or a mapping is none."""
    return isinstance(given, int | float | str) and given in known


def _refuse_other_crowds(path: Path, note: Note) -> None:
    if note.get("iscrowd") not in (None, 0, 1):
        raise DataError(
            f"`{path}` notes an object (`id` {note.get('id')!r}) whose `iscrowd` is"
            f" {note['iscrowd']!r}, and neither 0 nor 1"
        )


def _outline(note: Note) -> Note:
    """Polygons that some programs write without a point, where there are only boxes, are none."""
    found = note.get("segmentation")
    if not isinstance(found, list):
        return {}
    return {"segmentation": [polygon for polygon in found if polygon != []]}


def _box(path: Path, note: Note) -> list[float]:
    box = note.get("bbox")
    sides = box if isinstance(box, list) and len(box) == 4 else []
    if not sides or not all(isinstance(s, int | float) and abs(s) < _FAR for s in sides):
        raise DataError(
            f"`{path}` notes an object (`id` {note.get('id')!r}) whose `bbox` is {box!r}, and not"
            " left, top, width and height"
        )
    return sides


def _images(path: Path, found: Sequence[Note], folders: Sequence[Path]) -> dict[Any, Path]:
    """Where each image lies: all in the first folder that has one of them."""
    names: list[Any] = [each.get("file_name") for each in found]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise DataError(f"`{path}` lists no images, or one without a `file_name`")
    home = next((f for f in folders if any((f / n).is_file() for n in _few(names))), folders[0])
    if missing := [name for name in names if not (home / name).is_file()]:
        looked = home if len(folders) == 1 or len(missing) < len(names) else None
        where = f"`{looked}`" if looked else some([str(folder) for folder in folders])
        raise DataError(
            f"`{path}` names {len(missing):,} of {len(names):,} images that are not there"
            f" ({some(missing[:2])}; looked for in {where}): say which folder they are in,"
            " `data.images=FOLDER`"
        )
    paths = {each["id"]: home / each["file_name"] for each in found}
    if twice := [path for path, times in Counter(paths.values()).items() if times > 1]:
        raise DataError(
            f"`{path}` lists {some([str(own) for own in twice])} more than once: an image has one"
            " entry, which all of its objects name"
        )
    return paths


def _few(names: Sequence[str]) -> Iterator[str]:
    yield from names[:: max(1, len(names) // 20)]


def _image(found: Note, path: Path, notes: Sequence[Note]) -> CocoImage:
    height, width = found.get("height"), found.get("width")
    told = isinstance(height, int) and isinstance(width, int)
    return CocoImage(path, found["file_name"], (height, width) if told else None, notes)
