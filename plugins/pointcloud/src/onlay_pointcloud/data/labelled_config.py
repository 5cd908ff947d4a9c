"""Settings of data sets of clouds whose every point has a class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from onlay.config.data import FilesConfig
from onlay_pointcloud.data.config import CloudData, Column


class PointClassesConfig(FilesConfig, CloudData):
    """What data sets have whose files tell the class of each point."""

    path: Path
    """The folder."""

    label: Column | None = None
    """The column, field or property that holds the class of each point, by its name or its number
    (the first is 0). Default: the one that is called `label`, `class`, `classification` or the
    like; where columns have no names, the last one."""

    labels: tuple[str, ...] | None = None
    """The classes 0, 1, ... in order; beside `values` the order in which the model has them.
    Default: every number that occurs is a class, called by its number; in LAS files by the name
    that the format has for it (`ground`, `building`)."""

    values: dict[int, str] | None = None
    """What the numbers mean, where they are not 0, 1, ...: `{2: ground, 6: building}`; several may
    be one class."""

    void: tuple[int | str, ...] = ()
    """Numbers, or classes by the names that they have above, which are not counted: no loss and no
    metric knows them. -1 never is, unless `values` has it."""


class LabelledCloudsConfig(PointClassesConfig):
    """A folder of clouds with a class for each point, in the formats of `cloud_folder` that have
    columns: `.npy .npz .ply .las .laz .pcd .txt .csv` and their like; also below `train`, `val`,
    `test`. A file is an item."""

    name: Literal["labelled_clouds"] = "labelled_clouds"
