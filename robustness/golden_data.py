"""Small pictures and clouds of two kinds each, and tables of them, for the golden runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

PARTS = {"train": 3, "val": 1, "test": 1}
"""Files of each kind."""
LABELS = {"rust": "warm", "moss": "cold|green", "ball": "round", "rod": "long|thin"}
NUMBERS = {"rust": "2.5,-1", "moss": "0.25,3", "ball": "1,0.5", "rod": "4,-2"}
Maker = Callable[[str, np.random.Generator, Path], None]


def make_data(root: Path) -> None:
    """Pictures, clouds, tables of labels and of numbers, and shapes whose points are in parts."""
    make_kinds(root, "pictures", ("rust", "moss"), ".png", picture)
    make_kinds(root, "clouds", ("ball", "rod"), ".npy", cloud)
    make_shapes(root / "parts")


def make_kinds(root: Path, noun: str, kinds: tuple[str, ...], suffix: str, make: Maker) -> None:
    """`train/rust/0.png` and so on, and tables that name the same files."""
    rows = []
    for number, part in enumerate(PARTS):
        for kind in kinds:
            for index in range(PARTS[part]):
                path = Path(noun) / part / kind / f"{index}{suffix}"
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                make(kind, np.random.default_rng([number, kinds.index(kind), index]), root / path)
                rows.append((path.as_posix(), part, kind))
    labels = "".join(f"{path},{LABELS[kind]},{part}\n" for path, part, kind in rows)
    numbers = "".join(f"{path},{NUMBERS[kind]},{part}\n" for path, part, kind in rows)
    (root / f"labels_of_{noun}.csv").write_text(f"path,label,split\n{labels}")
    (root / f"numbers_of_{noun}.csv").write_text(f"path,size,age,split\n{numbers}")


def picture(kind: str, chance: np.random.Generator, path: Path) -> None:
    """8x8 pixels around one colour."""
    colour = {"rust": (180, 80, 40), "moss": (60, 110, 50)}[kind]
    pixels = np.array(colour) + chance.integers(-30, 30, (8, 8, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def cloud(kind: str, chance: np.random.Generator, path: Path) -> None:
    np.save(path, points(kind, chance))


def points(kind: str, chance: np.random.Generator) -> np.ndarray:
    """40 points around the origin, in a ball or along x."""
    scale = {"ball": (1, 1, 1), "rod": (1, 0.1, 0.1)}[kind]
    return (chance.normal(size=(40, 3)) * scale).round(2).astype(np.float32)


def make_shapes(root: Path) -> None:
    """Laptops as ShapeNetPart has them, 40 points in the parts 28 and 29, with no normals."""
    folder = root / "03642806"
    folder.mkdir(parents=True)
    for index in range(sum(PARTS.values())):
        laptop = points("ball", np.random.default_rng([9, index]))
        rows = [f"{x:g} {y:g} {z:g} 0 0 0 {28 + (y > 0)}" for x, y, z in laptop.tolist()]
        (folder / f"{index}.txt").write_text("\n".join(rows) + "\n")
    (root / "synsetoffset2category.txt").write_text("Laptop\t03642806\n")
    (root / "train_test_split").mkdir()
    first = 0
    for part, count in PARTS.items():
        listed = [f"shape_data/03642806/{index}" for index in range(first, first + count)]
        path = root / "train_test_split" / f"shuffled_{part}_file_list.json"
        path.write_text(json.dumps(listed))
        first += count
