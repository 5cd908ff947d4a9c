"""iConFormer from the command line: mistakes in one sentence each, and what it explains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onlay.cli.in_process import onlay

CLOUDS = {"name": "shapes", "train_size": 40, "val_size": 0, "test_size": 20}


@pytest.fixture
def train(refused_run: Any) -> Any:
    """`train("method.rank=0", ...)`: what is said, and nothing else."""
    return refused_run("iconformer")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "method.kernel_size=4",
            "method.kernel_size: must be odd, so that a kernel has a centre (got 4)",
        ),
        ("method.kernel_size=0", "method.kernel_size: must be greater than 0"),
        ("method.rank=0", "method.rank: must be greater than 0"),
        ("method.neighbours=0", "method.neighbours: must be greater than 0"),
        ("method.bottleneck=8", "method.bottleneck: unknown key"),
        (
            "method.generator=linaer",
            "method.generator: must be 'linear', 'conv_pool', 'se' or 'static' (got `linaer`)",
        ),
    ],
)
def test_bad_settings(train: Any, override: str, sentence: str) -> None:
    assert train(override).startswith(sentence)


def test_a_kernel_beyond_the_map(train: Any) -> None:
    assert train("method.kernel_size=19") == (
        "`method.kernel_size` 19 reaches 9 places to each side, and the largest map has 8 x 8; take"
        " 17 or less"
    )


def test_groups_of_an_image(train: Any) -> None:
    assert train("method.layout=points") == (
        "method `iconformer` cannot run on `onlay_vit_64`: `method.layout` is `points`, and its"
        " tokens lie on a `grid`; leave it at `auto`"
    )


@pytest.fixture
def train_points(train: Any) -> Any:
    pytest.importorskip("onlay_pointcloud", reason="the backbone is in onlay-pointcloud")
    return lambda *words: train(*words, backbone="onlay_points", data=CLOUDS)


def test_a_map_of_a_cloud(train_points: Any) -> None:
    assert train_points("method.layout=grid") == (
        "method `iconformer` cannot run on `onlay_points`: `method.layout` is `grid`, and its"
        " tokens lie in `points`; leave it at `auto`"
    )


def test_more_neighbours_than_groups(train_points: Any) -> None:
    assert train_points("method.neighbours=33") == (
        "`method.neighbours` 33 is more than the 32 groups of a cloud; take 32 or fewer"
    )


def test_a_generator_that_needs_a_map(train_points: Any) -> None:
    said = train_points("method.generator=conv_pool")
    assert said.endswith(
        ": `method.generator` `conv_pool` convolves a map, and groups of points lie on none; take"
        " `linear` or `se`"
    )


def test_a_rank_above_the_width(train: Any) -> None:
    assert train("method.rank=193") == (
        "`method.rank` 193 is more than the 192 numbers of a token, and no bottleneck; take 192 or"
        " less"
    )


def test_the_preset_is_for_images(train_points: Any) -> None:
    said = train_points("preset=adaptformer")
    assert said.startswith("preset `adaptformer` is for `image` data")


def test_explain_tells_readings_and_the_preset() -> None:
    result = onlay("explain", "iconformer")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "with 64, one adapter in each block and 3 x 3 kernels the counts on Swin-L and" in words
    assert "The paper has no clouds: this is Onlay's own port" in words
    assert "`parallel_ffn` or `after_ffn` or `after_attn` (default parallel_ffn)" in words
    assert "presets: adaptformer" in words


def test_there_is_nothing_to_import(tmp_path: Path) -> None:
    """The authors published no code, so there are no files of theirs."""
    (tmp_path / "model.pt").write_bytes(b"")
    result = onlay("import", "iconformer", tmp_path / "model.pt", "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "reads no foreign checkpoints: its authors published neither code nor" in line
    assert not (tmp_path / "bundle").exists()
