"""Settings of the data sets of images and depths; imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat

from onlay.config.data import ValidationConfig
from onlay_dense.data.config import PREPROCESS, PairsConfig
from onlay_dense.data.depth_values import DepthValues
from onlay_image.data.config import ImageData
from onlay_image.data.preparing import ImagePreprocess


class DepthFolderConfig(DepthValues, PairsConfig):
    """Images and depth maps: `images/1.jpg` and `depths/1.png`, also below parts. A map is a grey
    picture, best of 16 bits, or numbers in npy or TIFF."""

    name: Literal["depth_folder"] = "depth_folder"
    """This data set."""

    depths: str | None = None
    """The folder of the maps, below `path` or inside of each part; default: `depths`, `depth` or
    another usual name."""

    depth_ending: str = ""
    """What the stems of maps end in beside: `_depth`."""

    labels: None = None
    """Depths have no classes."""


class DepthListConfig(DepthValues, ValidationConfig, ImageData):
    """What data sets have that name images and depth maps in published lists."""

    path: Path
    """The folder in which all lies."""

    train_list: str | None = None
    """The list of pairs to train on, below `path`: lines of image, depth map and whatever else;
    default: the usual names."""

    test_list: str | None = None
    """Likewise, to test on."""

    val_size: float = Field(default=0.05, ge=0, lt=1)
    """Share of the training pairs to validate on, whole recordings (folders) of them, as pictures
    of one recording are hardly different; 0 for none."""

    preprocess: ImagePreprocess = PREPROCESS
    """How images become tensors, and depth maps go with them. Default: the whole image at the
    backbone's size, whatever its shape."""


class NyuConfig(DepthListConfig):
    """NYU Depth V2 as AdaBins and BTS have it: `sync` with 24,231 pairs of
    `nyudepthv2_train_files_with_gt.txt`, and `official_splits/test` with 654 of
    `nyudepthv2_test_files_with_gt.txt`; millimetres up to 10 m."""

    name: Literal["nyu"] = "nyu"
    """This data set."""

    scale: PositiveFloat | None = 1000.0
    """Numbers of a metre."""

    max: PositiveFloat | None = 10.0
    """Depths beyond are holes."""


class KittiConfig(DepthListConfig):
    """KITTI's pictures of streets and depths of a scanner, with Eigen's lists as AdaBins and BTS
    have them (`kitti_eigen_train_files_with_gt.txt`, `kitti_eigen_test_files_with_gt.txt`): raw
    pictures below `path` or `raw`, depths below `path`, `data_depth_annotated`, `train` or `val`;
    256 numbers a metre, up to 80 m. Pictures for which a list says `None` are left out. Set
    `task.max=80`, and `task.crop=garg`, as results are published."""

    name: Literal["kitti"] = "kitti"
    """This data set."""

    scale: PositiveFloat | None = 256.0
    """Numbers of a metre."""

    max: PositiveFloat | None = 80.0
    """Depths beyond are holes."""
