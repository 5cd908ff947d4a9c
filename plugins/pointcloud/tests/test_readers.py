"""Every format gives back the points that were written, and says what is wrong in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from onlay.errors import DataError
from onlay_pointcloud.data import preprocess
from onlay_pointcloud.data.readers import read_points

EXACT = {".ply", ".pcd", ".npy", ".npz", ".glb", ".off", ".txt", ".csv", ".xyz"}
WRITTEN = (
    *(".csv", ".glb", ".las", ".laz", ".npy", ".npz", ".obj", ".off", ".pcd", ".ply", ".txt"),
    ".xyz",
)


def facts(**own: object) -> dict[str, object]:
    return {"npoints": 8, "min_points": 8, "normalize": "none"} | own


@pytest.mark.parametrize("suffix", WRITTEN)
def test_points_come_back(tmp_path: Path, cloud: Callable, write: Callable, suffix: str) -> None:
    points = cloud(60)
    found = read_points(write(tmp_path / f"a{suffix}", points))
    assert found.shape == (60, 3)
    assert found.dtype == np.float64
    if suffix in EXACT:
        assert np.array_equal(found.astype(np.float32), points)
    elif suffix in (".las", ".laz"):
        middle = (points.min(0) + points.max(0)) / 2
        np.testing.assert_allclose(found, points - middle, atol=1e-4 + 1e-6)
    else:
        np.testing.assert_allclose(found, points, atol=1e-8 + 5e-9)


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_three_kinds_of_pcd(
    tmp_path: Path, cloud: Callable, write: Callable, encoding: str
) -> None:
    path = write(tmp_path / "a.pcd", cloud(), encoding=encoding)
    np.testing.assert_allclose(read_points(path), cloud(), rtol=1e-6)


@pytest.mark.parametrize("suffix", [".off", ".obj", ".ply", ".stl", ".glb"])
def test_meshes_are_sampled_on_their_surface(tmp_path: Path, suffix: str) -> None:
    """On a box of sides 1, 2, 4 every point lies on a side; the two of 2 x 4 hold 16 of 28 parts.

    The standard deviation of that share over 4,000 points is 0.8 %.
    """
    trimesh.creation.box((1, 2, 4)).export(tmp_path / f"box{suffix}")
    points = read_points(tmp_path / f"box{suffix}", mesh_points=4000)
    assert points.shape == (4000, 3)
    outside = np.abs(points) - np.array([0.5, 1, 2])
    np.testing.assert_allclose(outside.max(1), 0, atol=1e-6)
    assert np.mean(np.abs(outside[:, 0]) < 1e-6) == pytest.approx(16 / 28, abs=0.03)
    assert np.array_equal(points, read_points(tmp_path / f"box{suffix}", mesh_points=4000))


def test_an_off_file_whose_counts_stick_to_its_header(tmp_path: Path) -> None:
    (tmp_path / "glued.off").write_text("OFF4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    points = read_points(tmp_path / "glued.off", mesh_points=50)
    assert points.shape == (50, 3)
    assert np.all(points[:, 2] == 0)
    assert np.all((points[:, :2] >= 0) & (points[:, :2] <= 1))


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3\n4 5 6\n",
        "1,2,3\n4,5,6",
        "1;2;3;0.5\n4;5;6;0.7\n",
        "1\t2\t3\t9\n4\t5\t6\t9\n",
        "x,y,z\n1,2,3\n4,5,6\n",
        "\ufeffid,Z,X,Y\n7,3,1,2\n8,6,4,5\n",
        "//X Y Z R\n1 2 3 0\n4 5 6 0\n",
        "2\n1 2 3\n4 5 6\n",
        "# from a scanner\n\n1 2 3\n4 5 6\n",
        "east,north,up\n1,2,3\n4,5,6\n",
    ],
)
def test_text_of_many_habits(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert read_points(tmp_path / "a.txt").tolist() == [[1, 2, 3], [4, 5, 6]]


def test_comments_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("# aus M\xfcnchen\n1 2 3\n4 5 6\n".encode("latin-1"))
    assert read_points(tmp_path / "a.txt").tolist() == [[1, 2, 3], [4, 5, 6]]


def test_an_npz_of_several_arrays(tmp_path: Path, cloud: Callable, fails: Callable) -> None:
    np.savez(tmp_path / "a.npz", normals=cloud(seed=1), xyz=cloud())
    assert np.array_equal(read_points(tmp_path / "a.npz"), cloud())
    np.savez(tmp_path / "b.npz", a=cloud(), b=cloud())
    fails(
        lambda: read_points(tmp_path / "b.npz"),
        "b.npz` cannot be read as `.npz`: none of its arrays is called `points` (have: `a`, `b`)",
    )


def test_pickles_inside_arrays_stay_shut(tmp_path: Path, fails: Callable) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    fails(lambda: read_points(tmp_path / "a.npy"), "a.npy` cannot be read")


@pytest.mark.parametrize("suffix", [".las", ".ply", ".csv", ".npy"])
def test_map_coordinates_keep_their_millimetres(
    tmp_path: Path, cloud: Callable, write: Callable, suffix: str
) -> None:
    """Half a million metres away float32 has steps of 3 cm."""
    near = cloud().astype(np.float64)
    if suffix == ".ply":
        points = near + 5e5
        header = "ply\nformat ascii 1.0\nelement vertex 50\n" + "".join(
            f"property double {axis}\n" for axis in "xyz"
        )
        rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in points)
        (tmp_path / "a.ply").write_text(f"{header}end_header\n{rows}\n")
    elif suffix == ".csv":
        np.savetxt(tmp_path / "a.csv", near + 5e5, fmt="%.6f", delimiter=",")
    else:
        write(tmp_path / f"a{suffix}", near + 5e5)
    load = preprocess.Loader(facts(normalize="centre"))
    found = load(tmp_path / f"a{suffix}")
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), near - near.mean(0), atol=2e-4)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_truncated_files(tmp_path: Path, cloud: Callable, write: Callable, suffix: str) -> None:
    """Cut anywhere, a file is refused by name, or gives the points before the cut."""
    whole = write(tmp_path / f"a{suffix}", cloud(40)).read_bytes()
    path, told = tmp_path / f"cut{suffix}", []
    for share in (0.02, 0.1, 0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        try:
            points = read_points(path)
        except DataError as error:
            told.append(str(error))
        else:
            assert suffix in (".txt", ".csv", ".xyz", ".obj"), "only what has no count"
            assert len(points) < 40
            # the last number may be cut in the middle
            np.testing.assert_allclose(points[:-1], cloud(40)[: len(points) - 1], atol=1e-8)
    assert all(f"`{path}`" in text and "\n" not in text for text in told)
    assert told or suffix in (".csv", ".txt", ".xyz")


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".off", {}), (".ply", {}), (".ply", {"encoding": "ascii"}), (".stl", {}), (".glb", {})],
)
def test_truncated_meshes(
    tmp_path: Path, suffix: str, options: dict[str, Any], fails: Callable
) -> None:
    path = tmp_path / f"ball{suffix}"
    trimesh.creation.icosphere(1).export(path, **options)
    whole = path.read_bytes()
    for share in (0.02, 0.3, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        fails(lambda: read_points(path), f"`{path}` cannot be read as `{suffix}`")


def test_what_is_wrong_with_a_file(tmp_path: Path, write: Callable, fails: Callable) -> None:
    def of(name: str, points: object) -> Path:
        return write(tmp_path / name, np.asarray(points, dtype=np.float32))

    fails(lambda: read_points(tmp_path / "no.ply"), f"there is no file `{tmp_path / 'no.ply'}`")
    (tmp_path / "a.e57").write_text("x")
    fails(lambda: read_points(tmp_path / "a.e57"), "a.e57` is no point cloud (known: .asc, .bin")
    (tmp_path / "a.ply").touch()
    fails(lambda: read_points(tmp_path / "a.ply"), f"`{tmp_path / 'a.ply'}` is empty")
    nan = of("nan.pcd", [[0, np.inf, 0], [1, np.nan, 2]])
    fails(lambda: read_points(nan), "nothing was measured in", "nan.pcd`: 2 NaN or infinite")
    large = of("large.npy", np.zeros((2, 3)))
    np.save(large, np.array([[0, 0, 1], [1, 1e200, 2]]))
    fails(lambda: read_points(large), "large.npy` has a coordinate that is too large (point 1)")
    fails(
        lambda: read_points(of("same.xyz", np.ones((9, 3)))),
        "all 9 points of",
        "same.xyz` lie at one place",
    )
    fails(lambda: read_points(of("two.npy", np.ones((9, 2)))), "two.npy` cannot be read", "(9, 2)")
    fails(lambda: read_points(of("two.csv", np.ones((9, 2)))), "two.csv` cannot be read as `.csv`")
    fails(lambda: read_points(of("none.npy", np.ones((0, 3)))), "none.npy` has no points")
    (tmp_path / "words.txt").write_text("these are\nonly words\n")
    fails(lambda: read_points(tmp_path / "words.txt"), "words.txt` cannot be read as `.txt`")
    (tmp_path / "comments.txt").write_text("# only\n# comments\n")
    fails(lambda: read_points(tmp_path / "comments.txt"), "comments.txt`")
    (tmp_path / "flat.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n")
    fails(lambda: read_points(tmp_path / "flat.off"), "its faces have no area")
    (tmp_path / "nan.off").write_text("OFF\n3 1 0\n0 0 0\n1 nan 0\n0 1 0\n3 0 1 2\n")
    fails(lambda: read_points(tmp_path / "nan.off"), "nan.off` cannot be read as `.off`")


def test_a_pcd_without_coordinates(tmp_path: Path, fails: Callable) -> None:
    from pypcd4 import PointCloud

    rows = np.ones((4, 2), np.float32)
    cloud = PointCloud.from_points(rows, ("x", "intensity"), (np.float32, np.float32))
    cloud.save(tmp_path / "a.pcd")
    fails(lambda: read_points(tmp_path / "a.pcd"), "called x, y and z (have: `x`, `intensity`)")


# --- from a file to a tensor ----------------------------------------------------------------------


def test_normalising_by_hand(tmp_path: Path, write: Callable) -> None:
    """The mean of (0,0,0), (2,0,0), (2,0,4), (0,0,4) is (1,0,2); all lie √5 from it."""
    points = np.array([[0, 0, 0], [2, 0, 0], [2, 0, 4], [0, 0, 4]], np.float32)
    path = write(tmp_path / "a.npy", points)
    centred = np.array([[-1, 0, -2], [1, 0, -2], [1, 0, 2], [-1, 0, 2]])
    for how, expected in (
        ("none", points),
        ("centre", centred),
        ("unit_sphere", centred / 5**0.5),
    ):
        read = preprocess.reader(facts(npoints=4, min_points=4, normalize=how))
        np.testing.assert_allclose(read(path).numpy(), expected, rtol=1e-6)


def test_the_farthest_points_are_shown(tmp_path: Path, write: Callable) -> None:
    """From 0 the farthest of 0, 1, 2, 6 is 6, and then 2, which is 2 from 0."""
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [6, 0, 0]])
    path = write(tmp_path / "a.npy", points)
    read = preprocess.reader(facts(npoints=3, min_points=3))
    assert read(path)[:, 0].tolist() == [0, 6, 2]


def test_too_few_points(tmp_path: Path, cloud: Callable, write: Callable, fails: Callable) -> None:
    path = write(tmp_path / "a.ply", cloud(5))
    fails(lambda: preprocess.reader(facts())(path), f"`{path}` has 5 points, and 8 are needed")
    padded = preprocess.reader(facts(min_points=4))(path).numpy()
    assert np.array_equal(padded, cloud(5)[[0, 1, 2, 3, 4, 0, 1, 2]])
    fails(lambda: preprocess.reader(facts(min_points=6))(path), "has 5 points, and 6 are needed")
