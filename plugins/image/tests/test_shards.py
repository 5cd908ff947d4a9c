"""Tars of images as a data set: parts, labels, and what is wrong in one sentence."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from onlay.data import Blocks, Splits
from onlay.errors import DataError
from onlay_image.data import folder, shards
from onlay_image.data.config import ImageFolderConfig, ShardsConfig
from onlay_image.data.samples import draw, png

SPEC = {
    "img_size": [8, 8],
    "crop_pct": 1.0,
    "interpolation": "bicubic",
    "mean": [0.0, 0.0, 0.0],
    "std": [1.0, 1.0, 1.0],
}
Members = Mapping[str, bytes]


def write(path: Path, members: Members) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def sample(number: int, label: str) -> dict[str, bytes]:
    return {f"{number:03}.png": png(number), f"{number:03}.cls": label.encode()}


def many(first: int, last: int, classes: str = "ab") -> dict[str, bytes]:
    """Samples of the classes in turn."""
    own = (sample(n, classes[n % len(classes)]) for n in range(first, last))
    return {name: content for each in own for name, content in each.items()}


def read(path: Path, **settings: Any) -> Splits:
    return shards.build(ShardsConfig(path=path, **settings), SPEC, 0)


def test_images_are_those_of_the_same_files_in_folders(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / "folder" / "train" / "ab"[number % 2] / f"{number:03}.png", number)
    write(tmp_path / "tars" / "train-000000.tar", many(0, 4))
    loose = folder.build(ImageFolderConfig(path=tmp_path / "folder", val_size=0), SPEC, 0)
    packed = read(tmp_path / "tars", val_size=0)
    order = [0, 2, 1, 3]  # of class folders: a, a, b, b
    for place, number in enumerate(order):
        image, target = packed.train[number]
        assert torch.equal(image, loose.train[place][0])
        assert target == loose.train[place][1] == number % 2
    loader = DataLoader(packed.train, batch_size=2, num_workers=2)
    both = [torch.cat([x for x, _ in batches]) for batches in (loader, DataLoader(packed.train))]
    assert torch.equal(*both)


def test_parts_are_told_by_the_names_of_tars(tmp_path: Path) -> None:
    write(tmp_path / "my-train-000.tar", many(0, 4))
    write(tmp_path / "my-train-001.tar", many(4, 6))
    write(tmp_path / "my-val-000.tar", many(6, 8))
    write(tmp_path / "test" / "x000.tar", many(8, 11))
    found = read(tmp_path)
    sizes = [len(part) for part in (found.train, found.validation, found.test)]
    assert sizes == [6, 2, 3]
    assert found.facts["counts"]["train"] == {"a": 3, "b": 3}
    given = read(tmp_path, parts={"train": "my-val", "test": ["my-train"]}, val_size=0)
    assert (len(given.train), given.validation, len(given.test)) == (2, None, 6)
    whole = shards.whole(ShardsConfig(path=tmp_path), SPEC, ("b", "a"))
    assert len(whole.everything) == 11
    assert whole.everything[0][1] == 1


def test_a_pattern_names_every_tar(tmp_path: Path) -> None:
    for number in (8, 9, 10):
        write(tmp_path / f"train-{number:02}.tar", many(10 * number, 10 * number + 2))
    assert len(read(tmp_path / "train-{08..10}.tar", val_size=0).train) == 6
    (tmp_path / "train-09.tar").unlink()
    told = r"the shard `.*train-09.tar` is missing, which `.*train-\{08..10\}.tar` names"
    with pytest.raises(DataError, match=told):
        read(tmp_path / "train-{08..10}.tar")
    notes = read(tmp_path, val_size=0).facts["notes"]
    assert any("number 9 of `train` is not there" in note for note in notes)


def test_labels_may_be_numbers_and_in_json(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("zebra\nant\n\n")
    write(tmp_path / "a.tar", many(0, 20, "01"))
    numbered = read(tmp_path / "a.tar", classes=tmp_path / "names.txt")
    assert numbered.labels == ("zebra", "ant")
    assert numbered.train.targets.count(0) == numbered.train.targets.count(1) == 7
    told = {f"{n}.json": json.dumps({"y": n % 2}).encode() for n in range(20)}
    write(tmp_path / "b.tar", {f"{n}.jpeg": png(n) for n in range(20)} | told)
    assert read(tmp_path / "b.tar", target="json", label="y").labels == ("0", "1")


def test_in_blocks_one_tar_follows_another(tmp_path: Path) -> None:
    write(tmp_path / "train-0.tar", many(0, 4))
    write(tmp_path / "train-1.tar", many(4, 10, "b"))
    found = read(tmp_path, val_size=0, order="blocks", window=3)
    assert found.train.blocks == Blocks((4, 6), 3)
    assert read(tmp_path, val_size=0).train.blocks is None
    write(tmp_path / "train-0.tar", many(0, 4, "a"))
    notes = read(tmp_path, val_size=0, order="blocks").facts["notes"]
    assert any("train-0.tar` holds one class alone" in note for note in notes)


def _broken_image() -> Members:
    return many(0, 4) | {"002.png": png(2)[:60]}


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (many(0, 4) | {"x/000.png": png(0)}, "has no label `x/000.cls` beside `x/000.png`"),
        (many(0, 4) | {"000.PNG": png(0)}, "two members of one key: `000.png` and `000.PNG`"),
        (_broken_image(), "train-0.tar: 002.png` cannot be read as an image: it is cut short"),
        (many(0, 4) | {"000.cls": b"\xff"}, "train-0.tar: 000.cls` is no text in UTF-8"),
        (many(0, 4) | {"000.cls": b" "}, "train-0.tar: 000.cls` has the label ``, which is none"),
        ({"1.txt": b"words"}, "there are no images to train on"),
    ],
)
def test_what_is_wrong_is_named(members: Members, told: str, tmp_path: Path) -> None:
    write(tmp_path / "train-0.tar", members)
    with pytest.raises(DataError, match=told.replace("(", r"\(")) as caught:
        read(tmp_path, val_size=0)
    assert "\n" not in str(caught.value)


def test_one_image_in_two_parts_is_found_by_its_content(tmp_path: Path) -> None:
    write(tmp_path / "train-0.tar", many(0, 4))
    write(tmp_path / "test-0.tar", sample(2, "a") | sample(7, "b"))
    notes = read(tmp_path, val_size=0).facts["notes"]
    assert (
        "one image is in two parts (`train-0.tar/002`, train and `test-0.tar/002`, test)"
        in notes[0]
    )
    assert len(read(tmp_path, val_size=0, duplicates="drop").train) == 3


def test_a_member_may_be_dicom_or_numpy_or_tiff(tmp_path: Path) -> None:
    """All readers take what is in memory."""
    grey = Image.new("I;16", (9, 9), 65535)
    files = {"a": ".tif", "b": ".png"}
    made = {}
    for label, suffix in files.items():
        content = io.BytesIO()
        grey.save(content, format={".tif": "TIFF", ".png": "PNG"}[suffix])
        made |= {f"{label}{suffix}": content.getvalue(), f"{label}.cls": label.encode()}
    import numpy as np

    content = io.BytesIO()
    np.save(content, np.full((9, 9), 255, np.uint8))
    made |= {"c.npy": content.getvalue(), "c.cls": b"a"}
    write(tmp_path / "train-0.tar", made)
    train = read(tmp_path, val_size=0).train
    assert [float(train[n][0].min()) for n in range(3)] == pytest.approx([1.0, 1.0, 1.0])
