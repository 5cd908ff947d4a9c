"""The grids of `onlay demo`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onlay.host import PluginHost

TRAIN = {"epochs": 2, "batch_size": 16, "warmup_epochs": 0.25}
"""As little as shows a difference: all six trainings are to end within two minutes on two cores."""


@dataclass(frozen=True)
class Demo:
    """Methods compared on data that need no download, with a bundled backbone."""

    title: str
    wheel: str
    """What has to be installed for it."""
    base: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    your_own: str
    """What to type for data of one's own; `{method}` is filled in."""
    asked: bool = False
    """Shown only where it is asked for by its name."""
    maps: bool = False
    """Whether answers are maps, which are drawn side by side."""

    def there(self, host: PluginHost) -> bool:
        """Whether its backbone and its data are installed."""
        data = self.base["data"]["name"]
        return self.base["backbone"] in host.backbones and data in host.datasets

    def installed(self, host: PluginHost) -> dict[str, Mapping[str, Any]]:
        """The variants whose method is there."""
        return {label: v for label, v in self.variants.items() if label in host.methods}

    def grid(self, host: PluginHost) -> dict[str, Any]:
        """The content of its grid file: all at a time, for the trainings are of unequal length."""
        variants = self.installed(host)
        return {
            "grid": {"method": variants},
            "base": dict(self.base),
            "where": {"name": "local", "jobs": len(variants)},
        }


DEMOS = {
    "digits": Demo(
        title="scikit-learn's digits, a frozen vision transformer of ours",
        wheel="onlay-image",
        base={
            "backbone": "onlay_vit_64",
            "data": {"name": "digits", "train_size": 600},
            "task": {"name": "classification", "head_norm": "batch"},
            "train": TRAIN,
        },
        variants={
            "linear": {"method": "linear", "train": {"lr": 3e-2}},
            "arc": {"method": "arc", "train": {"lr": 1e-2}},
            "full": {"method": "full", "train": {"lr": 5e-4}},
        },
        your_own="photographs, one folder for each class:\n"
        "  onlay train backbone=onlay_vit_64 method={method} data.name=image_folder"
        " data.path=FOLDER",
    ),
    "shapes": Demo(
        title="generated shapes, a frozen point-cloud transformer of ours",
        wheel="onlay-pointcloud",
        base={
            "backbone": "onlay_points",
            "data": {"name": "shapes", "train_size": 480, "val_size": 60, "test_size": 300},
            "task": {"name": "classification", "head_norm": "batch", "pool": "cls+mean+max"},
            "train": TRAIN,
        },
        variants={
            "linear": {"method": "linear", "train": {"lr": 1e-2}},
            "dapt": {
                "method": "dapt",
                "task": {"pool": "cls+prompts+max"},
                "train": {"lr": 2e-3},
            },
            "full": {"method": "full", "train": {"lr": 5e-4}},
        },
        your_own="point clouds, one folder for each class:\n"
        "  onlay train backbone=onlay_points method={method} data.name=cloud_folder"
        " data.path=FOLDER",
    ),
    "dense": Demo(
        title="nuclei in generated pictures of cells, a frozen vision transformer of ours",
        wheel="onlay-dense",
        base={
            "backbone": "onlay_vit_64",
            "data": {
                "name": "cells",
                "train_size": 200,
                "val_size": 20,
                "test_size": 100,
                "preprocess": {"augment": "flip"},
            },
            "task": {"name": "segmentation", "decoder": "linear", "loss": "ce_dice"},
            "train": {"epochs": 4, "batch_size": 8, "warmup_epochs": 0.25, "pictures": 0},
        },
        variants={
            "linear": {"method": "linear", "train": {"lr": 1e-2}},
            "iconformer": {"method": "iconformer", "train": {"lr": 5e-3}},
            "full": {"method": "full", "train": {"lr": 5e-4}},
        },
        your_own="pictures and masks, in two folders:\n"
        "  onlay train backbone=onlay_vit_64 method={method} task=segmentation"
        " data.name=mask_folder data.path=FOLDER 'data.labels=[background, CLASS]'",
        asked=True,
        maps=True,
    ),
}
