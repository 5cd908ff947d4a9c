"""A plugin file for the tests: class folders of `.seed` files, each the number of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

import onlay
from onlay.config.data import FilesConfig
from onlay.data import Splits, Whole
from onlay.descriptors import Dataset
from onlay.reading.class_folders import ClassFolders
from onlay.reading.judging import whole as judge
from onlay.reading.listed import listed
from onlay.reading.listing import Item, targets


class SeedsConfig(FilesConfig):
    """Class folders of seeds."""

    name: Literal["seeds"] = "seeds"
    """This data set."""
    path: Path
    """The folder."""


class Seeds(torch.utils.data.Dataset[Any]):
    def __init__(self, items: Sequence[Item], labels: Sequence[str]) -> None:
        self.items, self.targets = items, targets(items, labels)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        chance = torch.Generator().manual_seed(int(self.items[index].source.read_text()))
        return torch.randn(3, 8, 8, generator=chance), self.targets[index]


def folders(config: SeedsConfig) -> ClassFolders:
    return ClassFolders(config.path, {".seed"}, "seed", "cat/1.seed")


def build(config: SeedsConfig, input_spec: Any, seed: int) -> Splits:
    found = listed(folders(config).listing(config), config, "seed", config.labels)
    parts = [
        Seeds(items, found.labels) if items else None for items in found.listing.parts().values()
    ]
    return Splits(
        train=parts[0], validation=parts[1], test=parts[2], labels=found.labels,
        preprocessing={"modality": "image"}, digest=found.digest, facts=found.facts,
    )  # fmt: skip


def whole(config: SeedsConfig, input_spec: Any, labels: Sequence[str]) -> Whole:
    layout = folders(config).layout(config, labels)
    return judge(layout, config, labels, "seed", lambda items: Seeds(items, labels))


@onlay.hookimpl
def register_datasets() -> Any:
    yield Dataset(
        name="seeds", config=SeedsConfig, build=f"{__name__}:build", whole=f"{__name__}:whole",
        modality="image", summary="seeds of pictures",
    )  # fmt: skip
