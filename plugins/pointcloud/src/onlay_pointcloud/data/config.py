"""Settings of the point-cloud data sets."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StrictInt,
    model_validator,
)

from onlay.config.data import FilesConfig, ListedConfig, TableConfig, ValidationConfig
from onlay.settings import Config

Column = StrictInt | str
"""A column of a file, by its number from 0 on or by its name."""


class CloudPreprocess(Config):
    """From the points of a file to a tensor (npoints, 3), and what chance does while training."""

    npoints: PositiveInt | None = None
    """Points of a cloud that the network is shown; default: the backbone's. In evaluation they are
    the farthest points, from the file's first one on; in training a random part of somewhat more
    of them (1,200 for 1,024, 2,400 for 2,048)."""

    normalize: Literal["backbone", "none", "centre", "unit_sphere"] = "backbone"
    """Of all points, before some are chosen: `centre` moves their mean to the origin; `unit_sphere`
    also divides by the largest distance from it; `backbone` is what its input asks for."""

    augment: Literal["none", "scale_translate", "isotropic", "rotate"] = "none"
    """While training, for every cloud: `scale_translate` scales each axis by 2/3 to 3/2 and shifts
    it by up to 0.2 (Point-MAE, DAPT); `isotropic` scales all axes alike by 0.8 to 1.25 and shifts
    each by up to 0.1 (ShapeNetPart); `rotate` turns by any angle about `rotate_axis` (ACT, ReCon,
    IDPT). Published results on one benchmark differ in this, so they are never mixed."""

    rotate_axis: Literal["y", "z"] = "y"
    """The vertical axis: y in the published data, z in most of what sensors record."""

    jitter_sigma: NonNegativeFloat = 0.0
    """While training, after `augment`: deviation of normal noise on every coordinate; published
    code of PointNet++ has 0.01. 0: none."""

    jitter_clip: PositiveFloat = 0.05
    """The largest size of this noise."""

    dropout_ratio: float = Field(default=0.0, ge=0, lt=1)
    """While training: the largest share of points that a cloud loses. The share is drawn from U(0,
    `dropout_ratio`), and in the place of each lost point stands the first one, as in published code
    of PointNet++, which has 0.875. 0: none."""

    columns: tuple[Column, Column, Column] | None = None
    """The columns that are x, y and z, by their names or by their numbers, the first of which is 0,
    in files that have columns: `[a, b, c]`, `[3, 4, 5]`. Default: those whose names say so; where
    columns have no names, the first three that hold numbers."""

    extra: tuple[Column, ...] = ()
    """Further columns, behind the coordinates: `[intensity]`, `[red, green, blue]`, `[nx, ny, nz]`,
    or numbers as in `columns`; clouds are then (B, N, 3 + as many). They stay as they are in the
    file: neither `normalize` nor `augment` changes them. They are for heads; the bundled and
    published backbones look at coordinates."""

    unmeasured: Literal["leave_out", "keep"] = "leave_out"
    """Points at which nothing was measured: NaN or infinite coordinates, (0, 0, 0) where it stands
    more than once in a file, and what LAS files call withheld or noise (classes 7 and 18). They are
    left out, and their number is said; `keep` keeps them, and then NaN is an error."""

    pad: Literal["none", "repeat"] = "none"
    """What becomes of clouds of fewer points than `npoints`: an error that names the file, or some
    points are repeated, in training by chance. Fewer points than the backbone has groups are always
    an error."""


class CloudData(ListedConfig):
    """What all point-cloud data sets have."""

    preprocess: CloudPreprocess = CloudPreprocess()
    """How files become tensors."""


class CloudFolderConfig(FilesConfig, CloudData):
    """A folder of class folders: `chair/1.ply`, `table/2.pcd`, or the same below `train`, `val`,
    `test`; `.ply .off .obj .stl .glb .pcd .las .laz .bin .pts .ptx .xyz .xyzn .xyzrgb .asc .txt
    .csv .tsv .npy .npz`.
    """

    name: Literal["cloud_folder"] = "cloud_folder"

    path: Path
    """The folder."""


class CloudCsvConfig(TableConfig, CloudData):
    """A table with the columns `path`, `label` and perhaps `split` (train, val or test): CSV, also
    with semicolons or tabs; clouds in any format of `cloud_folder`."""

    name: Literal["cloud_csv"] = "cloud_csv"


class ScanObjectNNConfig(ValidationConfig, CloudData):
    """ScanObjectNN: scanned objects of 15 classes, 2,048 points each, in h5 files."""

    name: Literal["scanobjectnn"] = "scanobjectnn"

    path: Path | None = None
    """The folder that holds `main_split` and `main_split_nobg`, or the files themselves."""

    variant: Literal["obj_bg", "obj_only", "pb_t50_rs"] = "pb_t50_rs"
    """Objects with background, without it, or with background, moved, turned and scaled (the
    hardest)."""

    files: tuple[Path, Path] | None = None
    """The training and the test file, instead of `path` and `variant`."""

    preprocess: CloudPreprocess = CloudPreprocess(normalize="none", augment="scale_translate")
    """Default: coordinates as they are in the files, scaled and shifted while training."""

    @model_validator(mode="after")
    def _one_place(self) -> ScanObjectNNConfig:
        if (self.path is None) == (self.files is None):
            raise ValueError("give `path` (the folder) or `files` (the training and the test file)")
        return self


class ModelNet40Config(ValidationConfig, CloudData):
    """ModelNet40: shapes of 40 classes, from CAD models."""

    name: Literal["modelnet40"] = "modelnet40"

    path: Path
    """The folder of `modelnet40_normal_resampled`, of `modelnet40_ply_hdf5_2048`, or of the meshes
    (`chair/train/*.off`; also ModelNet10)."""

    layout: Literal["auto", "dat", "txt", "h5", "off"] = "auto"
    """Which files are read; `auto` takes the first kind that is there, in this order: the pickles
    of 8,192 points that other projects leave beside the text files, the text files with their
    lists, h5 files of 2,048 points, meshes."""

    preprocess: CloudPreprocess = CloudPreprocess(
        normalize="unit_sphere", augment="scale_translate"
    )
    """Default: centred and scaled to the unit sphere; scaled and shifted while training."""


class ModelNetFewshotConfig(CloudData):
    """One few-shot episode of ModelNet40, from the published pickles: `way` classes, `shot` clouds
    of each to train, 20 of each to test."""

    folds: ClassVar[int] = 10
    """For `onlay folds`: one run for each episode."""

    name: Literal["modelnet_fewshot"] = "modelnet_fewshot"

    path: Path
    """The folder `ModelNetFewshot`, with folders such as `5way_10shot` or `5way10shot`."""

    way: PositiveInt = 5
    """Classes; 5 and 10 are published."""

    shot: PositiveInt = 10
    """Training clouds of a class; 10 and 20 are published."""

    fold: NonNegativeInt = 0
    """Which episode; 0 to 9 are published, and results are a mean over them."""

    outputs: Literal[40, "way"] = 40
    """Outputs of the head: 40, of which only the first `way` are ever asked for, as in published
    results; or `way`."""

    preprocess: CloudPreprocess = CloudPreprocess(
        normalize="unit_sphere", augment="scale_translate"
    )
    """Default: centred and scaled to the unit sphere; scaled and shifted while training."""


class ShapeNetPartConfig(CloudData):
    """ShapeNetPart: shapes of 16 categories, each point labelled with one of 50 parts."""

    name: Literal["shapenet_part"] = "shapenet_part"

    path: Path
    """The folder `shapenetcore_partanno_segmentation_benchmark_v0_normal`."""

    train: Literal["trainval", "train"] = "trainval"
    """Train on the training and validation lists, as results are published, without a validation
    part; or on the training list, with the other to validate on."""

    sampling: Literal["farthest", "with_replacement"] = "farthest"
    """How `npoints` are chosen: as everywhere else; or at random with replacement, as published,
    which leaves out half of the points of most shapes. In evaluation, where the published figure
    changes with the draw, ours is the same every time."""

    preprocess: CloudPreprocess = CloudPreprocess(
        normalize="unit_sphere", augment="isotropic", pad="repeat"
    )
    """Default: centred and scaled to the unit sphere; scaled as a whole and shifted while training;
    shapes of fewer points repeat some."""


class ShapesConfig(CloudData):
    """Generated everyday objects of 10 kinds, in parts, noisy and turned; no files, no download."""

    name: Literal["shapes"] = "shapes"

    train_size: PositiveInt = 800
    """Clouds to train on."""

    val_size: NonNegativeInt = 160
    """Clouds to validate on; 0 for none."""

    test_size: PositiveInt = 400
    """Clouds for the test."""

    shapes_seed: NonNegativeInt = 0
    """Seed of the shapes; not that of training, so that runs of several seeds see the same."""

    preprocess: CloudPreprocess = CloudPreprocess(
        normalize="unit_sphere", augment="scale_translate"
    )
    """Default: centred and scaled to the unit sphere; scaled and shifted while training."""
