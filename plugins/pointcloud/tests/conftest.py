"""Small networks of Point-MAE's layout, the authors' lists of tensors; small clouds, as arrays and
as files of every format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from onlay.host import PluginHost
from onlay.testing import said
from onlay_pointcloud.network.point_mae import PointMae, ReCon

DATA = Path(__file__).parent / "data"
SMALL = {
    "groups": 16, "group_size": 8, "width": 48, "depth": 3, "heads": 3, "embed": 48,
    "hidden": (8, 16, 32),
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def host() -> PluginHost:
    return PluginHost.discover(only="pointcloud")


@pytest.fixture
def small() -> Callable[..., Any]:
    """`small(kind=ReCon, position="once")`: an evaluated network whose tensors, batch-norm
    statistics too, are all away from zeros and ones."""

    def make(kind: type[PointMae] = PointMae, **changes: Any) -> PointMae:
        torch.manual_seed(0)
        model = kind(**(SMALL | changes))  # type: ignore[arg-type]
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                if tensor.ndim < 2 and tensor.is_floating_point():
                    shift = 0.2 * torch.rand_like(tensor)
                    tensor.add_(shift if "var" in name else shift - 0.1)
        return model.eval()

    return make


@pytest.fixture
def recon_kind() -> type[ReCon]:
    return ReCon


@pytest.fixture
def clouds() -> Tensor:
    """(2, 64, 3), coordinates in [-1, 1]."""
    return 2 * torch.rand(2, 64, 3, generator=torch.Generator().manual_seed(1)) - 1


@pytest.fixture(scope="session")
def listed() -> Callable[[str], dict[str, tuple[int, ...]]]:
    """`listed("mae_ft")`: names and shapes in the order of an official checkpoint."""

    def read(name: str) -> dict[str, tuple[int, ...]]:
        lines = (DATA / f"{name}.txt").read_text().splitlines()
        pairs = [line.split(" ", 1) for line in lines]
        return {key: tuple(int(n) for n in shape.strip("(), ").split(",") if n.strip())
                for key, shape in pairs}  # fmt: skip

    return read


# --- data: clouds, and files of every format -----------------------------------------------------


@pytest.fixture
def spec() -> dict[str, Any]:
    """What a small backbone asks of its input."""
    return {"npoints": 32, "groups": 8, "group_size": 4, "normalize": "unit_sphere"}


@pytest.fixture
def cloud() -> Callable[..., np.ndarray]:
    """`cloud(count=50, seed=0)`: points (count, 3) float32 in a box of sides 1, 2 and 3."""

    def make(count: int = 50, seed: int = 0) -> np.ndarray:
        points = np.random.default_rng(seed).random((count, 3)) * [1, 2, 3]
        return points.astype(np.float32)

    return make


@pytest.fixture
def write() -> Callable[..., Path]:
    """`write(path, points)`: a file of the format that the suffix says."""

    def to(path: Path, points: np.ndarray, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[path.suffix](path, points, **options)
        return path

    return to


@pytest.fixture
def write_h5() -> Callable[..., Path]:
    """`write_h5(path, data=..., label=...)`: an h5 file with these arrays."""
    import h5py

    def to(path: Path, **arrays: np.ndarray) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
        return path

    return to


@pytest.fixture
def fails() -> Callable[..., None]:
    """`fails(call, *parts)`: the call ends in one sentence that has these parts."""

    return said.fails


def _trimesh(path: Path, points: np.ndarray) -> None:
    import trimesh

    trimesh.PointCloud(points).export(path)


def _off(path: Path, points: np.ndarray) -> None:
    rows = "\n".join(" ".join(map(repr, map(float, row))) for row in points)
    path.write_text(f"OFF\n{len(points)} 0 0\n{rows}\n")


def _pcd(path: Path, points: np.ndarray, encoding: str = "binary") -> None:
    from pypcd4 import Encoding, PointCloud

    PointCloud.from_xyz_points(points).save(path, encoding=Encoding(encoding))


def _las(path: Path, points: np.ndarray, scale: float = 1e-4) -> None:
    import laspy

    header = laspy.LasHeader(point_format=0, version="1.2")
    header.scales, header.offsets = np.full(3, scale), np.floor(points.min(0))
    las = laspy.LasData(header)
    las.x, las.y, las.z = points.astype(np.float64).T
    las.write(str(path))


def _text(path: Path, points: np.ndarray, header: str = "", delimiter: str = " ") -> None:
    np.savetxt(path, points, fmt="%.9g", header=header, delimiter=delimiter, comments="")


WRITERS: Mapping[str, Callable[..., None]] = {
    ".ply": _trimesh,
    ".obj": _trimesh,
    ".glb": _trimesh,
    ".off": _off,
    ".pcd": _pcd,
    ".las": _las,
    ".laz": _las,
    ".npy": np.save,
    ".npz": lambda path, points: np.savez(path, points=points),
    ".txt": _text,
    ".xyz": _text,
    ".csv": lambda path, points: _text(path, points, delimiter=","),
}
