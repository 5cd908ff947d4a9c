"""What becomes of a file, on numbers worked out by hand; and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onlay.errors import DataError

from onlay_my_dataset import config
from onlay_my_dataset.data import Arrays, build

SPEC = {"img_size": [4, 4], "mean": [0.5, 0.0, 0.0], "std": [0.5, 1.0, 2.0]}


def settings(
    folder: Path,
    pixels: np.ndarray,
) -> config.MyDatasetConfig:
    """For a folder with the same image eight times, as cats and dogs in turn."""
    lines = ["file,label"]
    for n in range(8):
        np.save(folder / f"{n}.npy", pixels)
        lines.append(f"{n}.npy,{('cat', 'dog')[n % 2]}")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return config.MyDatasetConfig(path=folder, test_size=2, val_size=2)


def test_pixels_are_resized_and_normalised(tmp_path: Path) -> None:
    given = settings(tmp_path, np.full((8, 6, 3), (255, 51, 0), dtype=np.uint8))
    splits = build(given, SPEC, 0)
    assert splits.labels == ("cat", "dog")
    assert isinstance(splits.train, Arrays)
    assert len(splits.train) == 4  # of 8: two for the test, two to validate on
    image, target = splits.train[0]
    # (255 / 255 - 0.5) / 0.5 = 1, (51 / 255 - 0) / 1 = 0.2, (0 - 0) / 2 = 0
    expected = torch.tensor([1.0, 0.2, 0.0])[:, None, None].expand(3, 4, 4)
    torch.testing.assert_close(image, expected)
    assert target in (0, 1)


def test_an_image_without_colours_is_refused(tmp_path: Path) -> None:
    given = settings(tmp_path, np.zeros((8, 6), dtype=np.uint8))
    with pytest.raises(DataError, match=r"npy` is uint8 \(8, 6\)"):
        build(given, SPEC, 0).train[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    given = settings(tmp_path, np.zeros((8, 6, 3), dtype=np.uint8))
    (tmp_path / "3.npy").unlink()
    with pytest.raises(DataError, match=r"names `3.npy`, which is not there"):
        build(given, SPEC, 0)
