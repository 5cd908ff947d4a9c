"""What one reaches without training: by an answer that is the same for every input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from onlay.machine.guard import in_words

if TYPE_CHECKING:
    from onlay.anatomy import BuiltBackbone
    from onlay.config.run import RunConfig
    from onlay.data import Splits
    from onlay.host import PluginHost

ENDING = " trivial"
"""Of the key of this fact, behind that of the data."""
AS_STORED = ("class", "labels", "numbers")
"""Kinds of targets that an evaluation sees as they are stored, without a look at the input."""


@dataclass(frozen=True)
class Trivial:
    """What such an answer is, and the main metric that it has; or why there is none."""

    what: str = ""
    score: float | None = None
    none: str = ""

    @classmethod
    def read(cls, known: Mapping[str, str], key: str) -> Trivial | None:
        """The fact of the data `key`, if it is known."""
        try:
            return cls(**json.loads(known.get(key + ENDING, "")))
        except (ValueError, TypeError):  # not there, or of an earlier version
            return None


def trivial_fact(
    config: RunConfig, splits: Splits, built: BuiltBackbone, host: PluginHost
) -> dict[str, Any]:
    """Of the test part, else of the validation part; the fields of `Trivial`."""
    from onlay.machine.chance import generators_kept
    from onlay_train.seeding import seed_all

    try:
        with generators_kept():
            seed_all(config.train.seed)  # a head is drawn, and may be items to train on
            return _reached(config, splits, built, host)
    except Exception as error:  # a plugin's fault costs its data set this row
        return {"none": in_words(error)}


def _reached(
    config: RunConfig, splits: Splits, built: BuiltBackbone, host: PluginHost
) -> dict[str, Any]:
    from onlay.data import EachTarget
    from onlay.model.assemble import build_head, move_targets

    test = splits.test if config.train.evaluate_test else None
    judged = splits.validation if test is None else test
    if judged is None:
        return {"none": "there is neither a test nor a validation part"}
    head = build_head(config.task, built, splits.labels, host)
    if not hasattr(head, "constant"):
        return {"none": f"no answer of the task `{config.task.name}` fits every input"}
    move_targets(head, splits.train, judged)
    head.prepare(splits)
    constant, metrics = head.constant(EachTarget(splits.train)), head.metrics()
    for targets in _batches(head, judged, splits.targets, config.train.eval_batch_size):
        metrics.update(constant.outputs(targets), targets)
    score = float(metrics.compute()[head.main_metric])
    return {"what": constant.what, "score": float(f"{score:.6g}")}


def _batches(head: Any, part: Any, kind: str, size: int) -> Iterator[Any]:
    """Targets as an evaluation has them."""
    from onlay.data import EachTarget, items_of
    from onlay_train.loaders import collate_of

    collate = collate_of(head)
    if kind in AS_STORED and not hasattr(head, "collate"):
        items: Iterator[Any] = ((0, target) for target in EachTarget(part))
    else:
        items = items_of(part)
    while some := list(islice(items, size)):
        yield collate(some)[1]
