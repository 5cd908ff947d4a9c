"""Large scenes with a class for each point, in blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.judging import whole as judged
from onlay.reading.layouts import Layout, divided
from onlay.reading.listed import listed
from onlay.reading.listing import Item
from onlay.reading.survey import Extent
from onlay_pointcloud.data.augment import chosen
from onlay_pointcloud.data.labelled import tally_of
from onlay_pointcloud.data.labelled_clouds import Counts, label_of, told
from onlay_pointcloud.data.labelled_config import CloudScenesConfig
from onlay_pointcloud.data.left_out import LeftOut
from onlay_pointcloud.data.point_classes import VOID, PointClasses, point_classes
from onlay_pointcloud.data.preprocess import Loader, resolve
from onlay_pointcloud.data.scenes.cutting import Cutting
from onlay_pointcloud.data.scenes.files import S3DIS, area_of, is_room, rows_of, scenes_in
from onlay_pointcloud.data.scenes.items import SceneBlocks, SceneLoader, Scenes, TrainingScenes
from onlay_pointcloud.data.splits import with_notes

NOUN = "scene"


def build(config: CloudScenesConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from areas, folders or files, else some scenes are split off by `data.split_seed`.
    Every scene is read once, for its classes and blocks.

    Raises:
        DataError: what `scenes_in`, `divided` and `point_classes` raise; a scene that cannot be
            used, or has a label that is no class.
    """
    lies, facts = layout(config), facts_of(config, input_spec)
    counts = counted(config, lies, facts)
    classes = classes_in(config, lies, counts)
    found = listed(divided(lies, config, NOUN), config, NOUN, classes.labels)
    load = loader(config, facts, classes)
    train = scenes_of(found.listing.train, load, facts)
    points = [sum(counts[source].values()) for source in train.sources]
    val, test = (
        SceneBlocks(scenes_of(items, load, facts)) if items else None
        for items in (found.listing.val, found.listing.test)
    )
    return Splits(
        train=TrainingScenes(
            train,
            points,
            epoch_blocks(config, sum(points), facts["npoints"]),
            chosen(config.preprocess),
            drop=config.preprocess.dropout_ratio,
        ),
        validation=val,
        test=test,
        labels=classes.labels,
        targets=lies.targets,
        preprocessing={**facts, **classes.facts()},
        digest=found.digest,
        facts=with_notes(told(found.facts, found.listing.parts(), counts, classes), load.load),
    )


def epoch_blocks(config: CloudScenesConfig, points: int, size: int) -> int:
    """Blocks of an epoch: as asked for, so often as scenes are repeated; else as many as hold the
    points of the scenes, which are listed as often as they come."""
    asked = config.epoch_blocks and config.epoch_blocks * config.train_repeats
    return asked or -(-points // size)


def whole(config: CloudScenesConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All scenes, for a model of these classes.

    Raises:
        DataError: as `build`, but for parts that are absent; a class that the model does not know.
    """
    lies, facts = layout(config), facts_of(config, input_spec)
    classes = classes_in(config, lies, counted(config, lies, facts)).renumbered(labels)
    load = loader(config, facts, classes)
    known = config.model_copy(update={"labels": tuple(labels)})

    def make(items: Sequence[Item]) -> SceneBlocks:
        return SceneBlocks(scenes_of(items, load, facts))

    return judged(lies, known, labels, NOUN, make)


def layout(config: CloudScenesConfig) -> Layout:
    """Every scene, as it lies."""
    return replace(scenes_in(config.path, config.parts, config.test_area), cut=True)


def measure(config: CloudScenesConfig) -> partial[Extent]:
    """For `onlay data check`: the points of a scene, all of which are read, and its classes."""
    facts = {**config.preprocess.model_dump(), "npoints": 1, "min_points": 1, "normalize": "none"}
    everything = layout(config)
    files = [item.source for items in everything.parts.values() for item in items]
    known = bool(config.values or config.labels or any(map(is_room, files)))
    counts = {file: Counter[int]() for file in files}
    classes = classes_in(config, everything, counts) if known else None
    return partial(_extent, Loader(facts, LeftOut.silent(), label_of(config)), classes, config)


def _extent(
    load: Loader, classes: PointClasses | None, config: CloudScenesConfig, source: Path
) -> Extent:
    rows = rows_of(load, source, config.labels)
    found = Extent((len(rows),))
    known = classes or PointClasses((), dict.fromkeys(map(int, rows[:, -1]), VOID))
    places = known.numbers(rows[:, -1], f"`{source}`")
    if classes is not None:
        found.labels = frozenset(classes.labels[n] for n in {*places.tolist()} - {VOID})
    return found


def facts_of(config: CloudScenesConfig, input_spec: Mapping[str, Any]) -> dict[str, Any]:
    """How scenes become inputs; JSON-able, for the bundle."""
    facts = resolve(config.preprocess, input_spec)
    own = {
        "block": config.block,
        "stride": config.stride or config.block / 2,
        "up": "xyz".index(config.preprocess.rotate_axis),
        "place": config.place,
    }
    further = len(config.preprocess.extra) + 3 * config.place
    least = input_spec.get("groups", 1)
    return {**facts, "min_points": least, "scenes": own, "further": further}


def loader(
    config: CloudScenesConfig, facts: Mapping[str, Any], classes: PointClasses
) -> SceneLoader:
    """What reads scenes with their classes."""
    return SceneLoader(
        load=Loader(facts, label=label_of(config)),
        classes=classes,
        names=config.labels,
        place=config.place,
    )


def scenes_of(items: Sequence[Item], load: SceneLoader, facts: Mapping[str, Any]) -> Scenes:
    """Files of one part."""
    return Scenes(sources=[i.source for i in items], load=load, cutting=Cutting.of(facts))


def counted(config: CloudScenesConfig, layout: Layout, facts: Mapping[str, Any]) -> Counts:
    """The points of each number in each scene."""
    load = Loader(facts, LeftOut.silent(), label_of(config))
    files: list[Path] = [item.source for items in layout.parts.values() for item in items]
    return {file: tally_of(rows_of(load, file, config.labels)[:, -1]) for file in files}


def classes_in(config: CloudScenesConfig, layout: Layout, counts: Counts) -> PointClasses:
    """What the numbers mean; those of S3DIS are known."""
    keys = [item.key for items in layout.parts.values() for item in items]
    rooms = any(map(is_room, counts))
    published = all(area_of(key) is not None for key in keys)
    found = {value for own in counts.values() for value in own}
    if not (config.values or config.labels) and (
        rooms or (published and found <= {*range(-1, 13)})
    ):
        config = config.model_copy(update={"labels": S3DIS})
    las = all(file.suffix.lower() in (".las", ".laz") for file in counts)
    classes = point_classes(config, found, las=las)
    for path, own in counts.items():
        classes.check(own, f"`{path}`")
    return classes
