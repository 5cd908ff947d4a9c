"""Scenes in blocks: which blocks there are, which points these have, what S3DIS looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onlay.cli.in_process import onlay
from onlay.config.fold import FoldConfig
from onlay.errors import BundleError, DataError
from onlay.host import PluginHost
from onlay.model.preprocessing import check
from onlay.reading.folds import one_fold
from onlay_pointcloud.data.labelled_config import CloudScenesConfig
from onlay_pointcloud.data.scenes.cloud_scenes import build, layout, measure, whole
from onlay_pointcloud.data.scenes.cutting import CutScene, Cutting
from onlay_pointcloud.data.scenes.files import S3DIS

SPEC = {"npoints": 16, "groups": 4, "group_size": 4, "normalize": "none"}


def cutting(**changes: Any) -> Cutting:
    usual = {"block": 2.0, "stride": 1.0, "npoints": 4, "least": 2, "normalize": "none", "up": 2}
    return Cutting(**(usual | changes))


def line(count: int) -> np.ndarray:
    """Points at x = 0, 1, 2, ..., y = 5 and z = 7."""
    return np.stack([np.arange(float(count)), np.full(count, 5.0), np.full(count, 7.0)], axis=1)


def test_blocks_overlap_and_the_last_one_ends_where_the_scene_does() -> None:
    """Of 5.5 along x: starts at 0, 1, 2, 3 and 3.5."""
    points = np.vstack([line(6), [5.5, 5, 7]])
    found = {tuple(centre): inside.tolist() for centre, inside in cutting().blocks(points)}
    assert [*found] == [(1, 5), (2, 5), (3, 5), (4, 5), (4.5, 5)]
    assert [*found.values()] == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]
    assert [c.tolist() for c, _ in cutting(block=9.0).blocks(points)] == [[2.75, 5]]
    assert [c.tolist() for c, _ in cutting(up=0).blocks(points)] == [[5, 7]]
    far = np.vstack([line(1), [20.0, 5, 7]])
    assert len([*cutting(least=1).blocks(far)]) == 2, "where nothing is there is no block"
    assert [inside.tolist() for _, inside in cutting().blocks(far)] == [[0, 1], [0, 1]]
    assert cutting().around(far, np.array([0.0, 5])).tolist() == [0, 1], "the nearest, too"


def test_every_point_is_in_an_item_of_each_of_its_blocks() -> None:
    """Seven points in items of four: two items, one point of which is there twice."""
    points = np.random.default_rng(0).random((7, 4)) * [2, 2, 9, 1] + [4, 4, 0, 0]
    cut = CutScene(points, cutting(normalize="none"))
    assert len(cut) == 2
    (first, one), (second, two) = (cut.item(n) for n in range(2))
    together = torch.cat([one, two]).tolist()
    assert sorted({*together}) == [0, 1, 2, 3, 4, 5, 6]
    middle = (points[:, :2].min(0) + points[:, :2].max(0)) / 2
    expected = points - [*middle, 0, 0]
    np.testing.assert_allclose(torch.cat([first, second]), expected[together], atol=1e-6)
    again = CutScene(points, cutting(normalize="none"))
    assert torch.equal(again.item(1)[0], second)


def test_blocks_are_those_about_their_centres() -> None:
    points = np.random.default_rng(2).random((300, 3)).astype(np.float32) * 7
    for centre, inside in cutting(block=1.5, stride=0.7).blocks(points):
        assert inside.tolist() == cutting(block=1.5).around(points, centre).tolist()


def test_a_block_is_normalised_as_a_whole() -> None:
    points = np.random.default_rng(1).random((40, 3))
    cut = CutScene(points, cutting(normalize="unit_sphere", block=5.0))
    parts = [cut.item(n) for n in range(len(cut))]
    inputs = torch.cat([inputs for inputs, _ in parts])
    assert (len(parts), float(inputs.norm(dim=1).max())) == (10, pytest.approx(1, abs=1e-6))
    assert inputs.mean(0).abs().max() < 1e-6


def test_points_at_one_place_lie_in_the_middle_of_their_block() -> None:
    """Ten times the same point, alone in its block: nothing to divide by, and nothing is NaN."""
    points = np.vstack([np.random.default_rng(3).random((40, 3)), np.full((10, 3), 8.1)])
    cut = CutScene(points, cutting(normalize="unit_sphere"))
    items = [cut.item(n) for n in range(len(cut))]
    alone = [inputs for inputs, own in items if min(own.tolist()) >= 40]
    assert alone
    assert all(torch.equal(inputs, torch.zeros(4, 3)) for inputs in alone)
    assert all(inputs.isfinite().all() for inputs, _ in items)


def config(path: Path, **settings: Any) -> CloudScenesConfig:
    return CloudScenesConfig(path=path, **{"block": 1.0, "val_size": 0} | settings)


def scene(seed: int, size: float = 2.0) -> np.ndarray:
    """Rows x, y, z, r, g, b and a class that is told by the height, up to 3."""
    chance = np.random.default_rng(seed)
    points = chance.random((80, 3)) * [size, size, 3] + [100, 200, 0]
    return np.column_stack([points, chance.integers(0, 256, (80, 3)), points[:, 2].astype(int)])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Rooms of areas 1, 2 and 5, as one file each."""
    for n, area in enumerate((1, 1, 2, 5)):
        np.save(tmp_path / f"Area_{area}_office_{n}.npy", scene(n))
    return tmp_path


def test_areas_are_parts_and_their_classes_have_names(published: Path) -> None:
    splits = build(config(published, preprocess={"extra": [3, 4, 5]}, place=True), SPEC, 0)
    assert splits.labels == S3DIS
    assert splits.facts["points"]["test"]["floor"] == (scene(3)[:, 6] == 1).sum()
    assert splits.facts["notes"] == (
        "the test part is Area_5, 1 of 4 scenes (`data.test_area`)",)  # fmt: skip
    assert (len(splits.train), splits.preprocessing["further"]) == (15, 6)
    inputs, classes = splits.train[3]
    assert (inputs.shape, classes.shape) == ((16, 9), (16,))
    share = inputs[:, 6:]
    assert (share.min() >= 0, share.max() <= 1) == (True, True)
    ends = [sorted(scene(n)[:, 2])[::79] for n in range(3)]
    heights = [low + share[:, 2] * (high - low) for low, high in ends]
    assert any((h.floor() == classes).all() for h in heights), "points keep class and colour"
    other = build(config(published, test_area=2), SPEC, 0)
    assert len(other.facts["points"]["test"]) == 13
    with pytest.raises(DataError, match=r"is 3, and the scenes of .* `Area_1`, `Area_2`, `Area_5`"):
        build(config(published, test_area=3), SPEC, 0)


def test_targets_of_evaluation_are_all_points(published: Path) -> None:
    """Each with its own class, in every block that it lies in."""
    part = build(config(published), SPEC, 0).test
    items = [part[n] for n in range(len(part))]  # type: ignore[arg-type, index]
    assert {target["items"] for _, target in items} == {len(items)}
    found: dict[int, set[int]] = {}
    for _, target in items:
        for point, own in zip(target["points"].tolist(), target["classes"].tolist(), strict=True):
            found.setdefault(point, set()).add(own)
    assert sorted(found) == [*range(80)]
    assert [found[n] for n in range(80)] == [{int(own)} for own in scene(3)[:, 6]]


def test_training_draws_by_seed(published: Path) -> None:
    part = build(config(published, epoch_blocks=40), SPEC, 0).train
    assert part.ends.tolist() == [13, 27, 40]  # type: ignore[attr-defined]
    torch.manual_seed(4)
    one = part[7]
    torch.manual_seed(4)
    again = part[7]
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[0], part[7][0])
    ground = one[0][:, :2]
    assert float(ground.abs().max()) <= 0.5 + 1e-4, "a block about the middle"


def test_rooms_as_they_are_published(tmp_path: Path) -> None:
    """The classes are told by the names of files; stairs are clutter, as everywhere."""
    for area in (1, 2):
        room = tmp_path / f"Area_{area}" / "hall_1"
        (room / "Annotations").mkdir(parents=True)
        rows = scene(area)[:, :6]
        np.savetxt(room / "hall_1.txt", rows)
        for name, own in (
            ("floor_1", rows[:30]),
            ("chair_2", rows[30:70]),
            ("stairs_1", rows[70:]),
        ):
            np.savetxt(room / "Annotations" / f"{name}.txt", own)
        (room / "Annotations" / "notes.pdf").write_bytes(b"")
    splits = build(config(tmp_path, test_area=2, preprocess={"extra": [3, 4, 5]}), SPEC, 0)
    counts = {name: n for name, n in splits.facts["points"]["test"].items() if n}
    assert counts == {"floor": 30, "chair": 40, "clutter": 10}
    assert splits.train[0][0].shape == (16, 6)
    room = tmp_path / "Area_2" / "hall_1" / "hall_1.txt"
    assert [item.source for item in layout(config(tmp_path, test_area=2)).parts["test"]] == [room]
    extent = measure(config(tmp_path))(room)
    assert (extent, extent.labels) == ((80,), {"floor", "chair", "clutter"})
    found = whole(config(tmp_path, test_area=2), SPEC, S3DIS[::-1])
    assert {*found.parts} == {"train", "test"}
    classes = found.everything[0][1]["classes"]
    assert {S3DIS[::-1][n] for n in classes.tolist()} <= {"floor", "chair", "clutter"}


def test_what_is_odd_in_the_published_files(tmp_path: Path) -> None:
    """A room in a file of another name; a list of angles; a control character."""
    for area, name, file in ((1, "hall_1", "hall_1"), (6, "copyRoom_1", "copy_Room_1")):
        room = tmp_path / f"Area_{area}" / name
        (room / "Annotations").mkdir(parents=True)
        for path in (room / f"{file}.txt", room / "Annotations" / "floor_1.txt"):
            np.savetxt(path, scene(area)[:, :6])
        angles = f"## Global alignment angle per disjoint space in Area_{area} ##\n{name} 180\n"
        (tmp_path / f"Area_{area}" / f"Area_{area}_alignmentAngle.txt").write_text(angles)
    found = layout(config(tmp_path, test_area=6)).parts
    rooms = {part: [item.key for item in items] for part, items in found.items()}
    assert rooms == {
        "train": ["Area_1/hall_1/hall_1.txt"],
        "test": ["Area_6/copyRoom_1/copy_Room_1.txt"],
    }
    splits = build(config(tmp_path, test_area=6), SPEC, 0)
    assert splits.facts["points"]["test"]["floor"] == 80
    floor = tmp_path / "Area_1" / "hall_1" / "Annotations" / "floor_1.txt"
    lines = floor.read_text().splitlines()
    floor.write_text("\n".join([*lines[:40], lines[40].replace(" ", "\x10", 1), *lines[41:]]))
    with pytest.raises(DataError, match=r"floor_1.txt` .*: it is no text \(line 41 has a control"):
        build(config(tmp_path, test_area=6), SPEC, 0)
    (room / "notes.txt").write_text("two texts")
    with pytest.raises(DataError, match=r"copyRoom_1` has objects .* the room, `copyRoom_1\.txt`"):
        layout(config(tmp_path, test_area=6))


def test_data_check_reads_scenes_as_they_lie(published: Path) -> None:
    words = ("data=cloud_scenes", f"data.path={published}", "data.block=1")
    told = json.loads(onlay("data", "check", *words, "--json").stdout)
    sizes = {name: part["items"] for name, part in told["parts"].items()}
    assert sizes == {"train": 3, "test": 1}
    assert told["extents"] == [{"extent": [80], "items": 4}]
    other = onlay("data", "check", *words, "data.values={0: low, 1: high}")
    assert other.exit_code == 1
    assert "points of the label 2, which is no class" in other.stdout


def test_blocks_are_not_dealt_to_folds(published: Path) -> None:
    splits = build(config(published), SPEC, 0)
    with pytest.raises(DataError, match=r"say which scenes are which part with `data\.parts`"):
        one_fold(splits, FoldConfig(fold=0, of=2))


def test_a_bundle_that_says_it_otherwise_is_refused(host: PluginHost) -> None:
    good = {"npoints": 16, "normalize": "none", "scenes": {"block": 1.0, "stride": 0.5, "up": 2}}
    check(host.modalities["points"], good, "it")
    for wrong in ({"class_values": {"floor": 1}}, {"scenes": {"block": 0, "stride": 1, "up": 2}}):
        with pytest.raises(BundleError, match=rf"^it: `preprocessing\.{next(iter(wrong))}\."):
            check(host.modalities["points"], good | wrong, "it")


def test_mistakes_are_one_sentence(published: Path) -> None:
    with pytest.raises(ValueError, match=r"`stride` is 2 and `block` 1: points between the blocks"):
        config(published, stride=2.0)
    np.save(published / "Area_1_office_9.npy", scene(0)[:3])
    with pytest.raises(DataError, match=r"office_9.npy` has 3 points, and 4 are needed"):
        build(config(published, test_area=1), SPEC, 0)
    with pytest.raises(DataError, match=r"points of the label 2, which is no class"):
        build(config(published, values={0: "low", 1: "high"}), SPEC, 0)
