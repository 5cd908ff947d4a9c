"""Small data sets of every layout, of noise, for `onlay plugins check`.

Each function writes into an empty folder and gives the settings that read it.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("ant", "bee", "cat")
EACH = 12
"""Pictures of a class."""


def image_folder(folder: Path) -> dict[str, Any]:
    """Class folders without parts."""
    list(_drawn(folder, ".png"))
    return {"path": folder, "val_size": 0.25, "test_size": 0.25}


def image_csv(folder: Path) -> dict[str, Any]:
    """A table without a column of parts."""
    rows = [(f"pictures/{name}", label) for name, label in _drawn(folder / "pictures", ".bmp")]
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return {"path": folder / "table.csv", "val_size": 0.25, "test_size": 0.25}


def shards(folder: Path) -> dict[str, Any]:
    """Two tars without parts."""
    for number in range(2):
        with tarfile.open(folder / f"all-{number}.tar", "w") as tar:
            for index in range(number, EACH * len(CLASSES), 2):
                _put(tar, f"{index}.png", png(index))
                _put(tar, f"{index}.cls", CLASSES[index // EACH].encode())
    return {"path": folder, "val_size": 0.25, "test_size": 0.25}


def parquet(folder: Path) -> dict[str, Any]:
    """Two tables without parts, in groups of five rows."""
    from onlay.reading.parquet_table import pyarrow

    arrow = pyarrow()
    for number in range(2):
        own = range(number, EACH * len(CLASSES), 2)
        rows = {"image": [png(n) for n in own], "label": [CLASSES[n // EACH] for n in own]}
        path = folder / f"all-{number}.parquet"
        arrow.parquet.write_table(arrow.table(rows), path, row_group_size=5)
    return {"path": folder, "val_size": 0.25, "test_size": 0.25}


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def vtab(folder: Path) -> dict[str, Any]:
    """800 + 200 and a test list, of which a few pictures are enough: 8, 2 and 6."""
    lists: dict[str, str] = {}
    for name, start, count in (("train800", 0, 8), ("val200", 8, 2), ("test", 10, 6)):
        paths = [f"images/{name} set/{number}.png" for number in range(start, start + count)]
        for number, path in enumerate(paths, start=start):
            draw(folder / path, number)
        lists[name] = "".join(f"{path} {number % 2}\n" for number, path in enumerate(paths))
    lists["train800val200"] = lists["train800"] + lists["val200"]
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text(lines, encoding="utf-8")
    return {"path": folder, "train": "train800"}


def few_shot(folder: Path) -> dict[str, Any]:
    """Two pictures of a class to train on, in the lists beside them; nothing is erased, for timm
    does that by Python's generator, which training seeds and the checks do not."""
    drawn = [(f"{label}/{n}.png", n % 2) for n, label in enumerate(("ant", "bee") * 5)]
    for number, (name, _) in enumerate(drawn):
        draw(folder / "images" / name, number)
    lists = {"train_meta.list.num_shot_2.seed_0": drawn[:4], "val_meta.list": drawn[4:6]}
    (folder / "annotations").mkdir()
    for name, own in {**lists, "test_meta.list": drawn[6:]}.items():
        lines = "".join(f"{path} {label}\n" for path, label in own)
        (folder / "annotations" / name).write_text(lines, encoding="utf-8")
    return {"path": folder, "shot": 2, "preprocess": {"reprob": 0.0}}


def fgvc(folder: Path) -> dict[str, Any]:
    """The three lists of CUB's authors beside the pictures, every third of which is for the test;
    what one validates on is drawn from the rest."""
    drawn = [(n, *own) for n, own in enumerate(_drawn(folder / "images", ".png"), start=1)]
    lists = {
        "images": [f"{n} {name}" for n, name, _ in drawn],
        "image_class_labels": [f"{n} {1 + CLASSES.index(label)}" for n, _, label in drawn],
        "train_test_split": [f"{n} {int(n % 3 > 0)}" for n, *_ in drawn],
    }
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"path": folder, "val_size": 0.5}


def _drawn(folder: Path, suffix: str) -> Iterable[tuple[str, str]]:
    """Pictures, their paths below the folder and their classes."""
    for number in range(EACH * len(CLASSES)):
        label = CLASSES[number // EACH]
        name = f"{label}/{number}{suffix}"
        draw(folder / name, number)
        yield name, label


def draw(path: Path, seed: int) -> None:
    """A picture of 14 by 10 pixels of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _noise(seed).save(path)


def png(seed: int) -> bytes:
    """The same as the bytes of a file."""
    file = io.BytesIO()
    _noise(seed).save(file, format="PNG")
    return file.getvalue()


def _noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(256, size=(10, 14, 3), dtype=np.uint8)
    return Image.fromarray(pixels)
