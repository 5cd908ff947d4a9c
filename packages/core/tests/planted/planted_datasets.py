"""Data sets that each break one sentence of the contract, and `DEFECTS`, which check names it.

All read noise and labels from one file of numpy, with one thing wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import time_ns
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from named_configs import named_config
from torch import Tensor
from torch.utils.data import Dataset as Items
from torch.utils.data import IterableDataset

from onlay import hookimpl
from onlay.config.data import SplitConfig
from onlay.data import Blocks, Splits, Whole
from onlay.descriptors import Dataset
from onlay.errors import DataError
from onlay.reading.layouts import Layout
from onlay.reading.listing import Item, Listing, counts, digest, stratified, targets

LABELS = ("blue", "red")


class PlainConfig(SplitConfig):
    """Noise in one file."""

    path: Path
    """The file."""


class Noise(Items[tuple[Tensor, Any]]):
    """Inputs as the backbone wants them; `change` is what is wrong with one."""

    def __init__(
        self,
        items: Any,
        size: Any,
        change: Callable[[Tensor], Tensor],
        labels: tuple[str, ...] = LABELS,
    ) -> None:
        self.items, self.size, self.change, self.labels = items, size, change, labels

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        item = self.items[index]
        g = torch.Generator().manual_seed(int(item.source))
        return self.change(torch.randn(3, *self.size, generator=g)), targets([item], self.labels)[0]


def same(x: Tensor) -> Tensor:
    return x


def doubled(x: Tensor) -> Tensor:
    return x.double()


def jittered(x: Tensor) -> Tensor:
    return x + torch.rand(())


def jittered_by_numpy(x: Tensor) -> Tensor:
    return x + np.random.default_rng().random(dtype=np.float32)


def listed(path: Path, config: Any, seed: int) -> Listing:
    with np.load(path) as file:
        names = file["labels"]
    items = [Item(n, str(name), str(n)) for n, name in enumerate(names)]
    rest, test = stratified(items, config.test_size, seed, noun="item")
    return Listing(*stratified(rest, config.val_size, seed, noun="item"), test)


def guarded(config: Any, seed: int) -> Listing:
    try:
        return listed(config.path, config, seed)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"`{config.path}` cannot be read: {error}") from error


def split(listing: Listing, spec: Mapping[str, Any], change: Any = same) -> Splits:
    train, val, test = (
        Noise(items, tuple(spec["img_size"]), own)
        for items, own in ((listing.train, change), (listing.val, same), (listing.test, same))
    )
    return Splits(
        train=train,
        validation=val,
        test=test,
        labels=LABELS,
        preprocessing={"modality": "image"} | dict(spec),
        digest=digest(listing),
        facts={"counts": counts(listing, LABELS)},
    )


Spec = Mapping[str, Any]


def healthy(config: Any, spec: Spec, seed: int) -> Splits:
    return split(guarded(config, config.split_seed), spec)


def overlapping(config: Any, spec: Spec, seed: int) -> Splits:
    listing = guarded(config, config.split_seed)
    return split(replace(listing, test=[*listing.test, listing.val[0]]), spec)


def seedless(config: Any, spec: Spec, seed: int) -> Splits:
    return split(guarded(config, 0), spec)


def by_training_seed(config: Any, spec: Spec, seed: int) -> Splits:
    return split(guarded(config, config.split_seed + seed), spec)


def by_the_clock(config: Any, spec: Spec, seed: int) -> Splits:
    return split(guarded(config, config.split_seed + time_ns() % 1000), spec)


def one_digest(config: Any, spec: Spec, seed: int) -> Splits:
    return replace(healthy(config, spec, seed), digest="noise")


def few_labels(config: Any, spec: Spec, seed: int) -> Splits:
    return replace(healthy(config, spec, seed), labels=LABELS[:1], facts={})


def strange(config: Any, spec: Spec, seed: int) -> Splits:
    """Says that a target is floats, and gives places of classes."""
    return replace(healthy(config, spec, seed), targets="numbers", facts={})


def double(config: Any, spec: Spec, seed: int) -> Splits:
    return split(guarded(config, config.split_seed), spec, doubled)


def unseeded(config: Any, spec: Spec, seed: int) -> Splits:
    return split(guarded(config, config.split_seed), spec, jittered_by_numpy)


def jittered_test(config: Any, spec: Spec, seed: int) -> Splits:
    splits: Any = healthy(config, spec, seed)
    splits.test.change = jittered
    return splits


def wrong_counts(config: Any, spec: Spec, seed: int) -> Splits:
    listing = guarded(config, config.split_seed)
    whole = replace(listing, train=[*listing.train, *listing.val])
    return replace(split(listing, spec), facts={"counts": counts(whole, LABELS)})


def unsendable(config: Any, spec: Spec, seed: int) -> Splits:
    return split(guarded(config, config.split_seed), spec, lambda x: x)


def empty_part(config: Any, spec: Spec, seed: int) -> Splits:
    return split(replace(guarded(config, config.split_seed), val=[]), spec)


def tuples(config: Any, spec: Spec, seed: int) -> Splits:
    splits = healthy(config, spec, seed)
    return replace(splits, preprocessing={**splits.preprocessing, "crop": (1, 2)})


def unguarded(config: Any, spec: Spec, seed: int) -> Splits:
    return split(listed(config.path, config, config.split_seed), spec)


def silent(config: Any, spec: Spec, seed: int) -> Splits:
    if not config.path.is_file():
        raise DataError(f"there is no file `{config.path}`")
    try:
        return healthy(config, spec, seed)
    except DataError:
        return split(Listing([Item(0, "red", "0")], [Item(1, "red", "1")], []), spec)


class Flow(IterableDataset[Any]):
    """The items of `Noise` in an order of each epoch; `lag` is how far behind it begins."""

    def __init__(self, noise: Noise, lag: int) -> None:
        self.noise, self.lag, self.epoch, self.place = noise, lag, 0, 0

    def __len__(self) -> int:
        return len(self.noise)

    def seek(self, epoch: int, position: int) -> None:
        self.epoch, self.place = epoch, max(0, position - self.lag)

    def __iter__(self) -> Iterator[Any]:
        order = np.random.default_rng(self.epoch).permutation(len(self.noise))
        return (self.noise[int(index)] for index in order[self.place :])


def flowing(config: Any, spec: Spec, seed: int, lag: int = 0) -> Splits:
    splits: Any = healthy(config, spec, seed)
    return replace(splits, train=Flow(splits.train, lag))


def lagging(config: Any, spec: Spec, seed: int) -> Splits:
    return flowing(config, spec, seed, lag=1)


def few_blocks(config: Any, spec: Spec, seed: int) -> Splits:
    splits: Any = healthy(config, spec, seed)
    splits.train.blocks = Blocks((1, len(splits.train) - 2))
    return splits


def judged(listing: Listing, spec: Spec, labels: Any) -> Whole:
    items = [item for part in listing.parts().values() for item in part]
    everything = Noise(items, tuple(spec["img_size"]), same, tuple(labels))
    return Whole(
        everything=everything, parts={"whole": everything}, occurring=2, digest=digest(listing)
    )


def everything(config: Any, spec: Spec, labels: Any) -> Whole:
    return judged(guarded(config, config.split_seed), spec, labels)


def forgetful(config: Any, spec: Spec, labels: Any) -> Whole:
    return judged(replace(guarded(config, config.split_seed), val=[]), spec, labels)


def own_numbers(config: Any, spec: Spec, labels: Any) -> Whole:
    return everything(config, spec, LABELS)


def laid_out(config: Any) -> Layout:
    listing = guarded(config, config.split_seed)
    return Layout({part: items for part, items in listing.parts().items() if items})


def short(config: Any) -> Layout:
    parts = laid_out(config).parts
    return Layout({**parts, "test": parts["test"][1:]})


@dataclass(frozen=True)
class Defect:
    """What is wrong, the check that says so, and a part of what it says."""

    build: Callable[[Any, Spec, int], Splits]
    check: str = ""
    clue: str = ""
    whole: Callable[[Any, Spec, Any], Whole] | None = None
    layout: Callable[[Any], Layout] | None = None


DEFECTS: Mapping[str, Defect] = {
    "overlapping": Defect(overlapping, "parts_do_not_overlap", "of `validation` is in `test`"),
    "seedless": Defect(seedless, "split_seed_changes_the_split", "other seeds change nothing"),
    "one_digest": Defect(one_digest, "split_seed_changes_the_split", "the digest does not"),
    "by_training_seed": Defect(
        by_training_seed, "training_seed_changes_no_split", "another training seed"
    ),
    "by_the_clock": Defect(by_the_clock, "one_seed_gives_one_split", "the digests differ"),
    "few_labels": Defect(few_labels, "targets_are_labels", "is 1, of 1"),
    "strange": Defect(strange, "tasks_learn_from_its_targets", "task `regression` does not take"),
    "double": Defect(double, "items_fit_the_backbones", "float64"),
    "unseeded": Defect(unseeded, "training_repeats_under_a_seed", "under one seed differ"),
    "jittered_test": Defect(
        jittered_test, "evaluation_is_the_same_every_time", "items of `test` change"
    ),
    "wrong_counts": Defect(wrong_counts, "counts_are_those_of_the_items", "`train` has"),
    "unsendable": Defect(unsendable, "parts_can_be_sent_to_workers", "pickle"),
    "empty_part": Defect(empty_part, "there_is_something_to_train_on", "`validation` is empty"),
    "tuples": Defect(tuples, "preprocessing_is_plain", "it is read back as"),
    "unguarded": Defect(unguarded, "absent_files_are_one_sentence", "FileNotFoundError"),
    "silent": Defect(silent, "truncated_files_are_named", "nothing is said"),
    "forgetful": Defect(healthy, "whole_has_every_item_once", "those of all parts", forgetful),
    "own_numbers": Defect(healthy, "whole_has_every_item_once", "of `validation` is", own_numbers),
    "few_blocks": Defect(few_blocks, "blocks_hold_every_item", "items, and its `blocks` hold"),
    "lagging": Defect(lagging, "streams_go_on_from_any_place", "after `seek(0, "),
    "flowing": Defect(flowing),
    "short": Defect(healthy, "layout_lists_every_item", "it lists 39 items", layout=short),
    "healthy": Defect(healthy, whole=everything),
    "without_example": Defect(healthy),
}


def build(config: Any, input_spec: Spec, seed: int) -> Splits:
    """What the data set of that name gives."""
    return DEFECTS[config.name].build(config, input_spec, seed)


def whole(config: Any, input_spec: Spec, labels: Any) -> Whole:
    """All that the data set of that name gives."""
    judge = DEFECTS[config.name].whole
    assert judge is not None
    return judge(config, input_spec, labels)


def layout(config: Any) -> Layout:
    """Everything that the data set of that name lists."""
    listing = DEFECTS[config.name].layout
    assert listing is not None
    return listing(config)


def example(folder: Path) -> dict[str, Any]:
    """Forty labels in turn."""
    np.savez(folder / "noise.npz", labels=list(LABELS) * 20)
    return {"path": str(folder / "noise.npz")}


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    for name, defect in DEFECTS.items():
        yield Dataset(
            name=name,
            config=named_config(name, PlainConfig),
            build="planted_datasets:build",
            whole="planted_datasets:whole" if defect.whole else None,
            layout="planted_datasets:layout" if defect.layout else None,
            modality="image",
            summary=defect.check or "nothing is wrong with it",
            example=None if name == "without_example" else "planted_datasets:example",
        )
