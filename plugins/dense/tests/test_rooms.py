"""Rendered rooms: depths worked out by hand, classes, one seed one room."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from pictures_and_masks import SPEC

from onlay.model.assemble import move_targets
from onlay.reading.part_view import PartView
from onlay_dense.rooms.casting import render
from onlay_dense.rooms.config import RoomsConfig
from onlay_dense.rooms.data import build
from onlay_dense.rooms.scenes import CLASSES, Paint, Scene
from onlay_dense.rooms.solids import Ball, Box, Pillar

FOCAL = 0.5 / np.tan(np.pi / 6)
"""Of a picture whose height is 1."""


def scene(*solids: Any, yaw: float = 0.0, pitch: float = 0.0, eye: float = 1.5) -> Scene:
    """A room from x = -3 to 3, y = 0 to 3, z = -2 to 6."""
    paint = Paint(np.full((2, 3), 0.5), 1.0)
    return Scene(
        room=Box(np.array([0.0, 1.5, 2.0]), np.array([3.0, 1.5, 4.0])),
        solids=solids,
        paints=(paint,) * (3 + len(solids)),
        light=np.array([0.0, 2.9, 1.0]),
        eye=eye,
        yaw=yaw,
        pitch=pitch,
    )


def seen(*solids: Any, size: int = 33, **given: float) -> tuple[Any, np.ndarray, np.ndarray]:
    picture, classes, depth = render(scene(*solids, **given), size, size, np.random.default_rng(0))
    return picture, np.array(CLASSES)[classes], depth


def test_planes_have_the_depths_of_geometry() -> None:
    """Straight on, the ray through a pixel `down` below the middle meets the floor, 1.5 m below the
    eye, at depth 1.5 focal / down; the wall in front is at 6 m in every pixel that shows it."""
    _, classes, depth = seen()
    middle = 16
    assert (classes[middle, middle], depth[middle, middle]) == ("wall", 6)
    for row in (24, 28, 32):
        down = (row - middle) / 33
        assert classes[row, middle] == "floor"
        assert depth[row, middle] == pytest.approx(1.5 * FOCAL / down, rel=1e-6)
        assert classes[2 * middle - row, middle] == "ceiling"  # as far above
        assert depth[2 * middle - row, middle] == pytest.approx(1.5 * FOCAL / down, rel=1e-6)
    assert depth[middle, 32] == pytest.approx(3 * FOCAL / (16 / 33), rel=1e-6)  # the right wall


def test_a_ball_has_the_depth_of_geometry() -> None:
    """On the axis 4 m away with radius 1: 3 in the middle; off the axis by s per metre the root of
    (1 + s²) t² - 8 t + 15 = 0."""
    _, classes, depth = seen(Ball(np.array([0.0, 1.5, 4.0]), 1.0))
    assert (classes[16, 16], depth[16, 16]) == ("ball", 3)
    s = 4 / 33 / FOCAL
    wanted = (8 - np.sqrt(64 - 60 * (1 + s * s))) / (2 * (1 + s * s))
    for row, column in ((20, 16), (12, 16), (16, 20), (16, 12)):
        assert depth[row, column] == pytest.approx(wanted, rel=1e-6)


def test_a_camera_that_looks_down_and_aside_measures_along_its_axis() -> None:
    _, _, depth = seen(pitch=-np.pi / 4)
    assert depth[16, 16] == pytest.approx(1.5 * np.sqrt(2))  # the floor, at 45 degrees
    _, _, depth = seen(yaw=np.pi / 6)
    assert depth[16, 16] == pytest.approx(6.0)  # the right wall: 3 m at a sine of a half
    assert seen(Ball(np.array([2.0, 1.5, 2.0]), 0.5), yaw=np.pi / 4)[2][16, 16] == pytest.approx(
        2 * np.sqrt(2) - 0.5
    )


def test_a_box_and_a_pillar_stand_where_they_are() -> None:
    _, classes, depth = seen(Box(np.array([0.0, 1.0, 3.0]), np.array([0.5, 1.0, 0.5])))
    assert (classes[16, 16], depth[16, 16]) == ("box", 2.5)
    turned = Box(np.array([0.0, 1.0, 3.0]), np.array([0.5, 1.0, 0.5]), turn=np.pi / 4)
    assert seen(turned)[2][16, 16] == pytest.approx(3 - np.sqrt(0.5))  # an edge in front
    _, classes, depth = seen(Pillar(np.array([0.0, 3.0]), 0.5, 1.0))
    assert classes[16, 16] == "wall"  # it ends below the eye
    down = 8 / 33 / FOCAL  # a pixel through which a metre goes that far down
    assert classes[24, 16] == "pillar"
    assert depth[24, 16] == pytest.approx(2.5 if 2.5 * down > 0.5 else 0.5 / down)


def test_what_is_in_the_shadow_is_darker() -> None:
    """A ball between lamp and floor."""
    lit, _, _ = seen(pitch=-np.pi / 3)
    dark, _, _ = seen(Ball(np.array([0.0, 2.0, 1.0]), 0.3), pitch=-np.pi / 3)
    assert dark[16, 16].mean() < lit[16, 16].mean() - 20


def rooms(**given: Any) -> Any:
    return build(RoomsConfig(train_size=6, val_size=3, test_size=3, **given), SPEC, 0)


def items(part: Any, kinds: Any) -> list[Any]:
    move_targets(type("Head", (), {"target_kinds": kinds}), part)
    return [part[n] for n in range(len(part))]


def test_a_room_is_its_seed_and_number() -> None:
    one, again, other = rooms(), rooms(), rooms(rooms_seed=1)
    kinds = {"mask": "mask", "depth": "map"}
    for (x, own), (y, same) in zip(items(one.train, kinds), items(again.train, kinds), strict=True):
        assert torch.equal(x, y)
        assert torch.equal(own["depth"], same["depth"])
    assert not torch.equal(one.train[0][0], other.train[0][0])
    assert not torch.equal(one.train[0][0], one.test[0][0])
    assert (one.digest == again.digest, one.digest == other.digest) == (True, False)
    assert torch.equal(pickle.loads(pickle.dumps(one.train))[3][0], one.train[3][0])


def test_targets_are_what_is_asked_for() -> None:
    both = rooms()
    assert (both.targets, both.labels[0], both.labels[-1]) == (
        "several",
        "mask/floor",
        "depth/depth",
    )
    (_, mask), (_, depth) = (
        items(rooms(targets=kind).train, how)[0]
        for kind, how in (("mask", "mask"), ("depth", "map"))
    )
    assert (mask.dtype, depth.dtype) == (torch.int64, torch.float32)
    assert mask.shape == depth.shape == both.train[0][0].shape[1:]
    assert 0 <= mask.min() <= mask.max() < len(CLASSES) == len(rooms(targets="mask").labels)
    assert 0.3 < depth.min() < depth.max() < 12


def test_folds_render_nothing() -> None:
    train = rooms(targets="depth").train
    own = PartView(train, [4, 1])
    assert not train.targets.scenes.kept
    assert torch.equal(own.targets[0], train.targets[4])
    assert torch.equal(own.targets[-1], own.targets[1:][0])
