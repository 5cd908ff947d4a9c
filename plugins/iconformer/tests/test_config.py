"""Settings, the preset as a run, and that registering needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from onlay.config.run import RunConfig
from onlay_iconformer.config import IconformerConfig
from onlay_iconformer.plugin import register_methods
from onlay_iconformer.presets import PRESETS


def test_defaults_are_the_readings() -> None:
    c = IconformerConfig()
    assert (c.rank, c.kernel_size, c.generator, c.kernel_norm) == (64, 3, "linear", "bound")
    assert (c.inner_residual, c.activation, c.scale, c.learnable_scale) == (
        True, "relu", 0.1, False,
    )  # fmt: skip
    assert (c.placement, c.prefix_tokens, c.layout) == ("parallel_ffn", "pass", "auto")
    assert c.neighbours == 9 == c.kernel_size**2


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"rank": 0}, "rank"),
        ({"rank": -8}, "rank"),
        ({"kernel_size": 4}, "kernel_size"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"kernel_size": -3}, "kernel_size"),
        ({"generator": "dynamic"}, "generator"),
        ({"kernel_norm": "layer"}, "kernel_norm"),
        ({"activation": "silu"}, "activation"),
        ({"scale": 0}, "scale"),
        ({"scale": float("inf")}, "scale"),
        ({"placement": "parallel"}, "placement"),
        ({"prefix_tokens": "drop"}, "prefix_tokens"),
        ({"layout": "sequence"}, "layout"),
        ({"neighbours": 0}, "neighbours"),
        ({"neighbors": 4}, "neighbors"),
    ],
)
def test_refuses_what_cannot_be(fields: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        IconformerConfig.model_validate(fields)
    (error,) = caught.value.errors()
    assert error["loc"][0] == where


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_odd_kernels(size: int) -> None:
    assert IconformerConfig(kernel_size=size).kernel_size == size


def test_every_setting_says_what_it_is_and_that_it_is_a_reading() -> None:
    """All but `layout`, which only asks for a kind of backbone."""
    fields = {n: f.description or "" for n, f in IconformerConfig.model_fields.items()}
    del fields["name"]
    assert all(fields.values())
    assert "Onlay's own port" in fields.pop("neighbours")
    del fields["layout"]
    assert all("reading" in description for description in fields.values())


def test_a_file_of_settings_reads_back() -> None:
    config = IconformerConfig(generator="se", kernel_size=5, scale=1.0, layout="points")
    assert IconformerConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_runs(preset: str, host: Any, tmp_path: Path) -> None:
    """AdamW as in DyT's code; AdaptFormer's batch norm before the head."""
    pytest.importorskip("onlay_image", reason="the backbone is timm's: onlay-image")
    own = {"name": "image_folder", "path": str(tmp_path)}
    data = {
        "backbone": "vit_base_patch16_224.orig_in21k", "method": "iconformer", "preset": preset,
        "data": own,
    }  # fmt: skip
    run: Any = RunConfig.model_validate(data, context={"host": host})
    norm: Any = "filter" if preset == "filter" else "bound"
    assert run.method == IconformerConfig(kernel_norm=norm)
    assert (run.train.epochs, run.train.warmup_epochs, run.train.batch_size) == (100, 20, 128)
    assert (run.train.lr, run.train.weight_decay, run.train.clip_grad) == (5e-4, 0.01, None)
    assert (run.task.head_norm, run.task.pool) == ("batch", "cls")
    changed = data | {"method": {"name": "iconformer", "rank": 8}, "train": {"lr": 0.01}}
    run = RunConfig.model_validate(changed, context={"host": host})
    assert isinstance(run.method, IconformerConfig)
    assert (run.method.rank, run.train.lr, run.train.epochs) == (8, 0.01, 100)


def test_registers_one_method(host: Any) -> None:
    (method,) = register_methods()
    assert method.name == "iconformer"
    assert "arXiv:2409.02838" in method.citation
    assert method.importer is None
    assert issubclass(host.find("method", "iconformer").config, IconformerConfig)


def test_registering_imports_neither_torch_nor_another_plugin() -> None:
    code = (
        "import sys, onlay_iconformer.plugin as p; list(p.register_methods());"
        " others = {'torch', 'onlay_arc', 'onlay_smoa', 'onlay_image', 'onlay_pointcloud'};"
        " assert not others & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
