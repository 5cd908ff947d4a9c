"""Segmentation on the command line, on a real folder: train, go on, judge, predict, inspect."""

from __future__ import annotations

import io
import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from onlay.cli.in_process import onlay
from onlay.testing.said import refusal

pytest.importorskip("onlay_train", reason="training comes with onlay-train")

SETTINGS = (
    *("backbone=onlay_vit_64", "method=linear", "task.name=segmentation", "task.decoder=linear"),
    *("data.name=mask_folder", "data.values={0: ground, 200: thing}", "data.void=[255]"),
    *("train.epochs=2", "train.batch_size=2", "train.lr=1e-2", "train.grad_accum_steps=2"),
    "train.trackers=[]",
)


def drawn(folder: Path, number: int) -> None:
    """Wide pictures, dark in a square that is the thing; a void corner in every other mask."""
    mask = np.zeros((40, 60), np.uint8)
    mask[5 * number % 20 :, 10:40][:16] = 200
    picture = np.where(mask[..., None] == 200, 40, 220).astype(np.uint8).repeat(3, -1)
    if number % 2:
        mask[:4, :4] = 255
    for name, values in (("images", picture), ("masks", mask)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(folder / name / f"{number}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "things"
    for number in range(8):
        drawn(folder, number)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    whole = onlay(
        "train", *SETTINGS, f"data.path={data}", f"out={out}", "train.early_stopping=null"
    )
    assert whole.exit_code == 0, whole.output
    return out


def good(*words: str) -> Result:
    result = onlay(*words)
    assert result.exit_code == 0, result.output
    return result


def test_a_run_judges_the_confusion_of_all_and_its_report_names_classes(
    run: Path, tmp_path: Path
) -> None:
    """In batches of 1 and of 4 the same, beside what naming one class everywhere reaches."""
    told = [
        json.loads(good("eval", str(run), "--split", "train", "--json", *more).stdout)
        for more in (("--report", str(tmp_path / "report")), ("train.eval_batch_size=1",))
    ]
    names = {"miou", "accuracy", "mean_class", "fw_iou", "iou_ground", "iou_thing"}
    assert names <= told[0].keys()
    assert told[0]["miou"] == (told[0]["iou_ground"] + told[0]["iou_thing"]) / 2
    assert {n: told[0][n] for n in names} == {n: told[1][n] for n in names}
    numbers = json.loads((tmp_path / "report" / "metrics.json").read_text())
    ground = 1 - 16 * 30 / (40 * 60)  # of pictures without void; with it a little less
    assert numbers["trivial"] == "ground everywhere"
    assert numbers["trivial_miou"] == pytest.approx(ground / 2, abs=0.01)
    assert numbers["miou"] == pytest.approx(told[0]["miou"])
    table = (tmp_path / "report" / "per_class.csv").read_text().splitlines()
    assert table[0] == "class,iou,precision,recall,pixels"
    assert [line.split(",")[0] for line in table[1:]] == ["ground", "thing"]
    assert float(table[1].split(",")[1]) == pytest.approx(told[0]["iou_ground"])
    assert "of the pixels wrong" in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("options", "name", "said"),
    [
        (("--own-size",), "own_size", "all of `{}`, each input in its own size"),
        (("--tile", "64"), "tiled", "all of `{}`, each input in its own size, in tiles of 64 x 64"),
    ],
)
def test_pictures_are_judged_in_their_own_size_by_the_masks_that_are_written(
    run: Path, tmp_path: Path, options: tuple[str, ...], name: str, said: str
) -> None:
    """Counted by hand from the files that `predict` writes and those on disk."""
    wide, out = tmp_path / "wide", tmp_path / "out"
    for number in (0, 1):
        drawn(wide, number)
        for path in (wide / "images" / f"{number}.png", wide / "masks" / f"{number}.png"):
            enlarged = np.asarray(Image.open(path)).repeat(2 + number, 0).repeat(2, 1)
            Image.fromarray(enlarged).save(path)
    told = json.loads(good("eval", str(run), f"data.path={wide}", *options, "--json").stdout)
    tiles = options if name == "tiled" else ()
    good("predict", str(run), str(wide / "images"), *tiles, "--out", str(out))
    counts = np.zeros((2, 2))
    for number in (0, 1):
        found = np.asarray(Image.open(out / f"{number}.png"))
        true = np.asarray(Image.open(wide / "masks" / f"{number}.png"))
        assert found.shape == true.shape == (40 * (2 + number), 120)
        np.add.at(counts, ((true[true < 255] > 0).astype(int), found[true < 255]), 1)
    right, either = counts.diagonal(), counts.sum(0) + counts.sum(1) - counts.diagonal()
    assert told[f"{name}_miou"] == pytest.approx((right / either).mean(), abs=1e-9)
    assert told[f"{name}_accuracy"] == pytest.approx(right.sum() / counts.sum(), abs=1e-9)
    assert "miou" not in told
    shown = good("eval", str(run), f"data.path={wide}", *options).stdout
    assert f"{said.format(wide)}, 2 samples" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--overlap", "8"), "`--overlap` is that of tiles"),
        (("--tile", "64", "--overlap", "64"), "tiles of 64 x 64 cannot overlap by 64: give a"),
        (("--tile", "32"), "a tile has 32 x 32 pixels, and the backbone takes 64 x 64"),
        (
            ("--own-size", "--votes", "3"),
            "`--votes` looks at inputs in the model's size: leave out",
        ),
        (("--own-size", "data.preprocess.resize=crop"), "does not see all of a picture"),
    ],
)
def test_sizes_that_make_no_sense(run: Path, words: tuple[str, ...], said: str) -> None:
    assert said in refusal(onlay("eval", str(run), "--split", "train", *words))


def test_a_run_that_was_stopped_goes_on_to_the_same_weights_and_pictures_change_nothing(
    data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "halves"
    words = ("train", *SETTINGS, f"data.path={data}", f"out={out}", "train.trackers=tensorboard")

    from onlay_train.loop import Trainer
    from onlay_train.signals import Stopped

    def stopped(trainer: Trainer) -> None:
        if trainer.state.progress.step == 1:
            raise Stopped(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "answer_stop", stopped)
        assert onlay(*words).exit_code != 0
    assert not (tmp_path / "halves" / "bundle").exists()
    good(*words)
    ends = [each / "bundle" / "adapter_model.safetensors" for each in (out, run)]
    assert ends[0].read_bytes() == ends[1].read_bytes()
    (image,) = logged(out, "validation/0")[-1:]
    panels = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
    assert panels.shape == (128, 4 * 128 + 3 * 4, 3)  # picture, prediction, truth, wrong
    truth = panels[:, 2 * 132 : 2 * 132 + 128].reshape(-1, 3)
    assert {tuple(colour) for colour in truth} <= {(0, 114, 178), (230, 159, 0), (184, 184, 184)}


def logged(out: Path, name: str) -> list[Any]:
    """The pictures under a name in TensorBoard's files below a folder."""
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    (folder,) = {file.parent for file in out.rglob("events*")}
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    return events.Images(name)


def test_predictions_are_pictures_of_classes_as_large_as_the_files(
    data: Path, run: Path, tmp_path: Path
) -> None:
    found = tmp_path / "found"
    result = good("predict", str(run), str(data / "images"), "--json", "--out", str(found))
    records = json.loads(result.stdout)
    assert len(records) == 8
    assert records[0]["size"] == [64, 64]
    assert sum(records[0]["shares"].values()) == pytest.approx(1)
    assert len(result.stdout) < 4000
    with Image.open(found / "3.png") as picture:
        assert (picture.mode, picture.size) == ("P", (60, 40))
        assert set(np.unique(np.asarray(picture))) <= {0, 1}
    table = good("predict", str(run), str(data / "images" / "3.png"), "--csv").stdout
    assert table.splitlines()[0].startswith("path,class,share")


def test_pages_show_the_truth_of_the_runs_own_data_and_of_what_is_given(
    data: Path, run: Path, tmp_path: Path
) -> None:
    def shown(file: Path, *more: str) -> list[str]:
        page = tmp_path / "page.html"
        good("inspect", str(run), str(file), "--out", str(page), *more)
        text = page.read_text(encoding="utf-8")
        return re.findall(r'"title":"((?:prediction|truth|wrong)?: ?[^"]*|classes)"', text)

    own = shown(data / "images" / "1.png")
    assert own[:2] == ["prediction: classes", "truth: classes"]
    assert own[2].startswith("wrong: ")
    elsewhere = tmp_path / "elsewhere"
    drawn(elsewhere, 9)
    new = elsewhere / "images" / "9.png"
    assert shown(new) == ["classes"]
    assert len(shown(new, "--truth", str(elsewhere))) == 3
    assert shown(new, "--truth", str(elsewhere / "masks" / "9.png"))[1] == "truth: classes"
    refused = onlay("inspect", str(run), str(new), "--truth", str(data))
    assert "holds no truth about" in refusal(refused)
    refused = onlay("inspect", str(run / "bundle"), str(new), "--truth", str(data))
    assert "give the run's folder" in refusal(refused)
