"""Few-shot episodes: which file, labels within the episode, outputs of the head."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from onlay_pointcloud.data import modelnet_fewshot
from onlay_pointcloud.data.config import ModelNetFewshotConfig

OLD = (33, 0, 12)
"""A 3-way episode: table, airplane, desk, in this order."""


@pytest.fixture
def episode(tmp_path: Path, cloud: Callable) -> Callable[..., Path]:
    """`episode("3way_2shot", fold=1, old=(33, 0, 12))`: one pickle; gives the folder of all."""

    def make(folder: str = "3way_2shot", fold: int = 0, old: tuple[int, ...] = OLD) -> Path:
        entries = {
            part: [
                (cloud(60, 100 * new + number + start), new, old[new])
                for number in range(count)
                for new in range(len(old))
            ]
            for part, count, start in (("train", 2, 0), ("test", 4, 50))
        }
        path = tmp_path / folder / f"{fold}.pkl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(entries))
        return tmp_path

    return make


def build(path: Path, spec: dict[str, Any], **config: Any) -> Any:
    own = {"way": 3, "shot": 2} | config
    return modelnet_fewshot.build(ModelNetFewshotConfig(path=path, **own), spec, 0)


@pytest.mark.parametrize("folder", ["3way_2shot", "3way2shot"])
def test_an_episode(episode: Callable, spec: dict[str, Any], folder: str) -> None:
    built = build(episode(folder), spec)
    assert len(built.train) == 6
    assert len(built.test) == 12
    assert built.validation is None
    assert [built.train[i][1] for i in range(6)] == [0, 1, 2, 0, 1, 2]
    assert built.test[4][0].shape == (32, 3)
    assert built.test[4][0].norm(dim=1).max() <= 1 + 1e-6


def test_forty_outputs_or_as_many_as_classes(episode: Callable, spec: dict[str, Any]) -> None:
    published = build(episode(), spec)
    assert len(published.labels) == 40
    assert published.labels[:3] == ("table", "airplane", "desk")
    assert published.facts["counts"]["train"]["airplane"] == 2
    assert sum(published.facts["counts"]["train"].values()) == 6
    small = build(episode(), spec, outputs="way")
    assert small.labels == ("table", "airplane", "desk")
    assert torch.equal(small.test[1][0], published.test[1][0])


def test_folds_and_shots_differ(episode: Callable, spec: dict[str, Any]) -> None:
    first, second = (build(episode(fold=fold), spec, fold=fold) for fold in (0, 1))
    assert first.digest != second.digest
    episode("3way_4shot")
    assert build(episode(), spec, shot=4).digest != first.digest


def test_what_is_wrong_with_an_episode(
    episode: Callable, spec: dict[str, Any], fails: Callable
) -> None:
    root = episode()
    fails(
        lambda: build(root, spec, fold=9),
        "there is no fold 9 of 3-way 2-shot", "3way_2shot/9.pkl", "3way2shot/9.pkl",
    )  # fmt: skip
    fails(lambda: build(episode(old=(3, 40, 1)), spec), "labels outside ModelNet40's 0 to 39")
    fails(lambda: build(episode(old=(3, 4)), spec), "is no 3-way episode", "[(0, 3), (1, 4)]")
    path = root / "3way_2shot" / "0.pkl"
    path.write_bytes(pickle.dumps({"train": []}))
    fails(lambda: build(root, spec), f"`{path}` does not hold `train` and `test` lists")
    path.write_bytes(pickle.dumps({"train": [], "test": [torch.nn.ReLU()]}))
    fails(lambda: build(root, spec), f"`{path}` cannot be read", "it asks for `torch.nn")
