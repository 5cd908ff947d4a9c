"""Objects from a folder of maps to answers on the command line; a run that stopped goes on."""

from __future__ import annotations

import json
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

import onlay
from onlay.cli import main
from onlay.model.pieces import blended
from onlay_dense.data.samples import paint
from onlay_image.data.located import Located

pytest.importorskip("onlay_train", reason="comes with onlay-train")
pytest.importorskip("faster_coco_eval", reason="comes with onlay-dense[detect]")

METHOD = "iconformer" if find_spec("onlay_iconformer") else "bitfit"
SMALL = "{width: 8, box_width: 16, proposals: 32, detections: 16, anchor_scale: 2"


def command(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def discs(home: Path, count: int = 10) -> Path:
    """Bright discs on noise of 64 x 48 pixels, and their maps; one picture has none."""
    chance = np.random.default_rng(0)
    rows, columns = np.mgrid[:48, :64]
    for number in range(count):
        pixels = chance.integers(40, size=(48, 64), dtype=np.uint8)
        own = np.zeros((48, 64), np.uint16)
        for place in range(1, 4 if number else 1):
            middle = 20 * place - 8, 12 + 10 * (number % 3)
            disc = (columns - middle[0]) ** 2 + (rows - middle[1]) ** 2 < 36
            pixels[disc], own[disc] = 230, 1000 * place
        paint(home / f"instances/{number}.png", own)
        (home / "images").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(home / f"images/{number}.png")
    return home


def train(data: Path, out: Path, task: str, *words: str) -> Result:
    return command(
        "train", "backbone=onlay_vit_64", f"method={METHOD}", f"task={task}", f"out={out}",
        "data=instance_folder", f"data.path={data}", "data.labels=[discs]", "data.val_size=2",
        "data.test_size=2", "train.epochs=1", "train.batch_size=2", "train.trackers=[]", *words,
    )  # fmt: skip


def test_masks_are_learnt_judged_and_written(tmp_path):
    torch.set_num_threads(1)
    data, run = discs(tmp_path / "data"), tmp_path / "run"
    task = f"{SMALL}, name: instances, mask_width: 8, score_threshold: 0, threshold: 0.02}}"
    done = train(data, run, task, "train.lr=3e-3")
    assert done.exit_code == 0, done.output
    assert "neck" in done.output
    assert "decoder" in done.output
    (record,) = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    assert 0 <= record["validation_mask_ap"] <= 1
    assert "validation_loss" not in record
    judged = command("eval", str(run), "--json")
    found = json.loads(judged.stdout)
    assert {"mask_ap", "mask_ap50", "mask_ar16", "box_ap", "box_ar_small"} <= found.keys()
    other = command("eval", str(run), f"data.path={discs(tmp_path / 'more', 3)}", "--json")
    assert 0 <= json.loads(other.stdout)["box_ap50"] <= 1
    picture, out = data / "images/3.png", tmp_path / "out"
    told = command("predict", str(run), str(picture), "--json")
    (answer,) = json.loads(told.stdout)
    assert answer["size"] == [48, 64]
    assert answer["objects"][0]["category"] == "discs"
    assert command("predict", str(run), str(picture), "--out", str(out)).exit_code == 0
    results = json.loads((out / "3.json").read_text())
    assert [each["bbox"] for each in results] == [each["bbox"] for each in answer["objects"]]
    assert Image.open(out / "3-overlay.png").size == (64, 48)
    assert "discs" in command("predict", str(run), str(picture)).stdout
    in_their_own_size(run, picture, [each["bbox"] for each in results])


def in_their_own_size(run: Path, picture: Path, boxes: list[list[float]]) -> None:
    """What is judged is what `predict` tells of the picture's own pixels; so are tiles."""
    model = onlay.load(run / "bundle").eval()
    part = Located([picture], [{"boxes": torch.zeros(0, 4)}], model.preprocessing)
    found = blended(model, part.in_full()[0][0].pieces, 1)["boxes"][0]
    torch.testing.assert_close(found[:, :2], torch.tensor(boxes)[:, :2], atol=0.006, rtol=0)
    report = str(picture.parent / "report")
    told = command("eval", str(run), "--own-size", "--report", report, "--json")
    judged = json.loads(told.stdout)
    assert (Path(report) / "per_class.csv").read_text().startswith("class,precision,recall")
    assert 0 <= judged["own_size_mask_ap50"] <= 1
    told = command("predict", str(run), str(picture), "--tile", "64", "--json")
    (answer,) = json.loads(told.stdout)
    assert answer["size"] == [48, 64]
    sides = torch.tensor([each["bbox"] for each in answer["objects"]])
    assert (sides[:, :2] + sides[:, 2:] <= torch.tensor([64.01, 48.01])).all()


def test_a_run_on_boxes_that_stopped_goes_on_bit_for_bit(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    data, task = discs(tmp_path / "data", 8), f"{SMALL}, name: detection}}"
    more = ("data.preprocess.augment=random_resized_crop",)
    whole = train(data, tmp_path / "whole", task, *more)
    assert whole.exit_code == 0, whole.output
    reads, own = [], Located.__getitem__

    def read(part: Located, index: int):
        reads.append(index)
        if len(reads) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return own(part, index)

    with monkeypatch.context() as patched:
        patched.setattr(Located, "__getitem__", read)
        stopped = train(data, tmp_path / "stopped", task, *more)
    assert stopped.exit_code == 128 + signal.SIGTERM, stopped.output
    again = train(data, tmp_path / "stopped", task, *more)
    assert "resumed in epoch 1/1" in again.output
    ends = [tmp_path / out / "bundle/adapter_model.safetensors" for out in ("whole", "stopped")]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def test_boxes_alone_are_no_masks_to_learn(tmp_path):
    notes = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}]
    content = {"images": [], "annotations": notes, "categories": [{"id": 1, "name": "disc"}]}
    content["images"] = [{"id": n, "file_name": f"{n}.png"} for n in range(1, 5)]
    (discs(tmp_path, 5) / "notes.json").write_text(json.dumps(content))
    given = ("data=coco", f"data.path={tmp_path / 'notes.json'}", "train.trackers=[]")
    words = ("train", "backbone=onlay_vit_64", "method=linear", f"out={tmp_path / 'run'}", *given)
    refused = command(*words, "task=instances")
    assert refused.exit_code == 2
    assert "no masks" in refused.output
    assert "`detection`" in refused.output
    assert "Traceback" not in refused.output


def test_data_of_other_targets_are_refused_with_what_fits(tmp_path):
    words = ("backbone=onlay_vit_64", "method=linear", "task=segmentation")
    data = ("data=instance_folder", f"data.path={discs(tmp_path, 3)}")
    refused = command("train", *words, *data, f"out={tmp_path / 'run'}")
    assert refused.exit_code == 2
    assert "objects" in refused.output
