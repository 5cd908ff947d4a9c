"""Histories as examples: what came before each item, and the item.

Of each user the last item is tested on, the last but one validated on (Kang and McAuley, SASRec,
ICDM 2018).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from onlay.data import Splits
from onlay.errors import DataError
from onlay_example_sequence.config import HistoriesConfig
from onlay_example_sequence.reading import histories
from onlay_example_sequence.words import Encoder

LEAST = 3
"""Items that a history needs to be in all parts."""

Example = tuple[Sequence[str], str]


def build(config: HistoriesConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Items to rank are those that anybody has.

    Raises:
        DataError: what `histories` raises; fewer than two users of three items.
    """
    found = [items for items in histories(config.path) if len(items) >= LEAST]
    if len(found) < 2:
        raise DataError(
            f"`{config.path}` has {len(found)} histories of {LEAST} items or more, and two or more"
            " are needed"
        )
    labels = tuple(sorted({item for items in found for item in items}))
    facts = {name: input_spec[name] for name in ("vocabulary", "length")}
    before = [(items[:n], items[n]) for items in found for n in range(1, len(items) - 2)]
    return Splits(
        train=Histories(before or [(items[:1], items[1]) for items in found], labels, facts),
        validation=Histories([(items[:-2], items[-2]) for items in found], labels, facts),
        test=Histories([(items[:-1], items[-1]) for items in found], labels, facts),
        labels=labels,
        targets="class",
        preprocessing={"modality": "sequence", **facts},
        digest=hashlib.sha256(json.dumps(found).encode()).hexdigest(),
        facts={"notes": _notes(labels, facts)},
    )


def _notes(labels: Sequence[str], facts: Mapping[str, Any]) -> list[str]:
    unknown = sorted(set(labels) - set(facts["vocabulary"]))
    if not unknown:
        return []
    told = ", ".join(f"`{item}`" for item in unknown[:3])
    return [f"{len(unknown)} items are unknown to the backbone in a history: {told}"]


class Histories(Dataset[tuple[Tensor, int]]):
    """Items `(ids (T,), the place of the next item among the labels)`."""

    def __init__(
        self, examples: Sequence[Example], labels: Sequence[str], facts: Mapping[str, Any]
    ) -> None:
        places = {label: place for place, label in enumerate(labels)}
        self.before = [items for items, _ in examples]
        self.targets = [places[item] for _, item in examples]
        self.encode = Encoder(facts)

    def __len__(self) -> int:
        return len(self.before)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.encode(self.before[index]), self.targets[index]
