"""Decoders in run files, on the command line, in the schema, in bundles and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import onlay
from onlay import PluginHost
from onlay.bundle.reading import read_manifest
from onlay.cli import main
from onlay.config import parse
from onlay.config.chosen import choices
from onlay.config.overrides import overridden
from onlay.config.run import BLOCKS
from onlay.errors import ConfigError, UnknownName
from onlay.testing import tiny_backbone, tiny_pyramid

HOST = PluginHost.discover()


def task(**settings: Any) -> Any:
    return parse("task", {"name": "segmentation", **settings}, HOST)


def test_short_forms_and_blocks() -> None:
    assert task().decoder.name == "auto"
    assert task(decoder="upernet").decoder.width == 64
    assert task(decoder={"width": 32}).decoder.model_dump() == {"name": "auto", "width": 32}
    with pytest.raises(ConfigError, match=r"decoder\.widht: unknown key; did you mean `width`"):
        task(decoder={"name": "dpt", "widht": 32})


def test_overrides_reach_into_a_decoder_that_is_named() -> None:
    from onlay.config import resolve

    data = {
        "backbone": {"name": "onlay_vit_64"},
        "method": "linear",
        "data": {"name": "digits"},
        "task": {"name": "segmentation", "decoder": "upernet"},
    }
    assert BLOCKS["task"].inside("decoder", HOST) is not None
    with pytest.raises(ConfigError, match="`segmentation` learns from `mask`"):
        resolve(data, ["task.decoder.width=16"], HOST)  # which is read, and then held against data
    with pytest.raises(ConfigError, match=r"task\.decoder\.widht: unknown key"):
        resolve(data, ["task.decoder.widht=16"], HOST)
    with pytest.raises(ConfigError, match="`loss` holds `ce`, which has no keys"):
        overridden({"task": {"loss": "ce"}}, ["task.loss.x=1"])


def test_the_schema_knows_them() -> None:
    printed = CliRunner().invoke(main, ["schema"]).stdout
    definitions = json.loads(printed)["$defs"]
    place = definitions["SegmentationConfig"]["properties"]["decoder"]
    assert {"auto", "dpt", "linear"} <= set(place["then"]["enum"])
    assert "name" not in place["else"]["required"]  # `auto` is assumed
    assert definitions["DptConfig"]["properties"]["width"]["default"] == 64
    assert "x-onlay" not in printed


def test_explained() -> None:
    shown = CliRunner().invoke(main, ["explain", "dpt"]).stdout
    assert "decoder dpt (onlay-dense" in shown
    assert "width: int, > 0 (default 64)" in shown
    assert "reads 4 maps: maps of one size" in shown
    whole = CliRunner().invoke(main, ["explain", "segmentation"]).stdout
    assert "`dpt` on a plain transformer and `upernet`" in " ".join(whole.split())


def test_a_run_tells_what_was_chosen_before_it_starts(tmp_path: Path) -> None:
    pytest.importorskip("onlay_train")
    words = "train backbone=onlay_vit_64 method=linear task=segmentation data=rooms --dry-run"
    small = ["data.train_size=2", "data.val_size=1", "data.test_size=1", f"out={tmp_path / 'run'}"]
    told = CliRunner().invoke(main, [*words.split(), *small]).stdout.splitlines()
    assert "chosen: task.decoder=dpt" in told
    assert "chosen: task.levels=[1, 2, 4, 5]" in told


OTHERS = """
from onlay import hookimpl
from onlay.descriptors import Decoder
from onlay_dense.decoders.config import UperNetConfig
from typing import Literal

class StairsConfig(UperNetConfig):
    name: Literal["stairs"] = "stairs"

@hookimpl
def register_decoders():
    build = "onlay_dense.decoders.pyramids:build_upernet"
    takes = frozenset({"pyramid"})
    yield Decoder(name="stairs", config=StairsConfig, build=build, takes=takes, summary="planted")
"""


def test_a_decoder_of_somebody_else(tmp_path: Path) -> None:
    """It is fed and named like our own, and who lacks it is told which package has it."""
    (tmp_path / "stairs.py").write_text(OTHERS)
    host = PluginHost.discover(files=[tmp_path / "stairs.py"])
    given = parse("task", {"name": "segmentation", "decoder": "dpt"}, host)
    with pytest.raises(ConfigError, match=r"take `auto` or .* or `stairs` or `upernet`, which it"):
        onlay.adapt(tiny_pyramid(), "linear", task=given, labels=["a", "b"], host=host)
    own = {"name": "segmentation", "decoder": "stairs"}
    model = onlay.adapt(tiny_backbone(), "linear", task=own, labels=["a", "b"], host=host)
    assert list(model.trainable_report().parts) == ["neck", "decoder"]
    model.save_pretrained(tmp_path / "bundle")
    with pytest.raises(
        UnknownName, match=r"needs the decoder `stairs`, which is not installed: .*stairs\.py"
    ):
        onlay.load(tmp_path / "bundle", backbone=tiny_backbone(), host=HOST)


@pytest.mark.parametrize(("make", "name"), [(tiny_backbone, "dpt"), (tiny_pyramid, "upernet")])
def test_what_was_chosen_is_told_and_kept(make: Any, name: str, tmp_path: Path) -> None:
    given = task(decoder={"width": 8})
    model = onlay.adapt(make(), "linear", task=given, labels=["a", "b"])
    assert choices(given, model.task)["decoder"] == name
    levels = list(choices(given, model.task)["levels"])
    counts = model.trainable_report().counts
    assert counts["head"] == 8 * 2 + 2  # the 1 x 1 convolution, and its decoder apart
    assert counts["decoder"] == sum(p.numel() for p in model.head.trunk.decoder.parameters())
    model.save_pretrained(tmp_path / "bundle")
    kept = read_manifest(tmp_path / "bundle").task
    assert (kept["decoder"]["name"], kept["decoder"]["width"], kept["levels"]) == (name, 8, levels)
    again = onlay.load(tmp_path / "bundle", backbone=make())
    images = torch.randn(1, 3, 16, 16)
    assert torch.equal(again(images), model.eval()(images))
