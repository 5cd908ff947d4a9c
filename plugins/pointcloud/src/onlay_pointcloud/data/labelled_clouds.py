"""A folder of clouds with a class for each point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.judging import whole as judged
from onlay.reading.layouts import Layout, divided
from onlay.reading.listed import listed
from onlay.reading.listing import PARTS, Item
from onlay_pointcloud.data.augment import chosen
from onlay_pointcloud.data.clouds import Clouds, Labelled, TrainingClouds
from onlay_pointcloud.data.columns import BY_NAME
from onlay_pointcloud.data.labelled import ClassLoader, Pointwise, by_name, tally
from onlay_pointcloud.data.labelled_config import LabelledCloudsConfig, PointClassesConfig
from onlay_pointcloud.data.labelled_files import laid_out
from onlay_pointcloud.data.left_out import LeftOut
from onlay_pointcloud.data.point_classes import PointClasses, point_classes
from onlay_pointcloud.data.preprocess import Loader, resolve
from onlay_pointcloud.data.splits import NOUN, READ_AT_ONCE, read_at_once, with_notes

Counts = Mapping[Path, Counter[int]]


def build(config: LabelledCloudsConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders or files (`data.parts`), else by `data.split_seed`.

    Raises:
        DataError: what `laid_out`, `divided` and `point_classes` raise; a cloud that cannot be
            used, or has a class that is none.
    """
    layout, facts = laid_out(config.path, config.parts), resolve(config.preprocess, input_spec)
    counts = counted(config, layout, facts)
    classes = classes_in(config, layout, counts)
    found = listed(divided(layout, config, NOUN), config, NOUN, classes.labels)
    load = ClassLoader(Loader(facts, label=label_of(config)), classes)
    train = TrainingClouds(
        labelled(found.listing.train, load, facts),
        chosen(config.preprocess),
        drop=config.preprocess.dropout_ratio,
    )
    val, test = (
        Pointwise(Clouds(labelled(items, load, facts))) if items else None
        for items in (found.listing.val, found.listing.test)
    )
    sources = [item.source for item in found.listing.train]
    points = [by_name([counts[source]], classes) for source in sources] if counts else None
    read_at_once([part for part in (train, val, test) if part is not None], load.load.left_out)
    return Splits(
        train=Pointwise(train, points),
        validation=val,
        test=test,
        labels=classes.labels,
        targets=layout.targets,
        preprocessing={**facts, **classes.facts(), **label_facts(config)},
        digest=found.digest,
        facts=with_notes(told(found.facts, found.listing.parts(), counts, classes), load.load),
    )


def whole(
    config: LabelledCloudsConfig, input_spec: Mapping[str, Any], labels: Sequence[str]
) -> Whole:
    """All clouds of the folder, for a model of these classes.

    Raises:
        DataError: as `build`, but for parts that are absent; a class that the model does not know.
    """
    layout, facts = laid_out(config.path, config.parts), resolve(config.preprocess, input_spec)
    classes = classes_in(config, layout, counted(config, layout, facts)).renumbered(labels)
    load = ClassLoader(Loader(facts, label=label_of(config)), classes)
    known = config.model_copy(update={"labels": tuple(labels)})
    return judged(
        layout, known, labels, NOUN, lambda items: Pointwise(Clouds(labelled(items, load, facts)))
    )


def layout(config: PointClassesConfig) -> Layout:
    """Everything in the folder, as it lies."""
    return laid_out(config.path, config.parts)


def measure(config: PointClassesConfig) -> partial[tuple[int]]:
    """For `onlay data check`: the points of a cloud, whose classes are read, too."""
    facts = {**config.preprocess.model_dump(), "npoints": 1, "min_points": 1, "normalize": "none"}
    everything = laid_out(config.path, config.parts)
    classes = None
    if config.values or config.labels:
        classes = classes_in(config, everything, {})
    return partial(_extent, Loader(facts, LeftOut.silent(), label_of(config)), classes)


def _extent(load: Loader, classes: PointClasses | None, source: Path) -> tuple[int]:
    rows = load.measured(source)
    known = classes or PointClasses((), dict.fromkeys(map(int, rows[:, -1]), -1))
    known.numbers(rows[:, -1], f"`{source}`")
    return (len(rows),)


def label_of(config: PointClassesConfig) -> int | str:
    """The column of classes."""
    return BY_NAME if config.label is None else config.label


def label_facts(config: PointClassesConfig) -> dict[str, Any]:
    """For the bundle, where somebody chose the column."""
    return {} if config.label is None else {"label": config.label}


def counted(config: PointClassesConfig, layout: Layout, facts: Mapping[str, Any]) -> Counts:
    """The points of each number in each file, where nobody said what the numbers mean, or the files
    are small enough to be read beforehand; else nothing."""
    paths = [item.source for items in layout.parts.values() for item in items]
    told = bool(config.values or config.labels)
    if told and sum(path.stat().st_size for path in paths) > READ_AT_ONCE:
        return {}
    load = Loader(facts, LeftOut.silent(), label_of(config))
    return dict(zip(paths, tally(load, paths), strict=True))


def classes_in(config: PointClassesConfig, layout: Layout, counts: Counts) -> PointClasses:
    """What the numbers in the files mean."""
    files = [item.source for items in layout.parts.values() for item in items]
    las = all(file.suffix.lower() in (".las", ".laz") for file in files)
    classes = point_classes(config, {v for own in counts.values() for v in own}, las=las)
    for path, own in counts.items():
        classes.check(own, f"`{path}`")
    return classes


def labelled(items: Sequence[Item], load: ClassLoader, facts: Mapping[str, Any]) -> Labelled:
    """Files of one part."""
    return Labelled(
        sources=[item.source for item in items],
        targets=[None] * len(items),
        names=[item.key for item in items],
        load=load,
        npoints=facts["npoints"],
    )


def told(
    found: Mapping[str, Any],
    parts: Mapping[str, Sequence[Item]],
    counts: Counts,
    classes: PointClasses,
) -> dict[str, Any]:
    """Facts with `points`, those of each class in each part, and what classes were found."""
    facts = dict(found)
    if counts:
        facts["points"] = {
            PARTS[part]: by_name([counts[item.source] for item in items], classes)
            for part, items in parts.items()
            if items
        }
    if classes.discovered:
        names = ", ".join(f"{own[0]} `{name}`" for name, own in classes.values.items())
        told = f"the classes are the numbers that occur: {names} (`data.values` names them)"
        facts["notes"] = (*facts.get("notes", ()), told)
    return facts
