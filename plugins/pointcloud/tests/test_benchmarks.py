"""Protocols on miniature clouds in the folders that people have."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from onlay.host import PluginHost
from onlay.testing import run_checks
from onlay_pointcloud.data import modelnet_fewshot as episode
from onlay_pointcloud.data import samples
from onlay_pointcloud.protocols import modelnet40, modelnet_fewshot, scanobjectnn


def paths(content: dict[str, Any]) -> dict[str, Path]:
    return {label: own["data"]["path"] for label, own in content["grid"]["data"].items()}


def test_scans_are_found_where_people_have_them(tmp_path: Path) -> None:
    home = tmp_path / "ScanObjectNN" / "h5_files"
    for variant in ("obj_only", "obj_bg"):
        for path in scanobjectnn.files_of(home, variant):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    content = scanobjectnn.rotated(tmp_path)
    found = paths(content)
    assert (found["obj_bg"], found["obj_only"]) == (home, home)
    assert found["pb_t50_rs"] == tmp_path / "ScanObjectNN"
    assert content["base"]["data"] == {"val_size": 0, "preprocess": {"augment": "rotate"}}
    assert scanobjectnn.missing(tmp_path) == {
        "pb_t50_rs": "no `main_split/training_objectdataset_augmentedrot_scale75.h5` with"
        f" `main_split/test_objectdataset_augmentedrot_scale75.h5` in `{tmp_path / 'ScanObjectNN'}`"
        f" or `{tmp_path}`"
    }


def test_scans_that_lie_flat_are_of_the_variant_that_their_names_tell(tmp_path: Path) -> None:
    """OBJ_BG and OBJ_ONLY call their files alike: only a folder tells them apart."""
    for variant in ("obj_bg", "pb_t50_rs"):
        for path in scanobjectnn.files_of(tmp_path, variant):
            (tmp_path / path.name).touch()
    assert set(scanobjectnn.missing(tmp_path)) == {"obj_bg", "obj_only"}
    (split := tmp_path / "main_split").mkdir()
    for path in tmp_path.glob("*.h5"):
        path.rename(split / path.name)
    assert set(scanobjectnn.missing(tmp_path)) == {"obj_only"}
    assert scanobjectnn.files_of(split, "obj_bg")[0].is_file()
    assert not scanobjectnn.files_of(split, "obj_only")[0].is_file()


def test_full_fine_tuning_has_point_maes_drop_path(tmp_path: Path) -> None:
    """As the authors' own configurations; a control on a small network has none to set."""
    cells = pytest.importorskip("onlay_train.grid.cells")
    from onlay_train.grid.file import parsed

    host = PluginHost.discover()
    content = modelnet40.grid(tmp_path)
    content["grid"] = {**content["grid"], "train.seed": [0]}
    content["base"]["backbone"] = {
        "name": "point_mae",
        "pretrained": False,
        **content["base"]["backbone"],
    }
    grid = parsed({**content, "controls": ["scratch"]}, host)
    found = {point["method"].label: run for point, run in cells.drawn(grid, host).runs}
    assert found["full"].backbone.drop_path == 0.1
    assert found["small_pointnet from scratch"].backbone.name == "small_pointnet"


def test_shapes_are_found_where_people_have_them(tmp_path: Path) -> None:
    assert "`modelnet40_train.txt`" in modelnet40.missing(tmp_path)["modelnet40"]
    home = tmp_path / "modelnet40_normal_resampled"
    home.mkdir()
    samples.modelnet40(home)
    assert modelnet40.missing(tmp_path) == {}
    assert paths(modelnet40.grid(tmp_path)) == {"modelnet40": home}


def test_all_ten_episodes_are_needed(tmp_path: Path) -> None:
    for fold in range(10):
        path = tmp_path / "ModelNetFewshot" / ("5way10shot", "5way_20shot")[fold % 2] / "0.pkl"
        for number in (fold,) if fold % 2 else range(10):
            path.with_name(f"{number}.pkl").parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f"{number}.pkl").touch()
    missing = modelnet_fewshot.missing(tmp_path)
    assert list(missing) == ["5w20s", "10w10s", "10w20s"]
    assert "not all of `5way_20shot/0.pkl` to `9.pkl` are in" in missing["5w20s"]


@pytest.mark.parametrize(
    "name", ["scanobjectnn", "scanobjectnn-rotate", "modelnet40", "modelnet40-few-shot"]
)
def test_the_contract_of_protocols(name: str) -> None:
    assert [outcome for outcome in run_checks("protocol", name) if not outcome.good] == []


def test_every_protocol_is_a_grid_of_runs(tmp_path: Path, spec: dict[str, Any]) -> None:
    """With the recipes of whatever methods are installed, on a backbone of the protocol's size; an
    episode that is written is trained on as its cell says."""
    pytest.importorskip("onlay_train")
    from onlay_train.grid.cells import drawn
    from onlay_train.grid.file import parsed
    from onlay_train.grid.protocols import plain

    host = PluginHost.discover()
    own = {"scanobjectnn": (3, 2048), "modelnet40": (1, 1024), "modelnet40-few-shot": (4, 1024)}
    for name, (sets, points) in own.items():
        content = plain(name, host.call("protocol", name, "grid", tmp_path))
        methods = ["linear", *(n for n in ("dapt", "idpt", "pointgst") if n in host.methods)]
        axes = {"method": methods, "train.seed": [0], "data.fold": [7]}
        content["grid"] |= {axis: axes[axis] for axis in axes.keys() & content["grid"].keys()}
        content["grid"]["backbone"] = [{"name": "point_mae", "pretrained": False}]
        found = drawn(parsed(content, host), host)
        assert not found.skipped
        assert len(found.runs) == len(methods) * sets
        configs = [config for _, config in found.runs]
        assert {config.backbone.npoints for config in configs} == {points}
        assert {config.data.preprocess.augment for config in configs} == {"scale_translate"}
        assert {config.train.selection for config in configs} == {"last"}
        assert {config.train.epochs for config in configs} == {150 if sets == 4 else 300}
    config = configs[0]
    train, test = ([(samples.cloud(n), n % 5, n % 5) for n in range(b, b + 10)] for b in (0, 10))
    path = tmp_path / "ModelNetFewshot" / "5way_10shot" / "7.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({"train": train, "test": test}))
    splits = episode.build(config.data, spec, 0)
    assert len(splits.train) == len(splits.test) == 10
