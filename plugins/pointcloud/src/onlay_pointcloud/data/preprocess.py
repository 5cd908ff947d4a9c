"""From a file to a tensor, the same for training, evaluation and prediction.

All points are normalised, as float64, before some are chosen; then they become float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onlay.errors import ConfigError, DataError
from onlay_pointcloud.data.columns import Column, Wanted
from onlay_pointcloud.data.config import CloudPreprocess
from onlay_pointcloud.data.left_out import LeftOut
from onlay_pointcloud.data.readers import MESH_POINTS, Reading, Taken, checked, take
from onlay_pointcloud.data.sampling import fixed

Facts = Mapping[str, Any]

Source = Path | np.ndarray
"""A file, or points (N, 3 or more)."""

COARSEST = 1e-3
"""The largest step of float32, as a share of a cloud's extent."""


def resolve(config: CloudPreprocess, input_spec: Facts) -> dict[str, Any]:
    """Every choice made, from the config and the backbone; JSON-able, for the bundle.

    Raises:
        ConfigError: fewer points than the backbone needs.
    """
    npoints = config.npoints or input_spec["npoints"]
    for field in ("groups", "group_size"):
        if npoints < input_spec.get(field, 1):  # a network of points has no groups
            raise ConfigError(
                f"`preprocess.npoints` is {npoints}, fewer than the backbone's `{field}`,"
                f" {input_spec[field]}"
            )
    normalize = config.normalize
    own = {
        "columns": config.columns and list(config.columns),
        "extra": list(config.extra),
        "unmeasured": "" if config.unmeasured == "leave_out" else config.unmeasured,
    }
    return {
        "modality": "points",
        "npoints": npoints,
        "min_points": npoints if config.pad == "none" else input_spec.get("groups", 1),
        "normalize": input_spec["normalize"] if normalize == "backbone" else normalize,
        **{name: value for name, value in own.items() if value},
    }


def refuse_columns(config: CloudPreprocess) -> None:
    """For clouds that lie together in files whose columns are known.

    Raises:
        ConfigError: columns are chosen.
    """
    for field in ("columns", "extra"):
        if getattr(config, field):
            raise ConfigError(f"`preprocess.{field}` is for clouds that are files of their own")


def reader(preprocessing: Facts) -> Callable[[Path], Any]:
    """A function from a file to the cloud (npoints, 3) that a bundle's model was trained on; where
    it was trained on categories of shapes and the file's folder is called after one, (npoints, 4),
    the last column the category's number.

    Of a model that was trained on scenes it gives the whole scene in pieces.

    The function raises a `DataError` that names a file which cannot be used.
    """
    if "scenes" in preprocessing:
        from onlay_pointcloud.data.scenes.reader import SceneReader

        return SceneReader(preprocessing)
    return Reader(preprocessing)


class Reader:
    """What `reader` gives; a class, so that it can be sent to another process."""

    def __init__(self, facts: Facts) -> None:
        self.load, self.npoints = Loader(facts), facts["npoints"]
        self.load.left_out.held = True
        self.folders: Mapping[str, int] = facts.get("category_folders", {})
        self.told: bool | None = None
        """Whether the first file's folder told its category; clouds of one batch are alike."""

    def __call__(self, path: Path) -> Tensor:
        points_N3 = self.load(path)
        cloud = points_N3[fixed(points_N3[:, :3], self.npoints)]
        category = self._category(path)
        if category is None:
            return cloud
        return torch.cat([cloud, cloud.new_full((len(cloud), 1), category)], dim=1)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of all files that were read."""
        return self.load.left_out.notes()

    def _category(self, path: Path) -> int | None:
        found = self.folders.get(path.resolve().parent.name)
        if self.told not in (None, found is not None):
            others = "tell theirs" if self.told else "do not tell theirs"
            raise DataError(
                f"the folder of `{path}` {'tells no' if self.told else 'tells the'} category and"
                f" those of the files before it {others}; ask for them apart, or put all into"
                f" folders such as `{next(iter(self.folders))}`"
            )
        self.told = found is not None
        return found


class Loader:
    """All points of a source, normalised: float32 (N, 3 + E); `label` is the column of their
    classes, which come last, if they are wanted."""

    def __init__(
        self, facts: Facts, left_out: LeftOut | None = None, label: Column | None = None
    ) -> None:
        self.normalize, self.npoints = facts["normalize"], facts["npoints"]
        # a model that was adapted by hand, without a data set, has the backbone's facts alone
        self.least = facts.get("min_points", facts["npoints"])
        extra = tuple(facts.get("extra") or ())
        by_point = label is not None or bool(facts.get("class_values"))
        self.reading = Reading(
            mesh_points=max(MESH_POINTS, facts["npoints"]),
            wanted=Wanted(tuple(facts.get("columns") or ()), extra, label, by_point),
            keep=facts.get("unmeasured") == "keep",
        )
        self.left_out = left_out or LeftOut()

    def __call__(self, source: Source, which: str = "a cloud") -> Tensor:
        """`which` names a source that is no file.

        Raises:
            DataError: see `take`; fewer points than are needed.
        """
        named = f"`{source}`" if isinstance(source, Path) else which
        return self.prepared(self._points(source, which), named)

    def prepared(self, points: np.ndarray, which: str) -> Tensor:
        """The same of points (N, 3 + E) that were read; `which` names them in messages.

        Raises:
            DataError: fewer points than are needed, one alone where their extent is divided by, or
                coordinates that float32 does not tell apart.
        """
        self.require_enough(len(points), which)
        if len(points) == 1 and self.normalize == "unit_sphere":
            raise DataError(
                f"{which} has one point, and no extent that `preprocess.normalize: unit_sphere`"
                " could divide by"
            )
        own = normalized(points[:, :3], self.normalize)
        require_fine(own, which)
        points = np.hstack([own, points[:, 3:]])
        return torch.from_numpy(points.astype(np.float32))

    def require_enough(self, count: int, which: str) -> None:
        """Raise a `DataError` where a cloud has fewer points than are needed."""
        if count < self.least:
            raise DataError(
                f"{which} has {count} points, and {self.least} are needed; set a smaller"
                " `preprocess.npoints`, or `preprocess.pad: repeat` where it still has as many"
                " points as the backbone has groups"
            )

    def without_label(self) -> Loader:
        """The same of files that have no column of classes; what it leaves out is counted here."""
        twin = copy(self)
        twin.reading = replace(self.reading, wanted=replace(self.reading.wanted, label=None))
        return twin

    def measured(self, path: Path) -> np.ndarray:
        """All points (N, 3 + E) of a file that were measured, in its own unit.

        Raises:
            DataError: see `take`.
        """
        return self.taken(path).points

    def taken(self, path: Path) -> Taken:
        """The same with which of the file's points they are, and where it has them."""
        taken = take(path, self.reading)
        self.left_out.add(path, taken.left_out)
        return taken

    def _points(self, source: Source, which: str) -> np.ndarray:
        return self.measured(source) if isinstance(source, Path) else checked(source, which)


def normalized(points: np.ndarray, how: str) -> np.ndarray:
    """Points (N, 3): as they are (`none`), their mean at the origin (`centre`), and also the
    farthest at distance 1 (`unit_sphere`); points at one place lie at the origin then."""
    if how == "none":
        return points
    if not np.ptp(points, axis=0).any():  # rounding may put their mean beside them
        return np.zeros_like(points)
    points = points - points.mean(0)
    if how == "centre":
        return points
    return points / np.linalg.norm(points, axis=1).max()


def require_fine(points: np.ndarray, which: str) -> None:
    """Raise a `DataError` where float32 is too coarse for points (N, 3) so far from the origin:
    some that are apart would become one."""
    extent, far = np.ptp(points, axis=0).max(), np.abs(points).max()
    step = np.spacing(np.float32(far))
    if extent and step > COARSEST * extent:
        raise DataError(
            f"{which} has coordinates up to {far:,.0f}, where float32 has steps of {step:.2g}, and"
            f" is {extent:.3g} large: set `preprocess.normalize: centre`"
        )
