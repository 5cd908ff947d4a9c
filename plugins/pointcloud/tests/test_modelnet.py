"""ModelNet40 in its four kinds of files, and pickles that carry code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from onlay.errors import DataError
from onlay_pointcloud.data import modelnet40
from onlay_pointcloud.data.config import ModelNet40Config
from onlay_pointcloud.data.pickles import read_pickle

NAMES = ("chair", "night_stand", "sofa")
TRAIN, TEST = 4, 2
"""Clouds of each class."""


@pytest.fixture
def points(cloud: Callable) -> Callable[[str, str, int], np.ndarray]:
    """`points("train", "chair", 2)`: x y z and normals (60, 6) of one cloud."""

    def of(part: str, name: str, number: int) -> np.ndarray:
        seed = 1000 * (part == "test") + 100 * NAMES.index(name) + number
        return np.hstack([cloud(60, seed), cloud(60, seed + 10_000)])

    return of


@pytest.fixture
def text(tmp_path: Path, points: Callable) -> Path:
    """`modelnet40_normal_resampled`, with three classes."""
    (tmp_path / "modelnet40_shape_names.txt").write_text("\n".join(NAMES) + "\n")
    for part, start, count in (("train", 1, TRAIN), ("test", 101, TEST)):
        ids = []
        for name in NAMES:
            (tmp_path / name).mkdir(exist_ok=True)
            for number in range(count):
                ids.append(f"{name}_{start + number:04d}")
                rows = points(part, name, number)
                np.savetxt(tmp_path / name / f"{ids[-1]}.txt", rows, fmt="%.6f", delimiter=",")
        (tmp_path / f"modelnet40_{part}.txt").write_text("\n".join(ids))
    return tmp_path


def pickled(path: Path, points: Callable, part: str, count: int, protocol: int = 4) -> None:
    keys = [(name, number) for name in NAMES for number in range(count)]
    clouds = [points(part, *key).astype(np.float32) for key in keys]
    labels = [np.array([NAMES.index(name)], np.int32) for name, _ in keys]
    path.write_bytes(pickle.dumps([clouds, labels], protocol))


def build(path: Path, spec: dict[str, Any], **config: Any) -> Any:
    return modelnet40.build(ModelNet40Config(path=path, **config), spec, 0)


def unit(points: np.ndarray) -> np.ndarray:
    centred = points[:, :3] - points[:, :3].mean(0)
    return centred / np.linalg.norm(centred, axis=1).max()


def shown_is(built: Any, index: int, expected: np.ndarray) -> None:
    """The 32 points that are shown are among the 60 of the file, normalised, normals left out."""
    shown = built.test[index][0].numpy()
    distances = np.linalg.norm(shown[:, None] - unit(expected)[None], axis=2)
    assert distances.min(1).max() < 1e-5
    assert len(set(distances.argmin(1))) == 32


def test_text_files_with_lists(text: Path, spec: dict[str, Any], points: Callable) -> None:
    built = build(text, spec, val_size=3)
    assert built.labels == NAMES
    assert built.facts["counts"]["train"] == dict.fromkeys(NAMES, 3)
    assert built.facts["counts"]["validation"] == dict.fromkeys(NAMES, 1)
    assert [built.test[i][1] for i in range(6)] == [0, 0, 1, 1, 2, 2]
    shown_is(built, 3, points("test", "night_stand", 1))
    assert built.preprocessing["normalize"] == "unit_sphere"
    assert build(text, spec, val_size=0).validation is None


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickles_come_before_text(
    text: Path, spec: dict[str, Any], points: Callable, protocol: int
) -> None:
    for part, count in (("train", TRAIN), ("test", TEST)):
        pickled(text / f"modelnet40_{part}_60pts_fps.dat", points, part, count, protocol)
    built = build(text, spec, val_size=0)
    assert built.labels == NAMES
    assert isinstance(built.train.clouds.sources[0], np.ndarray)
    assert built.train.clouds.targets == [0] * 4 + [1] * 4 + [2] * 4
    shown_is(built, 4, points("test", "sofa", 0))
    written = build(text, spec, val_size=0, layout="txt")
    assert isinstance(written.train.clouds.sources[0], Path)
    assert (written.test[4][0] - built.test[4][0]).abs().max() < 1e-5
    (text / "modelnet40_shape_names.txt").unlink()
    assert build(text, spec, val_size=0).labels == modelnet40.CLASSES


def test_an_empty_line_among_the_names_is_refused(text: Path, spec: dict[str, Any]) -> None:
    """Left out, it would give later classes other numbers than files of numbers have."""
    names = text / "modelnet40_shape_names.txt"
    names.write_text(f"{NAMES[0]}\n\n{NAMES[1]}\n{NAMES[2]}\n")
    with pytest.raises(DataError, match=r"line 2 of `.*shape_names\.txt` is empty"):
        build(text, spec, val_size=0)
    names.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"shape_names\.txt` cannot be read as text"):
        build(text, spec, val_size=0)


def test_h5_files(
    tmp_path: Path, spec: dict[str, Any], points: Callable, write_h5: Callable
) -> None:
    (tmp_path / "shape_names.txt").write_text("\n".join(NAMES))
    for part, number, label in (("train", 0, 0), ("train", 1, 1), ("train", 10, 2), ("test", 0, 1)):
        data = np.stack([points(part, NAMES[label], n)[:, :3] for n in range(TRAIN)])
        labels = np.full((TRAIN, 1), label, np.uint8)
        write_h5(tmp_path / f"ply_data_{part}{number}.h5", data=data, label=labels, faceId=labels)
    built = build(tmp_path, spec, val_size=0)
    assert built.train.clouds.targets == [0] * 4 + [1] * 4 + [2] * 4
    assert built.train.clouds.names[8] == "ply_data_train10.h5/0"
    shown_is(built, 2, points("test", "night_stand", 2))


def test_meshes(tmp_path: Path, spec: dict[str, Any]) -> None:
    """ModelNet10's layout: labels are the folders'; of a box all points lie on its sides."""
    for name in ("bed", "desk"):
        for part, count in (("train", 3), ("test", 1)):
            (tmp_path / name / part).mkdir(parents=True)
            for number in range(count):
                path = tmp_path / name / part / f"{name}_{number:04d}.off"
                trimesh.creation.box((1, 2, 2)).export(path)
                path.write_text(path.read_text().replace("OFF\n", "OFF", 1))
    built = build(tmp_path, spec, val_size=0, preprocess={"normalize": "none"})
    assert built.labels == ("bed", "desk")
    assert built.test.clouds.names == ["bed/test/bed_0000.off", "desk/test/desk_0000.off"]
    sides = np.abs(built.test[0][0].numpy()) - np.array([0.5, 1, 1])
    assert np.abs(sides.max(1)).max() < 1e-6


def test_what_is_wrong_with_modelnet(
    text: Path, spec: dict[str, Any], points: Callable, fails: Callable
) -> None:
    fails(lambda: build(text / "no", spec), "there is no folder")
    fails(lambda: build(text / "sofa", spec), "holds no ModelNet40 (looked for", "`ply_data_train*")
    fails(lambda: build(text, spec, layout="h5"), "looked for `ply_data_train*.h5`)")
    dat = text / "modelnet40_train_60pts_fps.dat"
    pickled(dat, points, "train", TRAIN)
    missing = text / "modelnet40_test_60pts_fps.dat"
    fails(lambda: build(text, spec), f"there is no file `{missing}`")
    dat.write_bytes(dat.read_bytes()[:-500])
    fails(lambda: build(text, spec), f"`{dat}` cannot be read as `.dat`")
    dat.write_bytes(pickle.dumps({"clouds": 3}))
    fails(lambda: build(text, spec), f"`{dat}` does not hold a list of clouds and one of labels")
    dat.write_bytes(pickle.dumps([[points("train", "sofa", 0)], [np.array([3])]]))
    fails(lambda: build(text, spec), f"cloud 0 of `{dat}` has the label 3, and the 3 classes")
    dat.unlink()
    (text / "sofa" / "sofa_0102.txt").unlink()
    fails(lambda: build(text, spec), "sofa_0102.txt`, which the lists name, is missing")
    listed = text / "modelnet40_test.txt"
    listed.write_bytes(b"sofa_" + b"9" * 300 + b"\n")
    fails(lambda: build(text, spec), "9.txt`, which the lists name, is missing")
    listed.write_bytes(b"\xff\xfe\n")
    fails(lambda: build(text, spec), ".txt`, which the lists name, is missing")
    listed.unlink()
    fails(lambda: build(text, spec), "modelnet40_test.txt` is missing")


# --- pickles --------------------------------------------------------------------------------------


class MakeFolder:
    """Unpickled as usual, this makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


class Evaluate(MakeFolder):
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({str(self.path)!r}, 'w')",)


@pytest.mark.parametrize(("kind", "wanted"), [(MakeFolder, ".mkdir`"), (Evaluate, ".eval`")])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_carries_code(
    tmp_path: Path, fails: Callable, kind: type[MakeFolder], wanted: str, protocol: int
) -> None:
    path, mark = tmp_path / "evil.dat", tmp_path / "mark"
    path.write_bytes(pickle.dumps([[kind(mark)], [0]], protocol))
    fails(lambda: read_pickle(path), f"`{path}` cannot be read", "asks for", wanted, "refused")
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists(), "it is a real one"


def test_what_numpy_pickles(tmp_path: Path) -> None:
    content = {
        "train": [(np.arange(6, dtype=np.float32).reshape(2, 3), np.int64(4), 7)],
        "big": np.arange(3, dtype=">f8"),
        "empty": np.zeros((0, 3)),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    for protocol in range(6):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
        found = read_pickle(tmp_path / "a.pkl")
        np.testing.assert_equal(found, content)


def test_the_names_of_numpy_before_two(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(
        pickle.dumps([np.arange(3)], 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    )
    assert read_pickle(tmp_path / "a.pkl")[0].tolist() == [0, 1, 2]


def test_codecs_are_for_bytes_alone(tmp_path: Path, fails: Callable) -> None:
    (tmp_path / "a.pkl").write_bytes(b"c_codecs\nencode\n(Vabc\nVrot13\ntR.")
    fails(lambda: read_pickle(tmp_path / "a.pkl"), "in a way that numpy does not")
