"""Settings, presets, and that registering needs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

import onlay
from onlay.config.train import TrainConfig
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.testing import tiny_backbone
from onlay_arc.config import ArcConfig
from onlay_arc.plugin import register_methods
from onlay_arc.presets import PRESETS


def test_defaults_are_the_authors() -> None:
    config = ArcConfig()
    assert (config.rank, config.dropout) == (50, 0.1)
    assert config.sites == ("attn.in", "mlp.in")
    assert config.mlp_rescale_init == "xavier"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"rank": 0}, "rank"),
        ({"dropout": 1.0}, "dropout"),
        ({"sites": []}, "sites"),
        ({"sites": ["attn.in", "attn.in"]}, "sites"),
        ({"sites": ["block.out"]}, "sites"),
        ({"alpha": 1}, "alpha"),
    ],
)
def test_refuses_what_cannot_be(fields: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ArcConfig.model_validate(fields)
    assert caught.value.errors()[0]["loc"][0] == where


def test_every_setting_says_what_it_is() -> None:
    for name, field in ArcConfig.model_fields.items():
        assert field.description or name == "name", name


def test_a_file_of_settings_reads_back() -> None:
    config = ArcConfig(rank=8, sites=("attn.in",))
    assert ArcConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_settings(name: str) -> None:
    preset = PRESETS[name]
    ArcConfig.model_validate(preset["method"])
    train = TrainConfig.model_validate(preset["train"])
    assert (train.epochs, train.warmup_epochs, train.clip_grad) == (100, 10, 1.0)
    assert train.min_lr == pytest.approx(1e-6 * train.lr)


def test_presets_by_task_are_the_published_ones() -> None:
    assert len([name for name in PRESETS if name.startswith("vtab1k-swin-")]) == 19
    assert len([name for name in PRESETS if name.startswith("fgvc-")]) == 5
    cub, pets = PRESETS["fgvc-cub"], PRESETS["vtab1k-swin-pets"]
    assert (cub["train"]["lr"], cub["train"]["weight_decay"]) == (1e-3, 0.05)
    assert (pets["train"]["lr"], pets["train"]["weight_decay"]) == (1e-2, 0.05)
    assert pets["method"]["dropout"] == 0.5
    assert PRESETS["fgvc-cars"]["method"]["dropout"] == 0.0


def test_a_rank_above_the_width_is_refused(host: PluginHost) -> None:
    method = {"name": "arc", "rank": 17}
    with pytest.raises(ConfigError, match=r"`method\.rank` 17 is more than the 16 numbers"):
        onlay.adapt(tiny_backbone(width=16), method, num_classes=3, host=host)


def test_registers_one_method() -> None:
    [method] = register_methods()
    assert method.name == "arc"
    assert issubclass(method.config, ArcConfig)


def test_registering_imports_no_torch() -> None:
    code = (
        "import sys, onlay_arc.plugin as p; list(p.register_methods());"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
