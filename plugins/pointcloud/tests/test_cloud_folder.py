"""None"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cloud_labels import LABELS
from torch.utils.data import DataLoader

from onlay.data import Splits
from onlay_pointcloud.data import cloud_folder, clouds, preprocess, sampling, splits
from onlay_pointcloud.data.config import CloudFolderConfig, CloudPreprocess


@pytest.fixture
def folder(tmp_path: Path, cloud: Callable, write: Callable) -> Callable[..., Splits]:
    """`folder(count=12, size=50, **config)`: a data set of as many clouds of each class, in files
    of several formats."""

    def make(spec: dict[str, Any], count: int = 12, size: int = 50, **config: Any) -> Splits:
        for label in LABELS:
            for number in range(count):
                suffix = (".npy", ".ply", ".txt", ".pcd", ".laz")[number % 5]
                seed = number + 100 * LABELS.index(label)
                write(tmp_path / label / f"{number}{suffix}", cloud(size, seed))
        return cloud_folder.build(CloudFolderConfig(path=tmp_path, **config), spec, 0)

    return make


def test_a_network_without_groups_takes_clouds_of_any_size() -> None:
    spec = {"npoints": 16, "normalize": "unit_sphere"}
    facts = preprocess.resolve(
        CloudFolderConfig(path=Path(), preprocess={"pad": "repeat"}).preprocess, spec
    )
    assert (facts["npoints"], facts["min_points"]) == (16, 1)


def test_parts_labels_and_facts(folder: Callable, spec: dict[str, Any]) -> None:
    built = folder(spec, count=6, test_size=4, val_size=2)
    assert built.labels == LABELS
    assert [len(built.train), len(built.validation), len(built.test)] == [6, 2, 4]
    assert built.facts["counts"]["test"] == {"chair": 2, "lamp": 2}
    assert built.preprocessing == {
        "modality": "points", "npoints": 32, "min_points": 32, "normalize": "unit_sphere",
    }  # fmt: skip
    for part in (built.train, built.validation, built.test):
        points, target = part[1]
        assert points.shape == (32, 3)
        assert points.dtype == torch.float32
        assert isinstance(target, int)
        assert points.norm(dim=1).max() <= 1 + 1e-6


def test_evaluation_is_what_prediction_reads(folder: Callable, spec: dict[str, Any]) -> None:
    built = folder(spec)
    read = preprocess.reader(built.preprocessing)
    for index in range(len(built.test)):
        points, target = built.test[index]
        path = built.test.clouds.sources[index]
        assert path.parent.name == built.labels[target]
        assert torch.equal(points, read(path))
        assert torch.equal(points, built.test[index][0])


def test_evaluation_keeps_what_nobody_can_change(folder: Callable, spec: dict[str, Any]) -> None:
    built = folder(spec)
    built.test[0][0].zero_()
    assert built.test[0][0].abs().max() > 0.5


def test_sampling_sizes() -> None:
    """The published pools, and their ratio, 75 / 64, elsewhere."""
    sizes = {n: sampling.pool_size(n) for n in (1024, 2048, 4096, 8192, 512)}
    assert sizes == {1024: 1200, 2048: 2400, 4096: 4800, 8192: 8192, 512: 600}


def test_training_shows_random_points_of_the_pool(folder: Callable, spec: dict[str, Any]) -> None:
    """Of 50 points 37 (32 · 75 / 64 = 37.5) are the pool and 32 are shown, none of them twice."""
    train = folder(spec).train
    torch.manual_seed(0)
    seen = [train[0][0] for _ in range(60)]
    assert all(len(points.unique(dim=0)) == 32 for points in seen)
    assert len(torch.cat(seen).unique(dim=0)) == 37
    assert not torch.equal(seen[0], seen[1])
    torch.manual_seed(0)
    assert torch.equal(train[0][0], seen[0]), "chance comes from torch's generator alone"
    whole = train.clouds.cloud(0)
    assert torch.equal(train.kept[0], whole[sampling.farthest(whole, 37)])


def test_farthest_points_are_sought_once(
    folder: Callable, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    search = sampling.farthest_point_sample

    def counted(points_BN3: torch.Tensor, count: int) -> torch.Tensor:
        calls.append(count)
        return search(points_BN3, count)

    monkeypatch.setattr(sampling, "farthest_point_sample", counted)
    built = folder(spec, count=10, test_size=4, val_size=4)
    for _ in range(3):
        for part in (built.train, built.validation, built.test):
            for index in range(len(part)):
                part[index]
    assert sorted(calls) == [32] * 8 + [37] * 12


def test_no_search_where_all_points_are_shown(
    folder: Callable, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "farthest_point_sample", None)
    built = folder(spec, size=32)
    whole = built.test.clouds.cloud(0)
    assert torch.equal(built.test[0][0], whole), "in the order of the file"
    points = built.train[0][0]
    assert torch.equal(points.unique(dim=0), built.train.clouds.cloud(0).unique(dim=0))


def test_augmentation_is_for_training_alone(folder: Callable, spec: dict[str, Any]) -> None:
    built = folder(spec, size=32, preprocess={"augment": "rotate", "rotate_axis": "z"})
    assert torch.equal(built.test[0][0], built.test.clouds.cloud(0))
    shown, whole = built.train[0][0], built.train.clouds.cloud(0)
    torch.testing.assert_close(shown[:, 2].sort().values, whole[:, 2].sort().values)
    assert (shown[:, 0].sort().values - whole[:, 0].sort().values).abs().max() > 1e-3


def test_votes(folder: Callable, spec: dict[str, Any]) -> None:
    """A ballot is the same every time; others see other points, other scales, other shifts."""
    test = folder(spec, preprocess={"augment": "scale_translate"}).test
    first, second = test.votes(0), test.votes(1)
    assert len(first) == len(test)
    state = torch.get_rng_state()
    for index in range(len(test)):
        points, target = first[index]
        assert points.shape == (32, 3)
        assert target == test[index][1]
        assert torch.equal(points, test.votes(0)[index][0])
        assert not torch.equal(points, second[index][0])
        pool = test.pools[index]
        scale = (points.max(0).values - points.min(0).values) / (
            pool.max(0).values - pool.min(0).values
        )
        assert (scale <= 1.5 + 1e-5).all()
        assert scale.std() > 0.01
    assert torch.equal(torch.get_rng_state(), state)


def test_ballots_are_changed_as_in_training(folder: Callable, spec: dict[str, Any]) -> None:
    """Not at all, or turned about z: heights stay, and x and y do not, but their distances."""
    for augment in ("none", "rotate"):
        built = folder(spec, preprocess={"augment": augment, "rotate_axis": "z"})
        for part in (built.test, built.train.plain):
            points, pool = part.votes(0)[1][0], part.pools[1]
            own = pool[torch.cdist(points[:, 2:], pool[:, 2:]).argmin(1)]
            assert torch.equal(points[:, 2], own[:, 2])
            torch.testing.assert_close(points.norm(dim=1), own.norm(dim=1))
            assert ((points - own).abs().max() > 1e-2) == (augment == "rotate")


def test_smaller_clouds_are_refused_or_padded(
    folder: Callable, spec: dict[str, Any], fails: Callable
) -> None:
    fails(lambda: folder(spec, size=20), " has 20 points, and 32 are needed")
    built = folder(spec, size=20, preprocess={"pad": "repeat"})
    shown, whole = built.test[0][0], built.test.clouds.cloud(0)
    assert torch.equal(shown, torch.cat([whole, whole[:12]]))
    points = built.train[0][0]
    assert points.shape == (32, 3)
    assert len(points.unique(dim=0)) == 20
    assert built.preprocessing["min_points"] == 8
    fails(
        lambda: folder(spec, size=7, preprocess={"pad": "repeat"}),
        " has 7 points, and 8 are needed",
    )


def test_fewer_points_than_groups(folder: Callable, spec: dict[str, Any], fails: Callable) -> None:
    fails(
        lambda: folder(spec, preprocess={"npoints": 6}),
        "`preprocess.npoints` is 6, fewer than the backbone's `groups`, 8",
    )


def test_workers_give_the_same(folder: Callable, spec: dict[str, Any]) -> None:
    test = folder(spec).test
    alone = torch.cat([points for points, _ in DataLoader(test, batch_size=2)])
    loader = DataLoader(test, batch_size=2, num_workers=1)
    assert torch.equal(torch.cat([points for points, _ in loader]), alone)


def test_a_large_data_set_is_read_as_it_is_met(
    folder: Callable, spec: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    fails: Callable,
) -> None:  # fmt: skip
    assert len(folder(spec).train.kept.tensors) == len(folder(spec).train)
    monkeypatch.setattr(splits, "READ_AT_ONCE", 1000)
    train = folder(spec).train
    assert train.kept.tensors == {}
    np.save(train.clouds.sources[0], np.full((50, 3), np.nan))
    broken = train.clouds.sources[0]
    broken.write_bytes(b"no more")
    fails(lambda: train[0], f"`{broken}` cannot be read as")
    monkeypatch.setattr(splits, "READ_AT_ONCE", 10**6)
    fails(lambda: cloud_folder.build(CloudFolderConfig(path=tmp_path), spec, 0), f"`{broken}`")


def test_memory_is_bounded(
    folder: Callable, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool of 37 points has 444 bytes: 1,000 hold two."""
    monkeypatch.setattr("onlay_pointcloud.data.kept.KEPT_BYTES", 1000)
    train = folder(spec).train
    assert sorted(train.kept.tensors) == [0, 1]
    assert train.kept.bytes == 888
    assert train[5][0].shape == (32, 3)


def test_the_loader_of_arrays_names_them(cloud: Callable, fails: Callable) -> None:
    bad = cloud()
    bad[3, 1] = np.inf
    named = clouds.Labelled(
        sources=[bad], targets=[0], names=["data.h5/17"], npoints=32,
        load=preprocess.Loader({"npoints": 32, "min_points": 32, "normalize": "none"}),
    )  # fmt: skip
    fails(lambda: named.cloud(0), "`data.h5/17` has a coordinate that is NaN or infinite (point 3)")


def test_all_of_a_folder_is_judged(
    tmp_path: Path, folder: Callable, spec: dict[str, Any], fails: Callable
) -> None:
    folder(spec, count=3, test_size=2, val_size=0)
    config = CloudFolderConfig(path=tmp_path)
    found = cloud_folder.whole(config, spec, ("table", "lamp", "chair"))
    assert [target for _, target in found.everything] == [2] * 3 + [1] * 3
    assert torch.equal(found.everything[0][0], found.everything[0][0])
    fails(lambda: cloud_folder.whole(config, spec, ("lamp",)), "`chair`")
    turned = config.model_copy(update={"preprocess": CloudPreprocess(augment="rotate")})
    ballots = [
        cloud_folder.whole(own, spec, LABELS).everything.votes(0)[0][0] for own in (config, turned)
    ]
    assert torch.equal(ballots[0][:, 1], ballots[1][:, 1])
    assert not torch.equal(ballots[0], ballots[1])
