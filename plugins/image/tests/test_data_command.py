"""`onlay data`: everything is read once, and what is wrong is said; files go into tars."""

from __future__ import annotations

import csv
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from onlay.cli import main
from onlay.errors import DataError
from onlay.reading.layouts import WHOLE, Layout
from onlay.reading.listing import Item
from onlay.reading.packing import pack
from onlay_image.data import shards
from onlay_image.data.config import ShardsConfig
from onlay_image.data.samples import draw

PHOTOS = ("data=image_folder", "data.path=photos")


def command(*words: str) -> Result:
    return CliRunner().invoke(main, ["data", *words])


def facts(*words: str) -> dict[str, Any]:
    return json.loads(command("check", *words, "--json").stdout)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six of `a` and four of `b` to train on, two to test."""
    monkeypatch.chdir(tmp_path)
    for number in range(10):
        draw(tmp_path / "photos" / "train" / "aaabb"[number % 5] / f"{number}.png", number)
    for label in "ab":
        draw(tmp_path / "photos" / "test" / label / "x.png", ord(label))
    return tmp_path / "photos"


def test_what_is_sound_is_counted(photos: Path) -> None:
    Image.new("RGB", (30, 20)).save(photos / "train" / "b" / "large.bmp")
    result = command("check", *PHOTOS)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "train       11 items of 2 classes: 6 a, 5 b",
        "test        2 items of 2 classes: 1 a, 1 b",
        "size        12 10 x 14, 1 20 x 30",
        "all is well",
    ]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_all_that_is_wrong_is_said_at_once(photos: Path, workers: str) -> None:
    """Torn files, one picture in two parts, one under two labels, and one that is there twice."""
    train, test = photos / "train", photos / "test"
    for name in ("0.png", "3.png"):
        path = next(train.rglob(name))
        path.write_bytes(path.read_bytes()[:50])
    (test / "a" / "again.png").write_bytes((train / "a" / "1.png").read_bytes())
    (train / "b" / "other.png").write_bytes((train / "a" / "2.png").read_bytes())
    (train / "b" / "twice.png").write_bytes((train / "b" / "4.png").read_bytes())
    result = command("check", *PHOTOS, "--json", "--workers", workers)
    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert found["items"] == 15
    assert found["unreadable"] == [
        f"`photos/train/{name}` cannot be read as an image: it is cut short"
        for name in ("a/0.png", "b/3.png")
    ]
    parts, labels = found["ambiguous"]
    assert parts.startswith("one item is in two parts (`train/a/1.png`, train and `test/a/again.")
    assert labels.startswith("one item is there with two labels (`train/a/2.png`, a and `train/b/o")
    assert found["repeated"] == 1
    assert found["extents"] == [{"extent": [10, 14], "items": 13}]
    assert "2 unreadable, 2 ambiguous" in command("check", *PHOTOS).stdout


def test_classes_that_are_called_almost_alike_are_found(photos: Path) -> None:
    draw(photos / "train" / "A" / "1.png", 50)
    assert (
        "`A` and `a` differ in nothing but upper and lower case" in facts(*PHOTOS)["ambiguous"][0]
    )


def test_what_classes_and_files_are_called_breaks_no_line(photos: Path) -> None:
    (photos / "train" / "a").rename(photos / "train" / "a\n\x1b[31m  b")
    (photos / "test" / "a").rename(photos / "test" / "a\n\x1b[31m  b")
    (photos / "test" / "b" / "torn\n.png").write_bytes(b"\x89PNG")
    lines = command("check", *PHOTOS).stdout.split("\n")
    assert lines[:2] == [
        r"train       10 items of 2 classes: 6 a\n\x1b[31m  b, 4 b",
        r"test        3 items of 2 classes: 2 b, 1 a\n\x1b[31m  b",
    ]
    assert lines[3].startswith(r"unreadable  `photos/test/b/torn\n.png` cannot be read")
    assert lines[4].startswith("ambiguous   the class 'a\\n\\x1b[31m  b' has a line break")
    assert lines[5:] == ["1 unreadable, 1 ambiguous", ""]


def test_a_run_file_says_which_data(photos: Path) -> None:
    Path("run.yaml").write_text("data: {name: image_folder, path: nowhere}\nmethod: unheard_of\n")
    assert facts("run.yaml", "data.path=photos")["items"] == 12


def test_data_that_list_no_files_are_read_as_a_backbone_gets_them(photos: Path) -> None:
    found = facts("data=digits", "data.train_size=20", "backbone=onlay_vit_64")
    assert {part: own["items"] for part, own in found["parts"].items()} == {
        "train": 20,
        "validation": 180,
        "test": 617,
    }
    assert found["extents"] == [{"extent": [3, 64, 64], "items": 817}]
    assert sum(found["parts"]["test"]["classes"].values()) == 617
    assert (found["good"], found["unreadable"]) == (True, [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "say which data"),
        (("photos",), "`photos` is a folder: say `data=NAME data.path=photos`"),
        (("data=digits",), "the data set `digits` lists no files, and is read as a backbone gets"),
        (("data=image_folder", "data.path=nowhere"), "there is no folder `nowhere`"),
        (("train.lr=1",), "`train.lr=1` is no setting of data"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    photos: Path, words: tuple[str, ...], told: str
) -> None:
    result = command("check", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {told}")
    assert result.stderr.count("\n") == 1


def test_packed_images_are_the_files_and_read_as_before(photos: Path) -> None:
    result = command("pack", *PHOTOS, "--out", "tars", "--shards", "20K")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("wrote 12 items into tars: 2 of `train`, 1 of `test` in `tars`")
    assert {path.stat().st_size for path in Path("tars").glob("*.tar")} <= {10240, 20480}
    first = {path.name: path.read_bytes() for path in Path("tars").iterdir()}
    rows = list(csv.DictReader(first["contents.csv"].decode().splitlines()))
    for row in rows:
        with tarfile.open(Path("tars") / row["tar"]) as tar:
            content = tar.extractfile(f"{row['key']}.png").read()
            assert content == (photos / row["item"]).read_bytes()
            assert tar.extractfile(f"{row['key']}.cls").read() == row["label"].encode()
    assert sorted(row["label"] for row in rows) == ["a"] * 7 + ["b"] * 5
    parts = facts("data=shards", "data.path=tars")["parts"]
    assert {name: part["items"] for name, part in parts.items()} == {"train": 10, "test": 2}
    command("pack", *PHOTOS, "--out", "again", "--shards", "20K")
    assert {path.name: path.read_bytes() for path in Path("again").iterdir()} == first


def test_tars_are_packed_anew_into_tars(photos: Path) -> None:
    """What lies in a container is packed like files."""
    command("pack", *PHOTOS, "--out", "tars")
    assert command("pack", "data=shards", "data.path=tars", "--out", "more").exit_code == 0
    found = shards.layout(ShardsConfig(path=Path("more")))
    assert [len(items) for items in found.parts.values()] == [2, 10]


def test_nothing_is_written_over_and_nothing_half_done_stays(photos: Path) -> None:
    lost = Item(photos / "nowhere.png", "a", "nowhere.png")
    good = Item(photos / "train" / "a" / "1.png", "a", "1.png")
    with pytest.raises(DataError, match=r"nowhere\.png` cannot be read"):
        pack(Layout({WHOLE: [good, lost]}), Path("tars"), limit=10**6, seed=0)
    assert sorted(path.name for path in Path().iterdir()) == ["photos"]
    result = command("pack", *PHOTOS, "--out", "photos")
    assert result.exit_code == 2
    assert "`photos` is there and not empty: name another folder" in result.stderr
    result = command("pack", "data=digits", "--out", "tars")
    assert "the data set `digits` lists no files; these do: `" in result.stderr
    result = command("pack", *PHOTOS, "--out", "tars", "--shards", "many")
    assert "`--shards many` is no size: write `512M` or `2G`" in result.stderr
