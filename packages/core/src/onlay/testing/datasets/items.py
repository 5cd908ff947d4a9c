"""What a data set's items are."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from onlay.data import blocks_in, items_of
from onlay.testing.checking import Broken, require
from onlay.testing.datasets.case import KNOWN, PARTS, DatasetCase, alike, named, parts_of, some


def check_there_is_something_to_train_on(case: DatasetCase) -> None:
    """The training part is not empty, and a part that the layout does not have is `None` and not
    empty."""
    for name, part in parts_of(case.splits):
        require(len(part), f"`{name}` is empty")
    require(case.splits.train is not None, "there is no training part")


def check_items_fit_the_backbones(case: DatasetCase) -> None:
    """An item is a pair of input and target; the input, finite, has the dtype and the axes of the
    modality, and a backbone that it was prepared for encodes it."""
    example = case.backbone.anatomy.example(1)[0]
    for name, part in parts_of(case.splits):
        items = some(part)
        require(all(len(item) == 2 for item in items), f"items of `{name}` are no pairs")
        shapes = {tuple(x.shape) for x, _ in items}
        require(len(shapes) == 1, f"inputs of `{name}` have the shapes {sorted(shapes)}")
        x = items[0][0]
        wanted, got = (example.dtype, example.ndim), (x.dtype, x.ndim)
        require(got == wanted, f"inputs of `{name}` are {got[0]} with {got[1]} axes, not {wanted}")
        require(all(bool(x.isfinite().all()) for x, _ in items), f"`{name}` is not finite")
        with torch.no_grad():
            features = case.backbone.anatomy.encode(torch.stack([x for x, _ in items[:2]]))
        require(bool(features.patches.isfinite().all()), f"features of `{name}` are not finite")


def check_blocks_hold_every_item(case: DatasetCase) -> None:
    """`blocks` of the training part, if it has any, hold all of its items, none of them empty."""
    found = blocks_in(case.splits.train)
    require(found is None or all(size > 0 for size in found.sizes), f"an empty one is in {found}")
    require(found is None or found.window > 0, f"a window of {found and found.window} mixes none")


def check_targets_are_labels(case: DatasetCase) -> None:
    """Labels are texts, each once; every target is what `Splits.targets` says: a place among them,
    or a tensor of such; 1, 0 or -1 for each of them (`labels`); a finite float for each of them
    (`numbers`); or, where that is a word of its own, integers that are places or -1, which is void,
    and whatever else its task knows."""
    labels = case.splits.labels
    require(labels, "there are no labels")
    require(all(isinstance(label, str) for label in labels), "a label is no text")
    twice = [label for label, times in Counter(labels).items() if times > 1]
    require(not twice, f"`{twice[0] if twice else ''}` is a label twice")
    known = case.splits.targets in KNOWN
    for name, targets in case.targets.items():
        for target in targets:
            if not known and (not isinstance(target, Tensor) or target.is_floating_point()):
                continue
            _is_target(
                torch.as_tensor(target),
                case.splits.targets,
                len(labels),
                f"a target of `{name}` is",
            )


def _is_target(target: Tensor, kind: str, labels: int, told: str) -> None:
    low, high = (-1, 2) if kind == "labels" else (0, labels)
    low = low if kind in ("", "class") else -1
    if kind in ("labels", "numbers"):
        require(target.shape == (labels,), f"{told} of the shape {tuple(target.shape)}")
    if kind == "numbers":
        require(target.is_floating_point(), f"{told} {target.dtype}")
        require(bool(target.isfinite().all()), f"{told} not finite")
        return
    require(not (target.is_floating_point() or target.is_complex()), f"{told} {target.dtype}")
    least, most = int(target.min()), int(target.max())
    require(least >= low and most < high, f"{told} {least if least < low else most}, of {labels}")


def check_counts_are_those_of_the_items(case: DatasetCase) -> None:
    """`facts["counts"]`, where it is told, counts the items of each class, or with each label, in
    each part that there is."""
    counts = case.splits.facts.get("counts")
    if counts is None:
        return
    parts = sorted(case.targets)
    require(sorted(counts) == parts, f"it counts {sorted(counts)}, and there are {parts}")
    for name, targets in case.targets.items():
        tally = Counter(label for target in targets for label in named(target, case.splits))
        told = {label: n for label, n in counts[name].items() if n}
        require(told == dict(tally), f"`{name}` has {dict(tally)} and is said to have {told}")


def check_evaluation_is_the_same_every_time(case: DatasetCase) -> None:
    """Items to validate and test on are the same every time, and chance has no part in them."""
    for name, part in parts_of(case.splits):
        if name == "train":
            continue
        first, state = some(part, seed=0), torch.get_rng_state()
        again = some(part, seed=1)
        same = all(alike(a, b) for a, b in zip(first, again, strict=True))
        require(same, f"items of `{name}` change")
        torch.manual_seed(0)
        require(torch.equal(torch.get_rng_state(), state), f"`{name}` draws random numbers")


def check_training_repeats_under_a_seed(case: DatasetCase) -> None:
    """What chance does to training items comes from torch's generator: one seed, the same items."""
    first, again = some(case.splits.train), some(case.splits.train)
    same = all(alike(a, b) for a, b in zip(first, again, strict=True))
    require(same, "two passes under one seed differ")


def check_parts_can_be_sent_to_workers(case: DatasetCase) -> None:
    """Every part can be pickled, as loaders with worker processes do, and gives the same items
    there."""
    for name, part in parts_of(case.splits):
        twin = _sent(name, part)
        require(len(twin) == len(part), f"`{name}` has {len(twin)} items in another process")
        same = all(alike(a, b) for a, b in zip(some(part), some(twin), strict=True))
        require(same, f"`{name}` has other items in another process")


def _sent(name: str, part: Any) -> Any:
    try:
        return pickle.loads(pickle.dumps(part))
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise Broken(f"`{name}` cannot be pickled: {error}") from error


def check_parts_do_not_overlap(case: DatasetCase) -> None:
    """No input is in two parts, as far as chance leaves training items recognisable: what is tested
    on is neither trained nor validated on."""
    seen: dict[bytes, str] = {}
    for name in reversed(PARTS):
        part = getattr(case.splits, name)
        if part is None or (name == "train" and _left_to_chance(part)):
            continue
        for index, item in enumerate(items_of(part)):
            key = _content(item)
            other = seen.setdefault(key, name)
            require(other == name, f"item {index} of `{name}` is in `{other}`, too")


def _left_to_chance(part: Any) -> bool:
    one, other = some(part, seed=0), some(part, seed=1)
    return not all(alike(a, b) for a, b in zip(one, other, strict=True))


def _content(item: tuple[Tensor, Any]) -> bytes:
    return item[0].numpy().tobytes()
