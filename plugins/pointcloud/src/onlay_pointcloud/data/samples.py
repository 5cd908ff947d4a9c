"""Small data sets of every layout, for `onlay plugins check`.

Each function writes into an empty folder and gives the settings that read it.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

POINTS = 100
"""Of a cloud."""


def cloud(seed: int) -> np.ndarray:
    """Points (100, 3) float32 in a box of sides 1, 2 and 3."""
    return (np.random.default_rng(seed).random((POINTS, 3)) * [1, 2, 3]).astype(np.float32)


def cloud_folder(folder: Path) -> dict[str, Any]:
    """Class folders without parts."""
    for number in range(24):
        path = folder / ("chair", "table")[number // 12] / f"{number}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, cloud(number))
    return {"path": folder, "val_size": 0.25, "test_size": 0.25}


def cloud_csv(folder: Path) -> dict[str, Any]:
    """A table without a column of parts."""
    rows = ["path,label"]
    for number in range(24):
        np.save(folder / f"{number}.npy", cloud(number))
        rows.append(f"{number}.npy,{('chair', 'table')[number // 12]}")
    (folder / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return {"path": folder / "labels.csv", "val_size": 0.25, "test_size": 0.25}


def shapes(folder: Path) -> dict[str, Any]:
    """Twenty clouds, and ten of each other part; no files."""
    return {"train_size": 20, "val_size": 10, "test_size": 10}


def scanobjectnn(folder: Path) -> dict[str, Any]:
    """The two files of one variant, with all 15 classes."""
    import h5py

    home = folder / "main_split_nobg"
    home.mkdir()
    for part, start, each in (("training", 0, 4), ("test", 1000, 1)):
        numbers = np.arange(15 * each)
        with h5py.File(home / f"{part}_objectdataset.h5", "w") as file:
            file["data"] = np.stack([cloud(start + int(number)) for number in numbers])
            file["label"] = (numbers % 15).astype(np.int32)
    return {"path": folder, "variant": "obj_only", "val_size": 0.25}


def modelnet40(folder: Path) -> dict[str, Any]:
    """Text files with their lists, of two classes."""
    for part, start, each in (("train", 1, 8), ("test", 101, 3)):
        names = [f"{label}_{start + n:04d}" for label in ("chair", "desk") for n in range(each)]
        (folder / f"modelnet40_{part}.txt").write_text("\n".join(names), encoding="utf-8")
        for number, name in enumerate(names, start=start):
            path = folder / name.rpartition("_")[0] / f"{name}.txt"
            path.parent.mkdir(exist_ok=True)
            rows = np.hstack([cloud(number), cloud(10_000 + number)])
            np.savetxt(path, rows, fmt="%.6f", delimiter=",")
    labels = folder / "modelnet40_shape_names.txt"
    labels.write_text("chair\ndesk\n", encoding="utf-8")
    return {"path": folder, "val_size": 0.25}


def modelnet_fewshot(folder: Path) -> dict[str, Any]:
    """One 2-way episode of two shots: tables and airplanes."""
    episode = {
        part: [(cloud(start + n), n % 2, (33, 0)[n % 2]) for n in range(count)]
        for part, start, count in (("train", 0, 4), ("test", 100, 6))
    }
    path = folder / "2way_2shot" / "0.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(episode))
    return {"path": folder, "way": 2, "shot": 2}


def shapenet_part(folder: Path) -> dict[str, Any]:
    """Two categories; points are labelled with their parts in turn."""
    from onlay_pointcloud.data.shapenet_part import CATEGORIES, CATEGORY_FILE

    folders = {"Mug": "03797390", "Rocket": "04099429"}
    rows = "".join(f"{name}\t{number}\n" for name, number in folders.items())
    (folder / CATEGORY_FILE).write_text(rows, encoding="utf-8")
    lists = folder / "train_test_split"
    lists.mkdir()
    for seed, (part, count) in enumerate((("train", 3), ("val", 2), ("test", 2))):
        ids = [f"shape_data/{own}/{part}{n}" for own in folders.values() for n in range(count)]
        (lists / f"shuffled_{part}_file_list.json").write_text(json.dumps(ids), encoding="utf-8")
        for number, name in enumerate(ids):
            _, own, shape = name.split("/")
            parts = CATEGORIES[next(word for word, other in folders.items() if other == own)]
            points = cloud(100 * seed + number)
            rest = np.hstack([np.zeros((POINTS, 3)), np.resize(parts, POINTS)[:, None]])
            (folder / own).mkdir(exist_ok=True)
            np.savetxt(folder / own / f"{shape}.txt", np.hstack([points, rest]), fmt="%.6f")
    return {"path": folder, "train": "train"}


def labelled_clouds(folder: Path) -> dict[str, Any]:
    """Text files of x, y, z and a class, which is told by the height; 24, without parts."""
    for number in range(24):
        points = cloud(number)
        classes = np.digitize(points[:, 2], [1, 2])
        classes[::10] = -1
        rows = np.column_stack([points, classes])
        np.savetxt(folder / f"{number}.txt", rows, fmt="%.6f %.6f %.6f %d")
    return {
        "path": folder,
        "labels": ("low", "middle", "high"),
        "val_size": 0.25,
        "test_size": 0.25,
    }


def cloud_scenes(folder: Path) -> dict[str, Any]:
    """Six scenes of 100 points each on a ground of 1 by 2, as `.npy` files with colours; the class
    is told by the height."""
    for number in range(6):
        points = cloud(number)
        colours = np.random.default_rng(number).integers(0, 256, (POINTS, 3))
        classes = np.digitize(points[:, 2], [1, 2])
        classes[::10] = -1
        np.save(folder / f"{number}.npy", np.column_stack([points, colours, classes]))
    classes = {"labels": ("low", "middle", "high"), "val_size": 1, "test_size": 2}
    return {"path": folder, "block": 0.8, "stride": 0.4, "epoch_blocks": 12, **classes}
