"""Clouds mixed with one another, and points that are lost or shaken."""

from __future__ import annotations

from typing import Any

import torch

from onlay_pointcloud.data.augment import chosen, dropped, jitter
from onlay_pointcloud.data.config import CloudPreprocess, ShapesConfig
from onlay_pointcloud.data.mixing import cutmix
from onlay_pointcloud.data.shapes import build


def test_a_neighbourhood_comes_as_it_is_and_counts_as_much_as_it_has_points() -> None:
    """Clouds are marked by a fourth column; 20 points of each."""
    torch.manual_seed(0)
    marks = torch.arange(3.0).view(3, 1, 1).expand(3, 20, 1)
    clouds = torch.cat([torch.randn(3, 20, 3), marks], dim=2)
    counts = set()
    for _ in range(10):
        mixed, soft = cutmix(clouds, torch.eye(3), 1.0)
        assert mixed.shape == clouds.shape
        for own in range(3):
            came = mixed[own, :, 3] == (own - 1) % 3
            assert torch.equal(mixed[own][~came], clouds[own][~came]), "the others stay in place"
            share = came.float().mean().item()
            torch.testing.assert_close(soft[own, own], torch.tensor(1 - share))
            torch.testing.assert_close(soft[own, own - 1], torch.tensor(share))
            counts.add(int(came.sum()))
            assert rigid(mixed[own][came][:, :3], clouds[own - 1][:, :3])
    assert len(counts) > 3


def rigid(moved: torch.Tensor, source: torch.Tensor) -> bool:
    """Are these points of the source, all shifted alike?"""
    if len(moved) == 0:
        return True
    shifts = source - moved[0]  # one of them is the true one
    return any(bool((torch.cdist(moved + s, source).amin(1) < 1e-4).all()) for s in shifts)


def test_jitter_is_normal_and_cut_off() -> None:
    torch.manual_seed(0)
    noise = jitter(torch.zeros(4000, 3), sigma=0.01, clip=0.02)
    assert noise.abs().max() == 0.02
    assert 0.009 < noise.std() < 0.01
    both = chosen(CloudPreprocess(augment="scale_translate", jitter_sigma=0.01))
    assert both is not None
    assert both(torch.zeros(5, 3)).std(0).max() < 0.03
    assert both(torch.zeros(5, 3)).std(0).min() > 0


def test_lost_points_become_the_first_one() -> None:
    torch.manual_seed(0)
    indices = [dropped(1000, 0.5) for _ in range(100)]
    lost = torch.tensor([float((index[1:] == 0).float().mean()) for index in indices])
    assert 0.4 < lost.max() < 0.55
    assert 0.2 < lost.mean() < 0.3
    assert all(((i == 0) | (i == torch.arange(1000))).all() for i in indices)


def test_a_training_part_loses_points_and_its_plain_view_does_not() -> None:
    spec = {"npoints": 256, "groups": 16, "group_size": 8, "normalize": "unit_sphere"}
    sizes = {"train_size": 2, "val_size": 0, "test_size": 1}
    config = ShapesConfig(**sizes, preprocess=CloudPreprocess(dropout_ratio=0.9))  # type: ignore[arg-type]
    train: Any = build(config, spec, 0).train
    torch.manual_seed(0)
    cloud, plain = train[0][0], train.plain[0][0]
    assert cloud.shape == plain.shape == (256, 3)
    assert len(cloud.unique(dim=0)) < 230
    assert len(plain.unique(dim=0)) == 256
    assert torch.equal(plain, train.plain[0][0])
    assert len(train.targets) == 2
