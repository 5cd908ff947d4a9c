"""What a data set's checks are given: the small one that its descriptor's `example` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.data import Splits, item_at, items_of
from onlay.descriptors import Dataset, resolve
from onlay.errors import OnlayError
from onlay.host import PluginHost
from onlay.model.assemble import build_backbone
from onlay.settings import Config
from onlay.testing.small import TINY

SEEN = 12
"""Items of a part that are looked at, over its whole length."""
PARTS = ("train", "validation", "test")
KNOWN = ("", "class", "labels", "numbers")
"""What targets can be that the kit knows; other words are a data set's own."""

Item = tuple[Tensor, Any]


@dataclass(frozen=True, eq=False)
class DatasetCase:
    """A small data set of one layout, written when it is first asked for."""

    host: PluginHost
    dataset: Dataset
    first: bool = True

    def __str__(self) -> str:
        return f"`{self.dataset.name}`"

    @cached_property
    def home(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="onlay-check-")

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        return self.written(Path(self.home.name))

    def written(self, folder: Path) -> Mapping[str, Any]:
        """Write the example and give the settings that read it."""
        example = self.dataset.example
        return resolve(example)(folder) if example else {}

    @cached_property
    def backbone(self) -> BuiltBackbone:
        """A small one of the modality: the plugin's own before others, and the kit's where none is
        installed."""
        own = self.host.owner("dataset", self.dataset.name).name
        for backbone in sorted(
            self.host.backbones.values(),
            key=lambda one: self.host.owner("backbone", one.name).name != own,
        ):
            if backbone.modality == self.dataset.modality and backbone.examples:
                return _first_example(backbone.name, self.host)
        for tiny in (make() for make in TINY.values()):
            if tiny.modality == self.dataset.modality:
                tiny.module.eval()
                return tiny
        raise OnlayError(
            f"no installed backbone of the modality `{self.dataset.modality}` has `examples`, and a"
            " data set is prepared for a backbone"
        )

    @cached_property
    def config(self) -> Config:
        return self.parsed(self.settings)

    def parsed(self, settings: Mapping[str, Any]) -> Config:
        return parse("dataset", {"name": self.dataset.name, **settings}, self.host)

    def read(self, config: Config | None = None, seed: int = 0) -> Splits:
        """Build it as a run does."""
        build = self.host.load("dataset", self.dataset.name, "build")
        return build(config or self.config, self.backbone.input_spec, seed)

    @cached_property
    def splits(self) -> Splits:
        return self.read()

    @cached_property
    def targets(self) -> Mapping[str, list[Any]]:
        """Every target of every part."""
        return {
            name: [target for _, target in items_of(part)] for name, part in parts_of(self.splits)
        }


@lru_cache(maxsize=4)
def _first_example(name: str, host: PluginHost) -> BuiltBackbone:
    """One for all data sets that are prepared for it, none of which changes it."""
    settings = {"name": name, **host.find("backbone", name).examples[0]}
    built = build_backbone(parse("backbone", settings, host), host)
    built.module.eval()
    return built


def parts_of(splits: Splits) -> list[tuple[str, Any]]:
    """The parts that there are, by name."""
    named = ((name, getattr(splits, name)) for name in PARTS)
    return [(name, part) for name, part in named if part is not None]


def some(part: Any, seed: int = 0) -> list[Item]:
    """Items over the whole length of a part, drawn under a seed."""
    torch.manual_seed(seed)
    step = max(1, -(-len(part) // SEEN))
    return [item_at(part, index) for index in range(0, len(part), step)]


def alike(one: Item, other: Item) -> bool:
    """Whether two items are the same, bit for bit."""
    return torch.equal(one[0], other[0]) and _same(one[1], other[1])


def _same(one: Any, other: Any) -> bool:
    """Of two targets."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    return torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def named(target: Any, splits: Splits) -> list[str]:
    """What a target says, in words: its class, its labels, its numbers; of a map of classes how
    many pixels each has, and of other words of a data set's own nothing."""
    if splits.targets not in KNOWN:
        return _mapped(target, splits.labels)
    if splits.targets == "numbers":
        return [f"{name} {x:g}" for name, x in zip(splits.labels, target.tolist(), strict=True)]
    if splits.targets == "labels":
        return [name for name, own in zip(splits.labels, target.tolist(), strict=True) if own == 1]
    return [splits.labels[int(target)]]


def _mapped(target: Any, labels: Sequence[str]) -> list[str]:
    if not isinstance(target, Tensor) or target.is_floating_point() or target.is_complex():
        return []
    values, counts = target[target >= 0].unique(return_counts=True)
    pairs = zip(values.tolist(), counts.tolist(), strict=True)
    return [f"{count} {labels[value]}" for value, count in pairs]


def dataset_cases(name: str, host: PluginHost) -> list[DatasetCase]:
    """The one that `example` writes; without an `example`, the default settings."""
    dataset = host.find("dataset", name)
    needed = [n for n, field in dataset.config.model_fields.items() if field.is_required()]
    if needed and dataset.example is None:
        raise OnlayError(
            f"the data set `{name}` declares no `example`, the import path of a function that"
            f" writes a small one, and its settings need `{needed[0]}`"
        )
    return [DatasetCase(host, dataset)]
