"""From images and what belongs to them to the parts of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.batches import Tree, tensors_of
from onlay.data import Splits, Whole
from onlay.errors import DataError
from onlay.reading.judging import whole
from onlay.reading.layouts import divided
from onlay.reading.listed import listed
from onlay.reading.listing import Item, Listing
from onlay.reading.survey import Extent
from onlay.tasks.class_maps import VOID
from onlay_dense.data.pairs import Paired
from onlay_image.data.config import ImageData
from onlay_image.data.located import Located
from onlay_image.data.measuring import measure as measure_image
from onlay_image.data.pictures import check_pictures
from onlay_image.data.preprocess import resolve
from onlay_image.data.reading import Reading
from onlay_image.data.values import extent_of

NOUN = "image"
READ_UP_TO = 500
"""Of more pairs some are read whole before training, over all of the length."""

Targets = Callable[[Sequence[Path]], Sequence[Any]]
"""From files to targets, each read when it is asked for, its last two axes those of the image."""


def make_splits(
    paired: Paired,
    config: Any,
    input_spec: Mapping[str, Any],
    labels: Sequence[str],
    targets: Targets,
) -> Splits:
    """The parts that there are, else some pairs split off by `data.split_seed`.

    Raises:
        DataError: nothing to train on; an image or its own that cannot be read, or of other sizes.
    """
    listing = divided(paired.layout, config, NOUN)
    return splits_of(listing, paired, config, input_spec, labels, targets)


def splits_of(
    listing: Listing,
    paired: Paired,
    config: ImageData,
    input_spec: Mapping[str, Any],
    labels: Sequence[str],
    targets: Targets,
) -> Splits:
    """Parts that are divided already.

    Raises:
        DataError: as `make_splits`.
    """
    facts = resolve(config.preprocess, input_spec)
    found = listed(listing, config, NOUN, labels)
    listing = found.listing
    check_pairs([i for items in listing.parts().values() for i in items], paired, facts, targets)

    def make(items: Sequence[Item], *chance: Any) -> Located | None:
        return part_of(items, paired, facts, targets, *chance) if items else None

    train = part_of(listing.train, paired, facts, targets, config.preprocess)
    train.plain = make(listing.train)
    return Splits(
        train=train,
        validation=make(listing.val),
        test=make(listing.test),
        labels=found.labels,
        targets=listing.targets,
        preprocessing=facts,
        digest=found.digest,
        facts=found.facts,
    )


def make_whole(
    paired: Paired,
    config: Any,
    input_spec: Mapping[str, Any],
    labels: Sequence[str],
    targets: Targets,
) -> Whole:
    """All pairs, for a model of these classes.

    Raises:
        DataError: nothing there, or as `make_splits`.
    """
    facts = resolve(config.preprocess, input_spec)
    items = [item for own in paired.layout.parts.values() for item in own]
    check_pairs(items, paired, facts, targets)
    known = config.model_copy(update={"labels": tuple(labels)})
    return whole(
        paired.layout, known, labels, NOUN, lambda own: part_of(own, paired, facts, targets)
    )


def part_of(
    items: Sequence[Item],
    paired: Paired,
    facts: Mapping[str, Any],
    targets: Targets,
    chance: Any = None,
) -> Located:
    """One part; `chance` are the settings by which its pictures change."""
    files = [paired.files[item.source] for item in items]
    return Located([item.source for item in items], targets(files), facts, chance)


def check_pairs(
    items: Sequence[Item], paired: Paired, facts: Mapping[str, Any], targets: Targets
) -> None:
    """Every image is one, and of each pair, or of some of many, both are of one size.

    Raises:
        DataError: names the first file that is not, and what is in it.
    """
    reading = Reading.of(facts)
    check_pictures([item.source for item in items], reading)
    some = items[:: max(1, -(-len(items) // READ_UP_TO))]
    files = [paired.files[item.source] for item in some]
    for item, file, target in zip(some, files, targets(files), strict=True):
        refuse_sizes(item.source, file, size_of(target), extent_of(item.source, reading))


class Measure:
    """Height and width of an image that can be read, as can what belongs to it, and which of
    `labels` are in a mask; a class, so that it can be sent to another process."""

    def __init__(
        self, config: ImageData, paired: Paired, targets: Targets, labels: Sequence[str] = ()
    ) -> None:
        self.image, self.files, self.targets = measure_image(config), paired.files, targets
        self.labels = labels

    def __call__(self, source: Path) -> Extent:
        size, own = self.image(source), self.files[source]
        target = self.targets([own])[0]
        refuse_sizes(source, own, size_of(target), size)
        found = Extent(size)
        if self.labels:
            mask = target["mask"] if isinstance(target, Mapping) else target
            places = mask.unique().tolist()
            found.labels = frozenset(self.labels[place] for place in places if place != VOID)
        return found


def size_of(target: Tree) -> tuple[int, ...]:
    """Height and width of what belongs to an image: a tensor, or what tells a `shape` as objects
    do, or a mapping of tensors."""
    own = target if hasattr(target, "shape") else next(tensors_of(target))
    return tuple(own.shape[-2:])


def refuse_sizes(image: Path, own: Path, size: tuple[int, ...], wanted: tuple[int, int]) -> None:
    """Raise a `DataError` where what belongs to an image is of another height and width."""
    if size != wanted:
        raise DataError(
            f"`{own}` has {size[0]} rows and {size[1]} columns, and its image `{image}` has"
            f" {wanted[0]} and {wanted[1]}: both must be of one size"
        )
