"""The data set object: what it keeps, and what its digest is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_pictures import SPEC, class_folders
from torch.utils.data import DataLoader

from onlay.data import Splits
from onlay_image.data import folder, kept
from onlay_image.data.config import (
    ImageFolderConfig,
)


def in_folder(path: Path, **kwargs: Any) -> Splits:
    return folder.build(ImageFolderConfig(path=path, **kwargs), SPEC, 0)


def test_pictures_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(tmp_path / "train", {"ant": 2, "bee": 1})
    train = in_folder(tmp_path, val_size=0).train
    first = [train[index][0] for index in range(3)]
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert all(torch.equal(train[index][0], pixels) for index, pixels in enumerate(first))
    assert train.kept[0].dtype == torch.uint8
    assert train.kept.bytes == 3 * 3 * 8 * 8


def test_no_more_is_kept_than_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_BYTES", 2 * 3 * 8 * 8)
    class_folders(tmp_path / "train", {"ant": 2, "bee": 1})
    train = in_folder(tmp_path, val_size=0).train
    assert [train[index][1] for index in range(3)] == [0, 0, 1]
    assert sorted(train.kept) == [0, 1]


def test_a_kept_picture_is_not_changed_by_its_users(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"ant": 1, "bee": 1})
    train = in_folder(tmp_path, val_size=0, preprocess={"augment": "flip"}).train
    train[0][0].zero_()
    assert train[0][0].mean() > 0.03


def test_workers_read_the_same(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"ant": 3, "bee": 3})
    train = in_folder(tmp_path, val_size=0).train
    alone = torch.cat([pixels for pixels, _ in DataLoader(train, batch_size=2)])
    loader = DataLoader(train, batch_size=2, num_workers=1)
    assert torch.equal(torch.cat([pixels for pixels, _ in loader]), alone)
