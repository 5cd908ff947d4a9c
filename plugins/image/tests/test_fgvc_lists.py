"""Fine-grained data sets as their authors hand them out: text and MATLAB files that the test
writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from small_pictures import SPEC, draw

from onlay.testing.said import fails
from onlay_image.data import fgvc
from onlay_image.data.config import FgvcConfig
from onlay_image.protocols.fgvc import SETS, grid


def birds(root: Path) -> None:
    """Ten a class of two classes; the last two of each for the test."""
    rows = [(f"id-{n}", f"00{1 + n % 2}.Crow/crow {n}.jpg", 1 + n % 2) for n in range(20)]
    for _, name, _ in rows:
        draw(root / "images" / name, 0)
    lines = {
        "images": [f"{key} {name}" for key, name, _ in rows],
        "image_class_labels": [f"{key} {label}" for key, _, label in rows],
        "train_test_split": [f"{key} {int(n < 16)}" for n, (key, *_) in enumerate(rows)],
    }
    for name, own in lines.items():
        (root / f"{name}.txt").write_text("\n".join(own) + "\n")


def dogs(root: Path) -> None:
    for part, count in (("train", 16), ("test", 4)):
        names = [f"n0{n % 2}-Dog/{part}_{n}.jpg" for n in range(count)]
        for name in names:
            draw(root / "Images" / name, 0)
        cells = np.array([[name] for name in names], dtype=object)
        labels = np.array([[1 + n % 2] for n in range(count)])
        (root / "lists").mkdir(exist_ok=True)
        savemat(root / "lists" / f"{part}_list.mat", {"file_list": cells, "labels": labels})


def cars(root: Path) -> None:
    fields = [("bbox_x1", object), ("class", object), ("fname", object)]
    for part, count, name in (("train", 16, "cars_train_annos"), ("test", 4, "")):
        rows = [(1, 1 + n % 2, f"{n:05d}.jpg") for n in range(count)]
        for *_, picture in rows:
            draw(root / f"cars_{part}" / picture, 0)
        (root / "devkit").mkdir(exist_ok=True)
        file = root / "devkit" / f"{name or 'cars_test_annos_withlabels'}.mat"
        savemat(file, {"annotations": np.array([rows], dtype=fields)})


def flowers(root: Path) -> None:
    for number in range(1, 23):
        draw(root / "jpg" / f"image_{number:05d}.jpg", 0)
    savemat(root / "imagelabels.mat", {"labels": np.array([[1 + n % 2 for n in range(22)]])})
    sets = {"trnid": range(1, 17), "valid": (17, 18), "tstid": range(19, 23)}
    savemat(root / "setid.mat", {key: np.array([[*own]]) for key, own in sets.items()})


@pytest.mark.parametrize(
    ("folder", "write", "counts"),
    [
        ("CUB_200_2011", birds, (12, 4, 4)),
        ("stanford_dogs", dogs, (12, 4, 4)),
        ("stanford_cars", cars, (12, 4, 4)),
        ("oxford_flowers102", flowers, (16, 2, 4)),
    ],
)
def test_as_the_authors_hand_them_out(
    folder: str, write: Callable[[Path], None], counts: tuple[int, ...], tmp_path: Path
) -> None:
    """A quarter to validate on, where there is no such part; each class by its share."""
    root = tmp_path / folder
    root.mkdir()
    write(root)
    splits = fgvc.build(FgvcConfig(path=root, val_size=0.25), SPEC, 0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == counts
    assert splits.labels == ("1", "2")
    assert splits.facts["counts"]["test"] == {"1": 2, "2": 2}
    assert "by the authors' lists" in splits.facts["notes"][0]
    (label,) = SETS.found(tmp_path)
    assert f"`{label}`: by the authors' lists" in grid(tmp_path)["report"]["notes"][-1]


def test_lists_that_are_none_are_named(tmp_path: Path) -> None:
    birds(tmp_path)
    (tmp_path / "train_test_split.txt").write_text("id-0 7\n")
    fails(
        lambda: fgvc.build(FgvcConfig(path=tmp_path), SPEC, 0),
        f"`{tmp_path / 'images.txt'}`",
        "do not hold the lists that they should",
    )
    dogs(tmp_path)
    (tmp_path / "images.txt").unlink()
    (tmp_path / "lists" / "train_list.mat").write_bytes(b"no MATLAB")
    fails(lambda: fgvc.build(FgvcConfig(path=tmp_path), SPEC, 0), "train_list.mat`")
