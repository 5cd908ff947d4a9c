"""Settings, presets as runs, and that registering needs no torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import onlay
from onlay.config.run import RunConfig
from onlay.errors import ConfigError
from onlay_smoa.config import SmoaConfig
from onlay_smoa.plugin import register_methods
from onlay_smoa.presets import PRESETS

VTAB = {
    "caltech": 10, "cifar": 0.1, "clevr-count": 1, "clevr-dist": 0.1, "retinopathy": 1, "dmlab": 1,
    "dspr-loc": 1, "dspr-ori": 0.1, "dtd": 0.01, "eurosat": 1, "kitti": 1, "flowers": 1,
    "pets": 0.01, "camelyon": 1, "resisc45": 10, "snorb-azi": 1, "snorb-ele": 1, "sun397": 0.1,
    "svhn": 10,
}  # fmt: skip
"""The scales that Bi-AdaptFormer's authors chose (specification, 2.6)."""


def test_defaults_are_the_readings() -> None:
    c = SmoaConfig()
    assert (c.base, c.experts, c.rank, c.heads, c.query_width) == (
        "adaptformer", 16, 64, None, None,
    )  # fmt: skip
    assert (c.temperature, c.balance_weight, c.balance_temperature) == (0.3, 0.01, 0.3)
    assert (c.dropout, c.jitter, c.scale, c.expert_bias) == (0.1, 0.0, 1.0, True)
    assert (c.normalize_query, c.sharing, c.position) == (True, "stage", "backbone")
    assert (c.block_norm, c.prompts, c.last_prompt, c.class_token) == (True, None, True, True)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"experts": 0}, "experts"),
        ({"heads": 0}, "heads"),
        ({"rank": 0}, "rank"),
        ({"query_width": 0}, "query_width"),
        ({"temperature": 0.0}, "temperature"),
        ({"balance_temperature": -1.0}, "balance_temperature"),
        ({"balance_weight": -0.1}, "balance_weight"),
        ({"jitter": 1.0}, "jitter"),
        ({"dropout": 1.0}, "dropout"),
        ({"base": "lora"}, "base"),
        ({"sharing": "all"}, "sharing"),
        ({"prompt_activation": "relu"}, "prompt_activation"),
        ({"position": "twice"}, "position"),
        ({"top_k": 2}, "top_k"),
    ],
)
def test_refuses_what_cannot_be(fields: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SmoaConfig.model_validate(fields)
    (error,) = caught.value.errors()
    assert error["loc"][0] == where


def test_every_setting_says_what_it_is_and_what_is_a_reading() -> None:
    fields = {n: f.description for n, f in SmoaConfig.model_fields.items() if n != "name"}
    assert all(fields.values())
    left_open = {
        "base", "experts", "heads", "rank", "query_width", "normalize_query", "temperature",
        "balance_weight", "balance_temperature", "jitter", "dropout", "expert_bias", "scale",
        "prompt_activation", "class_token", "position", "learn_temperature",
    }  # fmt: skip
    said = ("reading", "figure", "X-MoE")
    assert all(any(word in (fields[name] or "") for word in said) for name in left_open)


def test_a_file_of_settings_reads_back() -> None:
    config = SmoaConfig(base="dapt", heads=4, prompts=False, scale=0.1)
    assert SmoaConfig.model_validate_json(config.model_dump_json()) == config


def test_a_rank_above_the_width_is_refused(vit: Any, host: Any) -> None:
    """Above that of a token; an expert may be wider inside than its sub-tokens."""
    with pytest.raises(ConfigError, match=r"`method\.rank` 25 is more than the 24 numbers"):
        onlay.adapt(vit(width=24), {"name": "smoa", "rank": 25}, num_classes=3, host=host)


def test_heads_that_do_not_divide_the_width(vit: Any, host: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        onlay.adapt(vit(width=24), {"name": "smoa", "heads": 5}, num_classes=3, host=host)
    assert str(caught.value) == (
        "`method.heads` 5 does not divide the backbone's width 24"
        " (these do: 1, 2, 3, 4, 6, 8, 12, 24)"
    )


@pytest.mark.parametrize(("experts", "query_width"), [(1, 1), (2, 1), (5, 2), (16, 8)])
def test_a_query_is_half_as_wide_as_there_are_experts(
    experts: int, query_width: int, vit: Any, adapt: Any
) -> None:
    model = adapt(vit(), experts=experts)
    (embeddings,) = [p for n, p in model.adapter.named_parameters() if "embeddings" in n]
    assert tuple(embeddings.shape) == (experts, query_width)


@pytest.fixture
def run(host: Any, tmp_path: Path) -> Callable[..., RunConfig]:
    """`run(preset, **own)`: what a user would write, resolved."""

    def resolve(preset: str, **own: Any) -> RunConfig:
        data = {"method": "smoa", "preset": preset, "data": {"path": str(tmp_path)}, **own}
        return RunConfig.model_validate(data, context={"host": host})

    return resolve


def on_vit(run: Any, preset: str, **own: Any) -> RunConfig:
    pytest.importorskip("onlay_image", reason="the backbone is timm's: onlay-image")
    return run(preset, backbone="vit_base_patch16_224.orig_in21k", **({"data": VTAB_DATA} | own))


def on_points(run: Any, preset: str, **own: Any) -> RunConfig:
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    return run(preset, backbone={"name": "point_mae", "pretrained": False}, **own)


VTAB_DATA = {"name": "vtab", "path": "task"}
TWO_DIMENSIONS = [name for name, recipe in PRESETS.items() if recipe["modality"] == "image"]
THREE_DIMENSIONS = [name for name, recipe in PRESETS.items() if recipe["modality"] == "points"]


@pytest.mark.parametrize("preset", TWO_DIMENSIONS)
def test_presets_in_2d(run: Any, preset: str) -> None:
    resolved = on_vit(run, preset)
    method, train = resolved.method, resolved.train
    assert (method.base, method.experts, method.heads) == ("adaptformer", 16, 12)
    assert (method.rank, method.query_width, method.dropout) == (64, 8, 0.1)
    assert method.scale == VTAB.get(preset.removeprefix("vtab1k-"), 1.0)
    assert (train.lr, train.min_lr, train.warmup_lr) == (1e-3, 1e-5, 1e-6)
    assert (train.epochs, train.warmup_epochs, train.batch_size) == (100, 10, 64)
    assert (train.weight_decay, train.filter_bias_and_bn, train.clip_grad) == (1e-4, False, None)
    assert (train.seed, resolved.backbone.drop_path) == (42, 0.1)
    assert resolved.data.preprocess.normalize == "none"


def test_every_task_of_vtab_has_a_preset() -> None:
    assert {*TWO_DIMENSIONS} == {"ax2d_vitb", *(f"vtab1k-{task}" for task in VTAB)}


@pytest.mark.parametrize(
    ("suffix", "layout", "variant", "points", "groups", "augment", "drop_path", "dropout"),
    [
        ("", "scanobjectnn", "pb_t50_rs", 2048, 128, "rotate", 0.3, 0.2),
        ("-obj_bg", "scanobjectnn", "obj_bg", 2048, 128, "rotate", 0.3, 0.5),
        ("-modelnet40", "modelnet40", None, 1024, 64, "scale_translate", 0.1, 0.0),
    ],
)
@pytest.mark.parametrize("library", ["ax3d_uniform", "ax3d_dapt"])
def test_presets_in_3d(
    run: Any, library: str, suffix: str, layout: str, variant: str | None, points: int,
    groups: int, augment: str, drop_path: float, dropout: float,
) -> None:  # fmt: skip
    resolved = on_points(run, library + suffix)
    m, backbone, data, train = (
        resolved.method, resolved.backbone, resolved.data, resolved.train,
    )  # fmt: skip
    sizes = {"ax3d_uniform": ("adaptformer", 16, 6, 64, 8), "ax3d_dapt": ("dapt", 8, 4, 16, 16)}
    assert (m.base, m.experts, m.heads, m.rank, m.query_width) == sizes[library]
    assert (m.dropout, backbone.drop_path) == (dropout, drop_path)
    assert (backbone.npoints, backbone.groups, backbone.group_size) == (points, groups, 32)
    assert not backbone.freeze_bn
    assert (data.name, getattr(data, "variant", None), data.val_size) == (layout, variant, 0)
    assert data.preprocess.augment == augment
    pools = {"ax3d_uniform": "cls+max", "ax3d_dapt": "cls+prompts+max"}
    assert (resolved.task.pool, resolved.task.hidden) == (pools[library], (256, 256))
    assert m.position == "once"  # DAPT's code, on which the 3D results rest
    assert (train.lr, train.min_lr, train.weight_decay) == (5e-4, 1e-6, 0.05)
    assert (train.epochs, train.warmup_epochs, train.batch_size) == (300, 10, 32)
    assert train.clip_grad == 10


def test_a_preset_gives_way_to_the_user(run: Any) -> None:
    own = on_vit(run, "ax2d_vitb", method={"name": "smoa", "experts": 4, "base": "adapter"})
    assert (own.method.experts, own.method.base, own.method.heads) == (4, "adapter", 12)


def test_registers_one_method() -> None:
    (method,) = register_methods()
    assert method.name == "smoa"
    assert "arXiv:2406.03051" in method.citation
    assert len(PRESETS) == len(TWO_DIMENSIONS) + len(THREE_DIMENSIONS) == 20 + 6


def test_registering_imports_neither_torch_nor_another_plugin() -> None:
    code = (
        "import sys, onlay_smoa.plugin as p; list(p.register_methods());"
        " others = {'torch', 'onlay_arc', 'onlay_dapt', 'onlay_image', 'onlay_pointcloud'};"
        " assert not others & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
