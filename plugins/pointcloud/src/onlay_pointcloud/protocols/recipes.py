"""What Point-MAE's, ACT's, ReCon's and DAPT's code shares in fine-tuning."""

from __future__ import annotations

from typing import Any


def recipes(*presets: str, epochs: int = 300) -> dict[str, Any]:
    """A method's preset, else Point-MAE's head and training, full fine-tuning included."""
    return {
        "presets": presets,
        "others": {
            "backbone": {"drop_path": 0.1},
            "task": {
                "name": "classification",
                "pool": "cls+max",
                "hidden": [256, 256],
                "hidden_norm": "batch",
                "dropout": 0.5,
            },
            "train": {
                "epochs": epochs,
                "warmup_epochs": 10,
                "warmup_lr": 1e-6,
                "batch_size": 32,
                "lr": 5e-4,
                "min_lr": 1e-6,
                "weight_decay": 0.05,
                "clip_grad": 10.0,
            },
        },
    }


def sizes(points: int, groups: int) -> dict[str, int]:
    """Of the backbone, whichever it is."""
    return {"npoints": points, "groups": groups, "group_size": 32}


def notes(*own: Any) -> list[Any]:
    """What a report says: a protocol's own sentences, and one about linear probes."""
    probe = (
        "The class token of Point-MAE is not pretrained: `linear` reads it as it was drawn, beside"
        " the maximum over the groups, where published rows of a linear probe train it."
    )
    return [*own, {"say": probe, "when": {"backbone.name": "point_mae", "method.name": "linear"}}]


def search() -> dict[str, Any]:
    """What `--trials` searches, on a tenth of the training part that trials do without."""
    keys = {"train.lr": [5e-5, 5e-3, "log"], "train.weight_decay": [1e-4, 1e-1, "log"]}
    return {"keys": keys, "trials": 12, "settings": {"data.val_size": 0.1}}
