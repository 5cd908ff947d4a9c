"""Segmentation of one's own pictures and masks, on the command line."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from onlay.cli import main

pytest.importorskip("onlay_train", reason="comes with onlay-train")

BACKBONE = (
    *("backbone.name=timm", "backbone.model=vit_tiny_patch16_224", "backbone.pretrained=false"),
    *("backbone.model_kwargs.embed_dim=24", "backbone.model_kwargs.num_heads=2"),
    *("backbone.model_kwargs.depth=2", "backbone.model_kwargs.patch_size=4"),
)


def train(out: Path, data: Path, *words: str) -> Result:
    given = (*BACKBONE, "backbone.img_size=32", "method=linear", "task=segmentation")
    task = ("task.decoder=linear", "data=mask_folder", f"data.path={data}")
    short = ("train.batch_size=4", "train.trackers=[]", "train.lr=3e-2", f"out={out}")
    return CliRunner().invoke(main, ["train", *given, *task, *short, *words])


def answer(*words: str) -> Any:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def scene(home: Path, number: int, colours: bool = False) -> None:
    """Dark noise with a bright square, 40 pixels wide and 32 high; a corner is void."""
    random = np.random.default_rng(number)
    top, left = random.integers(0, 16, size=2)
    inside = np.zeros((32, 40), bool)
    inside[top : top + 16, left : left + 16] = True
    grey = np.where(inside, 200, 30) + random.integers(0, 40, size=(32, 40))
    values = np.where(inside, 200, 0).astype(np.uint8)
    values[-2:, -2:] = 255
    (home / "images").mkdir(parents=True, exist_ok=True)
    (home / "masks").mkdir(exist_ok=True)
    Image.fromarray(grey.astype(np.uint8)).save(home / "images" / f"{number}.png")
    painted = np.stack([values, values // 2, values * 0], -1) if colours else values
    Image.fromarray(painted).save(home / "masks" / f"{number}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("data")
    for number in range(16):
        scene(home, number)
    return home


MEANS = ("data.values={0: ground, 200: square}", "data.void=[255]", "data.test_size=4")


def test_masks_are_learnt_judged_and_predicted(tmp_path: Path, data: Path) -> None:
    torch.set_num_threads(1)
    run = tmp_path / "run"
    done = train(run, data, *MEANS, "data.val_size=4", "train.epochs=8", "train.opt=adamw")
    assert done.exit_code == 0, done.output
    assert "mask_folder: 8 training, 4 validation, 4 test; 2 classes" in done.output
    assert answer("eval", str(run), "--json")["miou"] > 0.8
    for number in (50, 51):
        scene(other := tmp_path / "other", number, colours=True)
    colours = "data.colours={square: [200, 100, 0], ground: [0, 0, 0], none: [255, 127, 0]}"
    words = [f"data.path={other}", "data.values=null", colours, "data.void=[none]"]
    assert answer("eval", str(run), *words, "--json")["miou"] > 0.8
    refused = CliRunner().invoke(main, ["eval", str(run), *words[:-1]])
    assert refused.exit_code == 2
    assert "the masks have `none`, which this run does not know" in refused.output
    out = tmp_path / "out"
    CliRunner().invoke(main, ["predict", str(run), str(other / "images"), "--out", str(out)])
    found = np.asarray(Image.open(out / "50.png"))
    true = np.asarray(Image.open(other / "masks" / "50.png"))[..., 0] == 200
    assert found.shape == (32, 40)  # of the picture, not of the model
    assert (found == true).mean() > 0.85


def test_a_run_with_scaled_crops_goes_on_as_if_it_had_not_stopped(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the second of four steps; then with two processes that read."""
    from onlay_image.data.located import Located

    torch.set_num_threads(1)
    how = (*MEANS, "data.val_size=0", "data.test_size=0", "train.epochs=1")
    how += ("data.preprocess.augment=scale_crop", "data.preprocess.color_jitter=0.2")
    assert train(tmp_path / "whole", data, *how).exit_code == 0
    seen, own = [], Located.__getitem__

    def item(part: Located, index: int) -> Any:
        seen.append(index)
        if len(seen) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return own(part, index)

    with monkeypatch.context() as patched:
        patched.setattr(Located, "__getitem__", item)
        assert train(tmp_path / "stopped", data, *how).exit_code == 128 + signal.SIGTERM
    again = train(tmp_path / "stopped", data, *how, "train.num_workers=2")
    assert "resumed in epoch 1/1" in again.output
    bundles = [tmp_path / name / "bundle" for name in ("whole", "stopped")]
    one, two = [(path / "adapter_model.safetensors").read_bytes() for path in bundles]
    assert one == two


def test_a_run_is_refused_before_it_starts(tmp_path: Path, data: Path) -> None:
    """One sentence, exit status 2, nothing written: what is wrong with data and settings."""
    for words, said in (
        (("data.labels=[a, b]",), "has the value 200 (row "),
        (("data.values={0: a, 200: b}",), "has the value 255 (row 30, column 38), which is no cl"),
        ((), "what masks hold is not told"),
        (("data.labels=[a]", "data.masks=images"), "which is no class"),
        ((*MEANS, "data.preprocess.aa=trivialaugment"), "rotates and shears pictures"),
        ((*MEANS, "data.test_size=16"), "cannot be split off"),
        ((*MEANS, "train.sampler=balanced"), "needs one class for each sample"),
    ):
        done = train(tmp_path / "run", data, *words)
        assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
        assert said in done.output
        assert "Traceback" not in done.output
    assert not (tmp_path / "run").exists()
