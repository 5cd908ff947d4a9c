"""A training on tars, stopped and gone on with, ends in bitwise the same weights."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from onlay.cli import main
from onlay.reading.tars import Shard
from onlay_image.data.samples import draw

pytest.importorskip("onlay_train", reason="comes with onlay-train")


def train(out: str, *words: str) -> Result:
    given = ("train", "backbone=onlay_vit_64", "method=linear", "data=shards", "data.path=tars")
    how = (
        "data.order=blocks",
        "data.window=2",
        "data.val_size=0",
        "data.preprocess.augment=random_resized_crop",
        "task.pool=mean",
    )
    short = ("train.epochs=1", "train.batch_size=2", "train.trackers=[]", f"out={out}")
    return CliRunner().invoke(main, [*given, *how, *short, *words])


def test_a_stopped_run_goes_on_with_the_image_that_was_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one process to one with a loader's two; `blocks` mixes the images of two tars."""
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    for number in range(12):
        draw(tmp_path / "photos" / "train" / "ab"[number % 2] / f"{number}.png", number)
    pack = ["data", "pack", "data=image_folder", "data.path=photos", "--out=tars", "--shards=20K"]
    assert CliRunner().invoke(main, pack).exit_code == 0
    assert train("whole").exit_code == 0
    reads, own = [], Shard.read

    def read(shard: Shard, number: int) -> bytes:
        reads.append(number)
        if len(reads) == seen + 6:  # in the third step of the epoch
            os.kill(os.getpid(), signal.SIGTERM)
        return own(shard, number)

    seen = 3 * 12  # labels are read, files are looked at, and compared where they are as large
    with monkeypatch.context() as patched:
        patched.setattr(Shard, "read", read)
        stopped = train("stopped")
    assert stopped.exit_code == 128 + signal.SIGTERM, (len(reads), stopped.output)
    again = train("stopped", "train.num_workers=2")
    assert "resumed in epoch 1/1" in again.output
    tensors = [Path(out, "bundle", "adapter_model.safetensors") for out in ("whole", "stopped")]
    assert tensors[0].read_bytes() == tensors[1].read_bytes()
