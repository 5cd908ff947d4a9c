"""Depth maps in folders and in published lists: what their numbers mean, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pictures_and_masks import SPEC
from PIL import Image

from onlay.cli import main
from onlay.errors import ConfigError, DataError
from onlay.model.assemble import move_targets
from onlay_dense.data import depth_folder, depth_lists, depth_samples
from onlay_dense.data.depth_config import DepthFolderConfig, KittiConfig, NyuConfig
from onlay_dense.data.depths import read_depths
from onlay_dense.depth.answer import DepthAnswer
from onlay_image.data.samples import draw


def config(root: Path, **given: Any) -> DepthFolderConfig:
    return DepthFolderConfig(path=root, **given)


def depths_of(path: Path, **given: Any) -> list[list[float]]:
    return read_depths(path, config(path.parent, **given)).tolist()


def saved(path: Path, values: Any, kind: Any = np.uint16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(values, kind)
    np.save(path, array) if path.suffix == ".npy" else Image.fromarray(array).save(path)
    return path


def test_numbers_become_units_and_holes_zero(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", [[0, 500, 2000, 65535]])
    assert depths_of(path, scale=1000) == [[0, 0.5, 2, 0]]
    assert depths_of(path, scale=1000, min=1) == [[0, 0, 2, 0]]
    assert depths_of(path, scale=1000, max=1) == [[0, 0.5, 0, 0]]


@pytest.mark.parametrize("name", ["a.npy", "a.tif"])
def test_floats_are_metres_and_what_is_no_number_a_hole(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name, [[np.nan, np.inf, -1, 2.5]], np.float32)
    assert depths_of(path) == [[0, 0, 0, 2.5]]


def test_floats_of_sixteen_bits_lose_nothing_by_the_scale(tmp_path: Path) -> None:
    """1234 is one of them, and 1.234 is none."""
    path = saved(tmp_path / "a.npy", [[1234, 2000]], np.float16)
    assert depths_of(path, scale=1000) == [pytest.approx([1.234, 2], rel=1e-7)]


def test_a_map_that_we_wrote_says_its_scale(tmp_path: Path) -> None:
    DepthAnswer(torch.tensor([[0.25, 7.5]]), "m", 80.0).write(tmp_path, "a")
    assert depths_of(tmp_path / "a-depth.png") == [[0.25, 7.5]]


@pytest.mark.parametrize(
    ("values", "given", "said"),
    [
        ([[0, 0]], {}, r"a.png` has no depth: all of its 2 pixels are holes \(0, 65535"),
        ([[65535, 0]], {}, r"it holds 0, 65535\); leave the pair out"),
        ([[1500, 2500]], {}, r"beyond 2000, which are hardly metres: say by `data.scale`"),
        ([[3, 4]], {"scale": 1000}, r"are below 0.0035 with a `data.scale` of 1000: leave it out"),
        (
            [[30, 40]],
            {"max": 10},
            r"they go from 30 to 40 with a `data.scale` of 1, and .* 0 to 10",
        ),
    ],
)
def test_what_is_no_depth_is_refused(tmp_path: Path, values: Any, given: Any, said: str) -> None:
    path = saved(tmp_path / "a.png", values)
    with pytest.raises(DataError, match=said):
        depths_of(path, **given)


def test_eight_bits_are_no_metres_unless_that_is_said(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", [[5, 105]], np.uint8)
    with pytest.raises(DataError, match="has 8 bits, as pictures of depths for people"):
        depths_of(path)
    assert depths_of(path, scale=5) == [[1, 21]]


def test_thousands_may_be_meant(tmp_path: Path) -> None:
    assert depths_of(saved(tmp_path / "a.png", [[1500, 2500]]), scale=1) == [[1500, 2500]]


def test_colours_are_no_depths(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
    with pytest.raises(DataError, match=r"a.png` is a picture in colours, and a depth map holds"):
        depths_of(saved(tmp_path / "a.png", colours, np.uint8))


def test_a_range_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`min` \(3\) must be below `max` \(2\)"):
        config(tmp_path, min=3, max=2)


def test_depths_are_moved_to_the_nearest_pixel_with_their_pictures(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / f"images/{number}.png", number)  # 10 x 14
        saved(tmp_path / f"depths/{number}.png", depth_samples.slope(number, 1000))
    splits = depth_folder.build(config(tmp_path, scale=1000, val_size=1, test_size=1), SPEC, 0)
    assert (splits.targets, splits.labels) == ("depth", ("depth",))
    move_targets(type("Head", (), {"target_kinds": "map"}), splits.train)
    picture, depth = splits.train[0]
    assert depth.shape == picture.shape[1:]
    assert depth.dtype == torch.float32
    stored = splits.train.targets[0]
    assert set(depth.unique().tolist()) <= set(stored.unique().tolist())  # nothing is mixed


def test_sizes_that_differ_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "images/a.png", 0)
    draw(tmp_path / "images/b.png", 1)
    for name in "ab":
        saved(tmp_path / f"depths/{name}.png", np.full((10, 13), 2000))
    with pytest.raises(DataError, match=r"has 10 rows and 13 columns, and its image .* 10 and 14"):
        depth_folder.build(config(tmp_path, scale=1000, val_size=0, test_size=1), SPEC, 0)


def test_checking_data_names_a_bad_map_and_fails(tmp_path: Path) -> None:
    given = depth_samples.depth_folder(tmp_path)
    saved(tmp_path / "depths/3.png", np.zeros((10, 14)))
    words = ["data=depth_folder", f"data.path={given['path']}", "data.scale=1000"]
    result = CliRunner().invoke(main, ["data", "check", *words])
    assert result.exit_code == 1, result.output
    assert "3.png` has no depth" in result.output.replace("\n", "")


def test_lists_of_rooms(tmp_path: Path) -> None:
    depth_samples.nyu(tmp_path)
    splits = depth_lists.build(NyuConfig(path=tmp_path, val_size=0.25), SPEC, 0)
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [6, 2, 3]
    train, val = ({source.parent.name for source in part.sources} for part in parts[:2])
    assert not train & val  # whole recordings
    assert splits.test.targets[0].max().item() == pytest.approx(4.8)
    assert splits.test.sources[0] == tmp_path / "official_splits/test/den/rgb_0.jpg"


def test_lists_of_streets(tmp_path: Path) -> None:
    depth_samples.kitti(tmp_path)
    names = tmp_path / "kitti_eigen_test_files_with_gt.txt"
    names.write_text(names.read_text() + "day/drive_9_sync/image_02/data/7.png None 721.5\n")
    (tmp_path / "data_depth_annotated").mkdir()
    for drive in tmp_path.glob("drive_*"):
        drive.rename(tmp_path / "data_depth_annotated" / drive.name)
    splits = depth_lists.build(KittiConfig(path=tmp_path, val_size=0), SPEC, 0)
    assert (len(splits.train), splits.validation, len(splits.test)) == (8, None, 3)
    assert (
        "left out: 1 of `kitti_eigen_test_files_with_gt.txt` without a depth map"
        in (splits.facts["notes"])
    )
    assert splits.train.targets[0].max().item() == 4.0


def test_lists_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    depth_samples.nyu(tmp_path)
    with pytest.raises(DataError, match=r"the list of pairs is missing \(looked for `.*mine.txt`"):
        depth_lists.build(NyuConfig(path=tmp_path, train_list="mine.txt"), SPEC, 0)
    (tmp_path / "mine.txt").write_text("room_0/rgb_0.jpg\n")
    with pytest.raises(DataError, match=r"line 1 of `.*mine.txt` is not an image and a depth map"):
        depth_lists.build(NyuConfig(path=tmp_path, train_list="mine.txt"), SPEC, 0)
    (tmp_path / "mine.txt").write_text("room_0/rgb_0.jpg room_0/far.png 1\n")
    with pytest.raises(DataError, match=r"`room_0/far.png` of `.*mine.txt` is not there \(looked"):
        depth_lists.build(NyuConfig(path=tmp_path, train_list="mine.txt"), SPEC, 0)


def test_depths_have_no_classes(tmp_path: Path) -> None:
    from onlay import PluginHost
    from onlay.config import parse

    given = {"name": "depth_folder", "path": tmp_path, "labels": ["a"]}
    with pytest.raises(ConfigError, match="labels"):
        parse("dataset", given, PluginHost.discover())


def test_a_run_on_a_bad_map_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("onlay_train", reason="comes with onlay-train")
    depth_samples.depth_folder(tmp_path)  # millimetres
    words = ["backbone=onlay_vit_64", "method=linear", "task=depth", "data=depth_folder"]
    words += [f"data.path={tmp_path}", f"out={tmp_path / 'out'}"]
    result = CliRunner().invoke(main, ["train", *words])
    assert result.exit_code == 2
    assert re.search(r"depths/\d+.png` are beyond \d{4}, which are hardly metres", result.output)
    assert "Traceback" not in result.output
    assert not (tmp_path / "out/bundle").exists()
