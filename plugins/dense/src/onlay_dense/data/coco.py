"""Objects in COCO's JSON files, or the class of each pixel by their masks.

Shapes: n objects, H and W pixels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.errors import DataError
from onlay.reading.layouts import PARTS_HINT, WHOLE, Layout
from onlay.reading.listing import Item, Tags, some
from onlay.reading.part_names import assigned
from onlay.tasks.class_maps import VOID
from onlay_dense.data.coco_file import CocoFile, CocoImage, read_coco
from onlay_dense.data.coco_masks import CocoMasks
from onlay_dense.data.coco_objects import CocoObjects, refuse_without_library
from onlay_dense.data.objects import ObjectsOf
from onlay_dense.data.objects_config import CocoConfig
from onlay_dense.data.pairs import Paired
from onlay_dense.data.splits import Measure, make_splits, make_whole

FILES = "*.json"


def build(config: CocoConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from files, else by `data.split_seed`; a target holds boxes, labels, `crowd`, and
    masks where the files have any, or is the class of each pixel.

    Raises:
        DataError: no such files, and what `read_coco` and `make_splits` raise.
    """
    files = coco_files(config)
    labels = _labels(config, files)
    paired = _paired(files, config)
    return make_splits(paired, config, input_spec, labels, _reader(files, labels, config))


def whole(config: CocoConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All images, for a model of these classes.

    Raises:
        DataError: as `build`; objects of a class that the model does not know.
    """
    files = coco_files(config)
    reader = _reader(files, labels, config)
    return make_whole(_paired(files, config), config, input_spec, labels, reader)


def layout(config: CocoConfig) -> Layout:
    """Everything in the files, as it lies."""
    return _paired(coco_files(config), config).layout


def measure(config: CocoConfig) -> Measure:
    """For `onlay data check`: the objects of every image are read, too."""
    files = coco_files(config)
    labels = _labels(config, files)
    found = labels if config.targets == "mask" else ()
    return Measure(config, _paired(files, config), _reader(files, labels, config), found)


def _labels(config: CocoConfig, files: Sequence[tuple[str, CocoFile]]) -> Sequence[str]:
    """The classes; of pixels the background, too, unless the settings list all."""
    categories = files[0][1].categories
    behind = config.background if config.targets == "mask" else None
    return config.labels or ((behind, *categories) if behind else categories)


def coco_files(config: CocoConfig) -> list[tuple[str, CocoFile]]:
    """Each file with the part that it is, the training part first.

    Raises:
        DataError: no such files, or what `read_coco` raises.
    """
    found = [(part, read_coco(file, _folders(config, file))) for part, file in _parts(config)]
    return sorted(found, key=lambda pair: pair[0] != "train")


def _parts(config: CocoConfig) -> Iterator[tuple[str, Path]]:
    if config.path.suffix.lower() == ".json":
        yield WHOLE, config.path
        return
    if not config.path.is_dir():
        raise DataError(f"there is no file and no folder `{config.path}`")
    files = _candidates(config.path)
    own = _of_parts(files, config.parts)
    if not own and len(files) == 1:
        own = {next(iter(files.values())): WHOLE}
    if not own:
        raise DataError(
            f"`{config.path}` has {some(list(files)) or 'no JSON files'}, and none that is called"
            f" like a part (`instances_train.json`, `train/labels.json`): name one file in"
            f" `data.path`, or {PARTS_HINT}"
        )
    for file, part in own.items():
        yield part, file


def _candidates(folder: Path) -> dict[str, Path]:
    """Files under the names that tell their parts: their own, or that of their folder."""
    beside = [*sorted(folder.glob(FILES)), *sorted(folder.glob(f"annotations/{FILES}"))]
    objects = [file for file in beside if file.stem.startswith("instances")]
    found = {file.stem: file for file in objects or beside}
    if not found:
        found = {file.parent.name: file for file in sorted(folder.glob(f"*/{FILES}"))}
    return found


def _of_parts(files: Mapping[str, Path], parts: Any) -> dict[Path, str]:
    if parts == "none":
        return {}
    if isinstance(parts, Mapping):
        listed = {p: [own] if isinstance(own, str) else own for p, own in parts.items()}
        names = {n.removesuffix(".json"): part for part, own in listed.items() for n in own}
        if missing := [name for name in names if name not in files]:
            raise DataError(
                f"`data.parts` names the file `{missing[0]}`, and there are"
                f" {some(list(files)) or 'none'}"
            )
        return {files[name]: part for name, part in names.items()}
    return {files[n]: part for n, part in assigned(list(files)).items() if part != "aside"}


def _folders(config: CocoConfig, file: Path) -> list[Path]:
    """Where images of a file may lie."""
    if config.images is not None:
        return [config.images]
    own = file.stem.rpartition("_")[2]
    homes = [file.parent, file.parent.parent]
    below = ["", "images", own, f"images/{own}"]
    return [home / name if name else home for home in homes for name in below]


def _paired(files: Sequence[tuple[str, CocoFile]], config: CocoConfig) -> Paired:
    found: dict[str, list[Item]] = {}
    for part, file in files:
        found.setdefault(part, []).extend(_item(image) for image in file.images)
    notes = tuple(note for _, file in files for note in file.notes)
    paths = {item.source: item.source for items in found.values() for item in items}
    return Paired(Layout(found, notes, config.targets or "objects"), paths)


def _item(image: CocoImage) -> Item:
    told = hashlib.blake2b(json.dumps(image.notes, sort_keys=True).encode(), digest_size=8)
    names = frozenset(note["category"] for note in image.notes)
    return Item(image.path, f"objects {told.hexdigest()}", image.name, Tags(names))


def _reader(
    files: Sequence[tuple[str, CocoFile]], labels: Sequence[str], config: CocoConfig
) -> partial[ObjectsOf]:
    images = _by_path(files)
    _refuse_unknown(files, labels)
    masked = any("segmentation" in note for own in images.values() for note in own.notes)
    if masked:
        refuse_without_library()
    if config.targets == "mask":
        objects = CocoObjects(images, tuple(labels), masked=True)
        return partial(ObjectsOf, read=CocoMasks(objects, _behind(config, labels)))
    return partial(ObjectsOf, read=CocoObjects(images, tuple(labels), masked))


def _by_path(files: Sequence[tuple[str, CocoFile]]) -> dict[Path, CocoImage]:
    """All images.

    Raises:
        DataError: two files tell other objects of one image.
    """
    found: dict[Path, CocoImage] = {}
    for _, file in files:
        for image in file.images:
            other = found.setdefault(image.path, image)
            if _told(other) != _told(image):
                raise DataError(
                    f"`{image.path}` is in `{file.path}` and in another file, which note other"
                    " objects on it: an image is of one part"
                )
    return found


def _told(image: CocoImage) -> list[Any]:
    """What of its notes is read, whatever their numbers are."""
    names = ("category", "bbox", "segmentation", "iscrowd")
    return [[note.get(name) for name in names] for note in image.notes]


def _behind(config: CocoConfig, labels: Sequence[str]) -> int:
    """The class of pixels without an object.

    Raises:
        DataError: it is none of the classes.
    """
    if config.background is None:
        return VOID
    if config.background not in labels:
        raise DataError(
            f"pixels without an object are `{config.background}` (`data.background`), which is none"
            f" of the {len(labels)} classes ({some(labels)})"
        )
    return labels.index(config.background)


def _refuse_unknown(files: Sequence[tuple[str, CocoFile]], labels: Sequence[str]) -> None:
    for _, file in files:
        met = {note["category"] for image in file.images for note in image.notes}
        if unknown := sorted(met - set(labels)):
            raise DataError(
                f"`{file.path}` has objects of {some(unknown)}, which is none of the {len(labels)}"
                f" classes ({some(labels)})"
            )
