"""Settings of data sets of clouds whose every point has a class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from onlay.config.data import FilesConfig
from onlay_pointcloud.data.config import CloudData, CloudPreprocess, Column


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


class CloudScenesConfig(PointClassesConfig):
    """A folder of large scenes with a class for each point, which are cut into blocks: a file for
    each scene, in the formats of `labelled_clouds` (`Area_1_office_1.npy` with x y z r g b and the
    class), or S3DIS as it is published (`Area_1/office_1/Annotations/chair_1.txt`).

    Training draws blocks about points by chance. Evaluation and prediction cover every point by
    blocks that overlap, and add up what these say of it.
    """

    name: Literal["cloud_scenes"] = "cloud_scenes"

    block: PositiveFloat = 1.0
    """Side of a block on the ground, in the unit of the files; it has all of the height."""

    stride: PositiveFloat | None = None
    """From one block to the next in evaluation; default: half a block, so that a point lies in up
    to four."""

    epoch_blocks: PositiveInt | None = None
    """Blocks of an epoch; default: as many as hold all points once."""

    place: bool = False
    """Whether three further columns say where a point lies in its scene, from 0 to 1 along each
    axis, behind those of `preprocess.extra`; `task.columns` counts them."""

    test_area: NonNegativeInt | None = None
    """The area of S3DIS that is the test part, where scenes are called after areas and no folders
    are parts; default: 5, on which results are published."""

    preprocess: CloudPreprocess = CloudPreprocess(rotate_axis="z")
    """How blocks become tensors: coordinates about the middle of the block, then `normalize`.
    Default: z is up."""

    @model_validator(mode="after")
    def _no_gaps(self) -> Self:
        if self.stride is not None and self.stride > self.block:
            raise ValueError(
                f"`stride` is {self.stride:g} and `block` {self.block:g}: points between the blocks"
                " would be in none"
            )
        return self
