"""Settings, presets as runs, weight decay, and that registering needs no torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from onlay.config.run import RunConfig
from onlay.config.train import TrainConfig
from onlay.errors import AnatomyError, ConfigError
from onlay.host.fit import check_fit
from onlay.testing import tiny_backbone
from onlay_dapt.config import DaptConfig
from onlay_dapt.plugin import make_param_groups, register_methods
from onlay_dapt.presets import PRESETS


def test_defaults_are_the_authors() -> None:
    config = DaptConfig()
    assert (config.rank, config.dropout, config.position) == (64, 0.0, "once")
    assert (config.scale_and_shift, config.prompts, config.freeze_bn) == (True, True, False)
    assert config.prompt_pooling == "mean"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"rank": 0}, "rank"),
        ({"dropout": 1.0}, "dropout"),
        ({"position": "twice"}, "position"),
        ({"prompt_pooling": "sum"}, "prompt_pooling"),
        ({"alpha": 1}, "alpha"),
    ],
)
def test_refuses_what_cannot_be(fields: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DaptConfig.model_validate(fields)
    assert caught.value.errors()[0]["loc"][0] == where


def test_every_setting_says_what_it_is() -> None:
    for name, field in DaptConfig.model_fields.items():
        assert field.description or name == "name", name


def test_a_file_of_settings_reads_back() -> None:
    config = DaptConfig(rank=8, position="every_block", freeze_bn=True)
    assert DaptConfig.model_validate_json(config.model_dump_json()) == config


@pytest.fixture
def run(host: Any, tmp_path: Any) -> Any:
    """`run(preset, **own)`: what a user would write, resolved."""
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")

    def resolve(preset: str, **own: Any) -> RunConfig:
        data = {
            "backbone": {"name": "point_mae", "pretrained": False},
            "method": "dapt",
            "preset": preset,
            "data": {"path": str(tmp_path)},
            **own,
        }
        return RunConfig.model_validate(data, context={"host": host})

    return resolve


@pytest.mark.parametrize(
    ("preset", "points", "groups", "rank", "drop_path", "dropout", "pool"),
    [
        ("obj_bg", 2048, 128, 64, 0.3, 0.5, "cls+prompts+max"),
        ("obj_only", 2048, 128, 64, 0.1, 0.0, "cls+prompts"),
        ("pb_t50_rs", 2048, 128, 64, 0.3, 0.2, "cls+prompts+max"),
        ("modelnet40", 1024, 64, 72, 0.1, 0.0, "cls+max"),
        ("fewshot", 1024, 64, 72, 0.1, 0.0, "cls+max"),
    ],
)
def test_presets_are_the_published_rows(
    run: Any, preset: str, points: int, groups: int, rank: int, drop_path: float, dropout: float,
    pool: str,
) -> None:  # fmt: skip
    resolved = run(preset)
    backbone, method, task = resolved.backbone, resolved.method, resolved.task
    assert (backbone.npoints, backbone.groups, backbone.group_size) == (points, groups, 32)
    assert (method.rank, method.dropout, backbone.drop_path) == (rank, dropout, drop_path)
    assert method.position == "once"  # as in the authors' code, and not as the backbone learnt them
    assert (task.pool, task.hidden, task.hidden_norm, task.dropout) == (
        pool, (256, 256), "batch", 0.5,
    )  # fmt: skip
    assert resolved.data.preprocess.augment == "scale_translate"
    train = resolved.train
    assert (train.epochs, train.warmup_epochs) == (150 if preset == "fewshot" else 300, 10)
    assert (train.lr, train.min_lr, train.warmup_lr) == (5e-4, 1e-6, 1e-6)
    assert (train.batch_size, train.weight_decay, train.clip_grad) == (32, 0.05, 10)


def test_a_preset_names_its_data_and_gives_way_to_the_user(run: Any, tmp_path: Any) -> None:
    data = run("obj_only").data
    assert (data.name, data.variant, data.val_size) == ("scanobjectnn", "obj_only", 0)
    assert data.preprocess.normalize == "none"  # the layout's own default stays
    own = run("obj_bg", data={"name": "cloud_folder", "path": str(tmp_path)}).data
    assert (own.name, own.val_size) == ("cloud_folder", 0.1)
    assert run("modelnet40", method={"name": "dapt", "rank": 8}).method.rank == 8


def test_the_preset_of_part_segmentation(run: Any) -> None:
    resolved = run("shapenet_part")
    assert (resolved.data.name, resolved.task.name) == ("shapenet_part", "part_segmentation")
    assert resolved.task.global_features == "prompts"
    assert (resolved.method.rank, resolved.backbone.class_token) == (32, False)
    assert resolved.method.position == "once"
    assert (resolved.train.lr, resolved.train.batch_size) == (2e-4, 16)


def test_tokens_and_vectors_do_not_decay_and_positions_do(points: Any, adapt: Any) -> None:
    model = adapt(points())
    groups = make_param_groups(model, TrainConfig(weight_decay=0.05))
    assert groups is not None
    decayed, plain = groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.05, 0.0)
    names = {id(p): n for n, p in model.trained_parameters().items()}
    sorted_out = [{names[id(p)] for p in group["params"]} for group in (decayed, plain)]
    assert sorted_out[0] | sorted_out[1] == set(names.values())
    assert {"adapter.thawed.cls_pos", "head.fc.weight"} <= sorted_out[0]
    assert "adapter.blocks.0.mlp_out.branches.0.score.weight" in sorted_out[0]
    assert {"adapter.thawed.cls_token", "adapter.embed_out.rewrites.0.gamma"} <= sorted_out[1]
    assert all(p.ndim > 1 for p in decayed["params"])


def test_other_methods_and_settings_decide_for_themselves(adapt: Any, points: Any) -> None:
    model = adapt(points())
    assert make_param_groups(model, TrainConfig(filter_bias_and_bn=False)) is None
    model.method = model.task  # of another name
    assert make_param_groups(model, TrainConfig()) is None


def test_says_why_it_cannot_run_on_swin() -> None:
    [method] = register_methods()
    swin = frozenset({"sequence", "grid", "hierarchical"})
    with pytest.raises(AnatomyError, match=r"`dapt` cannot run on `swin_tiny`: .* windows of a"):
        check_fit(method, swin, {}, "swin_tiny", DaptConfig())
    check_fit(method, swin, {}, "swin_tiny", DaptConfig(prompts=False))
    check_fit(method, tiny_backbone().anatomy.provides, {}, "vit", DaptConfig())


def test_a_rank_above_the_width_is_refused(adapt: Any) -> None:
    with pytest.raises(ConfigError, match=r"`method\.rank` 17 is more than the 16 numbers"):
        adapt(tiny_backbone(width=16), rank=17)
    adapt(tiny_backbone(width=16), rank=16)


def test_registers_one_method() -> None:
    [method] = register_methods()
    assert method.name == "dapt"
    assert issubclass(method.config, DaptConfig)
    assert dict(method.presets) == dict(PRESETS)


def test_registering_imports_no_torch() -> None:
    code = (
        "import sys, onlay_dapt.plugin as p; list(p.register_methods());"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
