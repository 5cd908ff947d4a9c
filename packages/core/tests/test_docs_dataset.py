"""The data set in the documentation: the very file that its page quotes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onlay import PluginHost
from onlay.descriptors import resolve
from onlay.errors import DataError
from onlay.testing import run_checks

FILE = Path(__file__).parents[3] / "docs" / "examples" / "numpy_images.py"
SPEC = {"img_size": [8, 8], "mean": [0.5, 0.0, 0.0], "std": [0.5, 1.0, 1.0]}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginHost]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield PluginHost.discover(files=[FILE])
    sys.modules.pop("numpy_images", None)


@pytest.fixture
def dataset(host: PluginHost) -> Any:
    return host.find("dataset", "numpy_images")


def test_every_image_is_in_one_part_with_its_own_label(dataset: Any, tmp_path: Path) -> None:
    """Image n is all n, so that its normalised red, 2 n / 255 - 1, tells which it is."""
    images = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)
    labels = np.array(["cat", "dog"] * 10)
    np.savez(tmp_path / "a.npz", images=images.repeat(3, 3), labels=labels)
    config = dataset.config(path=tmp_path / "a.npz", test_size=4, val_size=2)
    built = resolve(dataset.build)(config, SPEC, 0)
    assert [len(part) for part in (built.train, built.validation, built.test)] == [14, 2, 4]
    assert built.facts["counts"]["test"] == {"cat": 2, "dog": 2}
    seen = [pair for part in (built.train, built.validation, built.test) for pair in part]
    assert all(image.shape == (3, 8, 8) for image, _ in seen)
    numbers = [round(float(image[0, 0, 0] + 1) * 255 / 2) for image, _ in seen]
    assert sorted(numbers) == list(range(20))
    assert [built.labels[int(label)] for _, label in seen] == [labels[n] for n in numbers]
    red, green, _ = seen[0][0]
    torch.testing.assert_close(red, 2 * green - 1)


def test_it_keeps_the_contract_of_a_data_set(dataset: Any, host: PluginHost) -> None:
    broken = [o for o in run_checks("dataset", "numpy_images", host=host) if not o.good]
    assert not broken


def test_a_missing_file_is_named(dataset: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file `.*gone.npz`"):
        resolve(dataset.build)(dataset.config(path=tmp_path / "gone.npz"), SPEC, 0)


def test_labels_that_are_too_few_are_counted(dataset: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 4, 4, 3), np.uint8), labels=["cat", "dog"])
    with pytest.raises(DataError, match=r"`.*a.npz` has 3 images and 2 labels"):
        resolve(dataset.build)(dataset.config(path=tmp_path / "a.npz"), SPEC, 0)
