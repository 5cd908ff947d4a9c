"""The authors' recipes as overrides of a run: `preset: pb_t50_rs`.

Sources: what is said of IDPT, and the configurations of PointGST, PPT and STAG. Marked below as
ours: recipes of which we know no more than the training that all of this code shares.

What differs from the scripts: these set the learning rate once an epoch, run 301 epochs and leave
out what is too little for a last batch, and all report the best epoch on the test part; a preset
leaves `train.selection` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Preset = Mapping[str, Any]
TRAIN = {
    "epochs": 300,
    "warmup_epochs": 10,
    "batch_size": 32,
    "lr": 5e-4,
    "min_lr": 1e-6,
    "warmup_lr": 1e-6,
    "weight_decay": 0.05,
    "clip_grad": 10.0,
}
VARIANTS = ("obj_bg", "obj_only", "pb_t50_rs")
HEAD = {"name": "classification", "hidden": [256, 256], "hidden_norm": "batch", "dropout": 0.5}
GELU = {"activation": "gelu"}
ROTATED = {"preprocess": {"augment": "rotate"}}
SCALED = {"preprocess": {"augment": "scale_translate"}}
FEWSHOT = {"name": "modelnet_fewshot", **SCALED}
EPISODE = {"epochs": 150}
MODELNET = {"name": "modelnet40", "val_size": 0, **SCALED}
"""1,024 points in 64 groups."""


def recipe(
    data: Mapping[str, Any],
    pool: str,
    *,
    sizes: tuple[int, int] = (2048, 128),
    drop_path: float = 0.1,
    head: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    **method: Any,
) -> dict[str, Any]:
    """One data set's row; `sizes` are points and groups."""
    points, groups = sizes
    return {
        "modality": "points",
        "backbone": {"npoints": points, "groups": groups, "drop_path": drop_path},
        **({"method": method} if method else {}),
        "data": data,
        "task": {**HEAD, "pool": pool, **(head or {})},
        "train": {**TRAIN, **(train or {})},
    }


def scan(variant: str, augment: Mapping[str, Any]) -> dict[str, Any]:
    """ScanObjectNN: 2,048 points in 128 groups, trained on the whole training part."""
    return {"name": "scanobjectnn", "variant": variant, "val_size": 0, **augment}


def small(data: Mapping[str, Any], pool: str, **row: Any) -> dict[str, Any]:
    return recipe(data, pool, sizes=(1024, 64), **row)


IDPT: Mapping[str, Preset] = {
    "obj_bg": recipe(scan("obj_bg", ROTATED), "prompts"),
    "obj_only": recipe(scan("obj_only", ROTATED), "cls+prompts+max", layer=6),
    "pb_t50_rs": recipe(scan("pb_t50_rs", ROTATED), "cls+prompts+max"),
    "modelnet40": small(MODELNET, "cls+prompts+max"),
    "fewshot": small(FEWSHOT, "cls+prompts+max", train=EPISODE),
}
POINTGST: Mapping[str, Preset] = {
    "obj_bg": recipe(scan("obj_bg", SCALED), "cls+max"),  # ours
    "obj_only": recipe(scan("obj_only", SCALED), "cls+max", chunk=8),
    "pb_t50_rs": recipe(scan("pb_t50_rs", SCALED), "cls+max"),
    "modelnet40": small(MODELNET, "cls+max", chunk=16),
    "fewshot": small(FEWSHOT, "cls+max", train=EPISODE, chunk=16),  # ours
}
STAG: Mapping[str, Preset] = {
    variant: recipe(scan(variant, SCALED), "tokens")
    for variant in VARIANTS  # ours
} | {
    "modelnet40": small(MODELNET, "tokens"),
    "fewshot": small(FEWSHOT, "tokens", train=EPISODE),  # ours
}
PROMPTED: Mapping[str, Any] = {"drop_path": 0.3, "head": GELU}
PPT: Mapping[str, Preset] = {
    variant: recipe(scan(variant, ROTATED), "cls+mean+prompts", **PROMPTED) for variant in VARIANTS
} | {
    "modelnet40": recipe(
        MODELNET,
        "cls+mean+prompts",
        sizes=(8192, 512),
        train={"lr": 1e-4, "batch_size": 22},
        tokens=64,
        **PROMPTED,
    ),
    "fewshot": small(FEWSHOT, "cls+mean+prompts", train=EPISODE, **PROMPTED),  # ours
}
BANK = {"obj_bg": 2309, "obj_only": 2309, "pb_t50_rs": 11392}
"""Clouds to remember: the training part, which the authors' loader cuts to whole batches."""
POINT_PEFT: Mapping[str, Preset] = {
    variant: recipe(scan(variant, ROTATED), "cls+max", bank=BANK[variant])
    for variant in VARIANTS  # ours
} | {
    "modelnet40": small(MODELNET, "cls+max", bank=9843),  # ours
    "fewshot": small(FEWSHOT, "cls+max", train=EPISODE, bank=200),  # ours
}
