"""Protocols on miniature data in the folders that people have, and NOAH's lists of few pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_pictures import SPEC, draw

from onlay.host import PluginHost
from onlay.testing import run_checks
from onlay.testing.said import fails
from onlay_image.data import few_shot
from onlay_image.data.config import FewShotConfig
from onlay_image.protocols import few_shot as few_shot_grid
from onlay_image.protocols import fgvc, vtab
from onlay_image.protocols.recipes import BACKBONE

PROTOCOLS = ("vtab-1k", "vtab-1k-half", "vtab-1k-none", "fgvc", "few-shot")

# --- NOAH's lists ---------------------------------------------------------------------------------


def noah(root: Path, lists: Path, home: str, test_home: str) -> None:
    """One picture of each of two classes to train on, two to test on."""
    for part, place in (("train", home), ("test", test_home)):
        for number in range(2):
            draw(root / place / f"{part} {number}.jpg", number)
    lists.mkdir(parents=True, exist_ok=True)
    for name, part in (("train_meta.list.num_shot_1.seed_2", "train"), ("test_meta.list", "test")):
        (lists / name).write_text(f"{part} 0.jpg 0\n{part} 1.jpg 1\n")


@pytest.mark.parametrize(
    ("lists", "home", "test_home"),
    [
        ("pets/annotations", "images", "images"),  # NOAH
        ("pets", "images/train", "images/test"),  # FacT
        ("few-shot_split/pets/annotations", "", ""),  # DTL
    ],
)
def test_lists_of_few_pictures(lists: str, home: str, test_home: str, tmp_path: Path) -> None:
    noah(tmp_path / "pets", tmp_path / lists, home, test_home)
    config = FewShotConfig(path=tmp_path / "pets", list_seed=2)
    splits = few_shot.build(config, SPEC, 0)
    assert (len(splits.train), splits.validation, len(splits.test)) == (2, None, 2)
    assert splits.labels == ("0", "1")
    assert list(few_shot_grid.SETS.found(tmp_path)) == ["pets"]
    missing = config.model_copy(update={"shot": 4})
    fails(lambda: few_shot.build(missing, SPEC, 0), "num_shot_4.seed_2` is missing")
    elsewhere = config.model_copy(update={"images": "other"})
    fails(lambda: few_shot.build(elsewhere, SPEC, 0), "`train 0.jpg` of", "(looked below: `")
    nowhere = config.model_copy(update={"path": tmp_path / "cats"})
    fails(lambda: few_shot.build(nowhere, SPEC, 0), "no `test_meta.list` in")


# --- where they lie -------------------------------------------------------------------------------


def task(folder: Path, suffix: str = ".png") -> None:
    folder.mkdir(parents=True)
    for name in vtab.FILES:
        (folder / name).write_text(f"images/1{suffix} 0\n")


def test_vtab_is_found_where_people_have_it(tmp_path: Path) -> None:
    assert sum(map(len, vtab.GROUPS.values())) == 19
    task(tmp_path / "vtab-1k" / "cifar", ".jpg")
    task(tmp_path / "VTAB" / "oxford_flowers102", ".jpg")
    task(tmp_path / "dsprites-loc")
    content = vtab.half(tmp_path)
    data = {name: each["data"]["path"] for name, each in content["grid"]["data"].items()}
    assert len(data) == 19
    assert data["cifar"] == tmp_path / "vtab-1k" / "cifar"
    assert data["flowers"] == tmp_path / "VTAB" / "oxford_flowers102"
    assert data["dspr-loc"] == tmp_path / "dsprites-loc"
    assert content["base"]["data"]["preprocess"] == {"normalize": "half"}
    missing = vtab.missing(tmp_path)
    assert len(missing) == 16
    assert missing["svhn"] == (
        f"no folder `svhn` in `{tmp_path / 'vtab-1k'}` or `{tmp_path}` holds"
        " `train800val200.txt` and `test.txt`"
    )
    notes = content["report"]["notes"]
    lossy = [note for note in notes if "JPEG" in str(note)]
    assert len(lossy) == 1
    assert "images of `cifar` are JPEG files" in lossy[0]  # those of flowers always were
    assert "over 19 tasks ARC, RLRR" in notes[0]


def test_fgvc_is_found_where_people_have_it(tmp_path: Path) -> None:
    for folder in ("FGVC/CUB_200_2011", "FGVC/Stanford-cars", "nabirds"):
        (tmp_path / folder).mkdir(parents=True)
        for name in fgvc.FILES:
            (tmp_path / folder / name).write_text("{}")
    data = fgvc.grid(tmp_path)["grid"]["data"]
    assert data["cars"]["data"]["path"] == tmp_path / "FGVC" / "Stanford-cars"
    assert set(fgvc.missing(tmp_path)) == {"flowers", "dogs"}


def test_what_the_report_of_fgvc_says_of_lists_is_true_of_those_that_are_there(tmp_path) -> None:
    (birds := tmp_path / "FGVC" / "CUB_200_2011").mkdir(parents=True)
    for name in ("images.txt", "image_class_labels.txt", "train_test_split.txt"):
        (birds / name).touch()
    (own,) = fgvc.grid(tmp_path)["report"]["notes"]
    assert own.startswith("`cub`: by the authors' lists")
    (cars := tmp_path / "FGVC" / "StanfordCars").mkdir()
    for name in fgvc.FILES:
        (cars / name).write_text("{}")
    assert fgvc.grid(tmp_path)["report"]["notes"] == [fgvc.NOTE, own]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_contract_of_protocols(name: str) -> None:
    assert [outcome for outcome in run_checks("protocol", name) if not outcome.good] == []


# --- by their names -------------------------------------------------------------------------------


def test_every_protocol_is_a_grid_of_runs(tmp_path: Path) -> None:
    """Each combination with the recipes of whatever methods are installed."""
    pytest.importorskip("onlay_train")
    from onlay_train.grid.cells import drawn
    from onlay_train.grid.file import parsed
    from onlay_train.grid.protocols import plain

    host = PluginHost.discover()
    for name in ("vtab-1k", "fgvc", "few-shot"):
        content = plain(name, host.call("protocol", name, "grid", tmp_path))
        methods = ["linear", *(n for n in ("arc", "smoa", "vpt") if n in host.methods)]
        axes = {"method": methods, "train.seed": [0], "data.shot": [4], "data.list_seed": [2]}
        content["grid"] |= {axis: axes[axis] for axis in axes.keys() & content["grid"].keys()}
        found = drawn(parsed(content, host), host)
        assert not found.skipped
        assert len(found.runs) == len(methods) * (19 if name == "vtab-1k" else 5)
        assert {config.train.selection for _, config in found.runs} == {"last"}
        rates = {
            (point["method"].label, point["data"].label): config.train.lr
            for point, config in found.runs
        }
        assert rates["linear", next(iter(content["grid"]["data"]))] == 1e-3
        if name == "fgvc" and "arc" in methods:
            assert (rates["arc", "cub"], rates["arc", "cars"]) == (1e-3, 5e-3)


def test_arc_has_other_recipes_on_swin(tmp_path: Path) -> None:
    """The authors publish a table of rates for each of the two backbones."""
    pytest.importorskip("onlay_train")
    pytest.importorskip("onlay_arc")
    from onlay_train.grid.axes import assembled, points
    from onlay_train.grid.file import parsed

    host = PluginHost.discover()
    swin = "swin_base_patch4_window7_224.ms_in22k"
    for backbone, preset in {swin: "vtab1k-swin-cifar", BACKBONE: "vtab1k"}.items():
        content = host.call("protocol", "vtab-1k", "grid", tmp_path)
        grid = {"grid": {**content["grid"], "method": ["arc"]}, "recipes": content["recipes"]}
        read = parsed({**grid, "base": {**content["base"], "backbone": backbone}}, host)
        assert assembled(read, points(read, host)[0], host)[0]["preset"] == preset
