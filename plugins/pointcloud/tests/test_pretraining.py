"""The scripts that make the bundled weights: surfaces, shapes, sensors, losses, resuming."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from onlay_pointcloud import bundled
from onlay_pointcloud.network.point_mae import PointMae

SCRIPTS = Path(__file__).parents[1] / "pretraining"
SHARED = Path(__file__).parents[3] / "pretraining"
Script = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Import one of the pretraining scripts, which lie outside the package."""
    names = {path.stem for path in SCRIPTS.glob("*.py")}
    others = {name: sys.modules.pop(name) for name in names & set(sys.modules)}
    monkeypatch.syspath_prepend(SHARED)
    monkeypatch.syspath_prepend(SCRIPTS)
    yield importlib.import_module
    for name in names & set(sys.modules):
        del sys.modules[name]
    sys.modules.update(others)


def test_points_are_uniform_on_a_box(script: Script) -> None:
    """A 1x1x2 box has an area of 10, of which its two ends are 2."""
    surfaces, rng = script("surfaces"), np.random.default_rng(0)
    points = surfaces.sample(surfaces.box(np.array([1, 1, 2])), 20_000, rng)
    share = np.abs(points) / [0.5, 0.5, 1]
    assert np.allclose(share.max(1), 1)
    assert (share[:, 2] > 1 - 1e-9).mean() == pytest.approx(0.2, abs=0.01)
    assert (points > 0).mean() == pytest.approx(0.5, abs=0.01)


def test_a_torus_and_a_limb_have_their_radii(script: Script) -> None:
    surfaces = script("surfaces")
    x, y, z = np.moveaxis(surfaces.torus(2.0, 0.5), -1, 0)
    assert np.allclose(np.hypot(np.hypot(x, y) - 2, z), 0.5)
    start, end = np.array([1.0, 2, 3]), np.array([1.0, 2, 5])
    x, y, z = np.moveaxis(surfaces.limb(start, end, 0.5, 0.4), -1, 0)
    around = np.hypot(x - 1, y - 2)
    assert np.allclose(around[z < 4].max(), 0.5)
    assert np.allclose(around[z > 4].max(), 0.2)
    assert (z.min(), z.max()) == pytest.approx((3 - 0.45, 5 + 0.18))


def test_a_shape_hangs_on_its_two_numbers_alone(script: Script) -> None:
    procedural = script("procedural")
    first = [procedural.shape(3, number) for number in range(12)]
    np.random.default_rng(0).random(5)
    again = [procedural.shape(3, number) for number in range(12)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({points.tobytes() for points in first}) == 12
    assert not np.array_equal(first[0], procedural.shape(4, 0))
    for points in first:
        assert points.shape == (2048, 3)
        reach = np.linalg.norm(points.astype(np.float32), axis=1).max()
        assert reach == pytest.approx(1, abs=2e-3)
        assert np.abs(points.astype(np.float32).mean(0)).max() < 2e-3


def test_every_kind_of_shape_has_depth(script: Script) -> None:
    procedural, surfaces = script("procedural"), script("surfaces")
    assert sum(procedural.KINDS.values()) == pytest.approx(1)
    for draw in procedural.KINDS:
        clouds = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            clouds.append(surfaces.sample(draw(rng), 500, rng))
            assert np.linalg.eigvalsh(np.cov(clouds[-1].T))[0] > 0, draw.__name__
        assert not np.allclose(clouds[0], clouds[1])


def test_a_sensor_gives_clouds_in_the_unit_sphere_by_its_seed_alone(script: Script) -> None:
    sensor, shape = script("sensor"), script("procedural").shape
    shapes = torch.from_numpy(np.stack([shape(0, number) for number in range(8)])).float()
    seen = [
        sensor.Sensor(512, torch.Generator().manual_seed(seed)).observe(shapes)
        for seed in (0, 0, 1)
    ]
    assert seen[0].shape == (8, 512, 3)
    assert torch.equal(seen[0], seen[1])
    assert not torch.allclose(seen[0], seen[2])
    assert torch.allclose(seen[0].norm(dim=2).amax(1), torch.ones(8))
    assert seen[0].mean(1).abs().max() < 1e-5


def test_what_stands_behind_is_hidden_in_some_views_and_only_there(script: Script) -> None:
    """Two walls 1 apart: a sensor in front sees one of them, a transparent view both."""
    sensor = script("sensor")
    y, z = torch.meshgrid(*[torch.linspace(-0.5, 0.5, 40)] * 2, indexing="ij")
    near, far = torch.full_like(y, -0.5), torch.full_like(y, 0.5)
    walls = torch.stack([torch.stack([x, y, z], -1).flatten(0, 1) for x in (near, far)])
    camera = sensor.Sensor(64, torch.Generator().manual_seed(0))
    camera.direction = lambda like: torch.tensor([1.0, 0, 0]).expand(len(like), 3)
    seen = camera.hide(walls.flatten(0, 1).expand(64, -1, 3)).unflatten(1, (2, -1)).mean(2)
    assert torch.equal(seen[:, 0], torch.ones(64))
    assert set(seen[:, 1].tolist()) == {0.0, 1.0}


def test_chamfer_by_hand(script: Script) -> None:
    """True points at 1 and -1 on x, both made points at 2: from the made ones 1 each, from the
    true ones 1 and 9; the group's mean square radius is 1.
    """
    true = torch.tensor([[[[1.0, 0, 0], [-1, 0, 0]]]])
    made = torch.tensor([[[[2.0, 0, 0], [2, 0, 0]]]])
    by_hand = (1 + (1 + 9) / 2) / 1.002
    assert script("objective").chamfer(made, true).item() == pytest.approx(by_hand, rel=1e-5)
    assert script("objective").chamfer(true, true).item() == 0


def test_description_by_hand(script: Script) -> None:
    """Three of four points at the low corner (cell 0), one at the high one (the last cell)."""
    cloud = torch.tensor([[[-1.0] * 3] * 3 + [[1.0] * 3]])
    told = script("objective").description(cloud)[0]
    cells, quantiles = told[:512], told[512:].view(15, 3)
    assert cells.nonzero().flatten().tolist() == [0, 511]
    assert cells[[0, -1]].tolist() == pytest.approx([(512 * 3 / 4) ** 0.5, (512 / 4) ** 0.5])
    assert quantiles[0].tolist() == [-3, -3, -3]
    assert quantiles[-1].tolist() == [3, 3, 3]


def test_the_last_fifth_of_each_class_is_held_out(script: Script) -> None:
    labels = np.array([0] * 5 + [1] * 10)
    train, judged = script("probe").held_out(labels)
    assert train.tolist() == [0, 1, 2, 3, *range(5, 13)]
    assert judged.tolist() == [4, 13, 14]


def test_two_steps_write_a_file_that_loads_and_the_third_resumes(
    tmp_path: Path, script: Script
) -> None:
    pretrain, pool = script("pretrain"), script("pool")
    script("shards").make_shard((tmp_path / "a.npy", partial(pool.shapes, ()), 0, 0, 3))
    shapes = torch.from_numpy(np.load(tmp_path / "a.npy"))
    assert shapes.shape == (3, 2048, 3)
    options = ["--out", str(tmp_path), "--batch", "2", "--max-steps"]
    run = pretrain.run(pretrain.parse([*options, "2"]), torch.device("cpu"))
    encoder = run.model.pair.student["encoder"]
    start = encoder.blocks.blocks[5].mlp.fc2.weight.clone()
    run.train(shapes)
    assert not torch.equal(start, encoder.blocks.blocks[5].mlp.fc2.weight)
    state = load_file(tmp_path / bundled.FILE)
    PointMae(**bundled.ARCHITECTURE).load_state_dict(state, strict=True)
    resumed = pretrain.run(pretrain.parse([*options, "3"]), torch.device("cpu"))
    assert resumed.step == 2
    assert torch.equal(resumed.model.pair.student["encoder"].cls_token, encoder.cls_token)
    assert torch.equal(resumed.batch(shapes, 2)[0], run.batch(shapes, 2)[0])
    resumed.train(shapes)
    assert resumed.step == 3


def test_distilled_clouds_are_killed_and_continued_to_the_same_bits(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain = script("pretrain")
    small = bundled.ARCHITECTURE | {"width": 24, "depth": 1, "embed": 24, "hidden": (8, 16, 32)}
    monkeypatch.setattr(pretrain, "ARCHITECTURE", small)
    shapes = torch.rand(4, 2048, 3, generator=torch.Generator().manual_seed(0)).half() - 0.5

    def trained(folder: Path, *more: str) -> dict[str, torch.Tensor]:
        folder.mkdir(exist_ok=True)
        chosen = ["--objective", "ibot", "--prototypes", "16", "--batch", "2", "--steps", "3"]
        options = pretrain.parse(["--out", str(folder), *chosen, *more])
        run = pretrain.run(options, pretrain.begun(options))
        run.train(shapes)
        return run.model.state_dict()

    whole = trained(tmp_path / "whole")
    trained(tmp_path / "killed", "--max-steps", "2")
    again = trained(tmp_path / "killed")
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_parts_are_the_nearest_groups_of_each_view_in_turn(script: Script) -> None:
    """Six groups on a line: a third of them are the chosen one and its nearest neighbour."""
    pretrain, sensor = script("pretrain"), script("sensor")
    centres = torch.arange(6.0)[None, :, None] * torch.tensor([1.0, 0, 0])
    centres = torch.cat([centres, centres + 100])  # two views of one shape
    patches = centres[:, :, None].expand(-1, -1, 4, -1)
    camera = sensor.Sensor(4, torch.Generator().manual_seed(0))
    made, where = pretrain.parts((patches, centres), 4, camera)
    assert made.shape == (4, 2, 4, 3)
    assert torch.equal(made[:, :, 0], where)
    assert (where[:, 0, 0] - where[:, 1, 0]).abs().tolist() == [1, 1, 1, 1]
    assert (where[:, 0, 0] > 50).tolist() == [False, True, False, True]


def test_some_families_alone(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    procedural, seen = script("procedural"), []

    def lamp(rng: np.random.Generator) -> list[np.ndarray]:
        seen.append("lamp")
        return procedural.box(np.ones(3))

    def table(rng: np.random.Generator) -> list[np.ndarray]:
        seen.append("table")
        return procedural.box(np.ones(3))

    monkeypatch.setattr(procedural, "KINDS", {lamp: 0.1, table: 0.9})
    for number in range(4):
        procedural.shape(0, number, ("lamp",))
    assert seen == ["lamp"] * 4
