"""Settings of the image data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from onlay.config.data import FilesConfig, ListedConfig, Share, TableConfig, ValidationConfig
from onlay_image.data.preparing import ImagePreprocess


class ImageData(ListedConfig):
    """What all image data sets have."""

    preprocess: ImagePreprocess = ImagePreprocess()
    """How images become tensors."""


class ImageFilesConfig(FilesConfig, ImageData):
    """What folders and tables of images have."""


class ImageFolderConfig(ImageFilesConfig):
    """A folder of class folders: `cat/1.jpg`, `dog/2.jpg`, or the same below `train`, `val`,
    `test`.
    """

    name: Literal["image_folder"] = "image_folder"

    path: Path
    """The folder."""


class PiecesConfig(ImageFilesConfig):
    """What images in pieces have, several files of many images each."""

    path: Path
    """A folder of such files, one file, or a pattern with braces: `train-{000..099}.tar`. Parts are
    told apart by the folder or the name in front of the number: `train-000`, `val-000`."""

    classes: Path | None = None
    """A file with the name of a class on each line: what the numbers 0, 1, ... mean, where the data
    do not tell."""

    window: int = Field(8, ge=1)
    """With `order: blocks`: of how many blocks the images are mixed."""


class ShardsConfig(PiecesConfig):
    """Tars of images with their labels beside them, `17.jpg` and `17.cls`, as WebDataset writes
    them; not compressed. An index of each is kept beside it in `.index`."""

    name: Literal["shards"] = "shards"

    image: tuple[str, ...] = ()
    """What of a sample is the image, by its suffix (`png`, `left.jpg`), the first that there is;
    default: whatever suffix images have, `jpg`, `jpeg` and `png` before others."""

    target: Literal["cls", "json"] = "cls"
    """Where the label is: the text of `.cls`, a number or a name, or in a `.json`."""

    label: str = "label"
    """Of a `.json`: the key of the label."""

    order: Literal["global", "blocks"] = "global"
    """How training images are shuffled: all of them, or one tar after the other with those of
    `window` tars mixed, which on slow disks and networks saves most of the way between them."""


class ParquetConfig(PiecesConfig):
    """Tables of Parquet with an image in each row, as Hugging Face has them; they are read with
    `pyarrow`, which `onlay[parquet]` installs."""

    name: Literal["parquet"] = "parquet"

    columns: dict[Literal["image", "label", "split"], str] = Field(default_factory=dict)
    """What the columns are called, `{image: picture, label: kind, split: fold}`; default: the ones
    that Hugging Face's note in the file calls an image and a class, else usual names (`image`,
    `img`; `label`, `class`). An image is bytes, bytes with a path, or a path. A column `split`, or
    one of a usual name with nothing but names of parts in it, tells parts where the names of the
    files do not; one that is named here goes before them."""

    root: Path | None = None
    """What paths in the tables are relative to; default: each table's own folder."""

    order: Literal["blocks", "global"] = "blocks"
    """How training images are shuffled: one group of rows after the other with those of `window`
    groups mixed, or all of them, for which a group is read for nearly every image."""


class ImageCsvConfig(TableConfig, ImageFilesConfig):
    """A table with the columns `path`, `label` and perhaps `split` (train, val or test): CSV, also
    with semicolons or tabs."""

    name: Literal["image_csv"] = "image_csv"


class VtabConfig(ImageData):
    """One task of VTAB-1k as NOAH exports it: lists of `path label` beside the images."""

    name: Literal["vtab"] = "vtab"

    path: Path
    """The task's folder."""

    train: Literal["train800val200", "train800"] = "train800val200"
    """All 1,000 images, as results are published, without a validation part; or 800, with the other
    200 for validation."""

    labels: tuple[str, ...] | None = None
    """Names of the classes 0, 1, ...; default: their numbers."""

    preprocess: ImagePreprocess = ImagePreprocess(
        resize="squash", interpolation="bicubic", normalize="imagenet"
    )
    """Default: resized to the backbone's size without a crop, bicubic, ImageNet's mean and
    deviation.
    """


class FgvcConfig(ValidationConfig, ImageData):
    """A fine-grained task with the splits of VPT: `train.json`, `val.json`, `test.json`; without
    them with the lists that CUB, NABirds, Stanford Dogs, Stanford Cars and Oxford Flowers come
    with."""

    name: Literal["fgvc"] = "fgvc"

    path: Path
    """The folder with the three files, or of the data set as its authors hand it out."""

    val_size: Share = 0.1
    """Share, or number, of the training items to validate on, where the authors' lists have no such
    part; VPT's files have one."""

    images: str | None = None
    """Subfolder of the images; default: the one of ``, `images`, `Images` that has them."""

    preprocess: ImagePreprocess = ImagePreprocess(
        resize="crop",
        crop_pct=0.875,
        interpolation="bicubic",
        normalize="imagenet",
        augment="crop_flip",
    )
    """Default: short side to 256 for 224, a random crop and mirror images while training, else the
    centre; ImageNet's mean and deviation."""


class FewShotConfig(ImageData):
    """A few pictures of each class, by the lists that NOAH published for five data sets."""

    name: Literal["few_shot"] = "few_shot"

    path: Path
    """The data set's folder, with the lists `train_meta.list.num_shot_1.seed_0`, `val_meta.list`
    and `test_meta.list` in it, in `annotations`, or in `few-shot_split` beside it."""

    shot: PositiveInt = 1
    """Pictures of a class to train on; 1, 2, 4, 8 and 16 are published."""

    list_seed: NonNegativeInt = 0
    """Which draw of them; 0, 1 and 2 are published, and results are means over them."""

    images: str | None = None
    """Subfolder of the pictures; default: the one of `images`, ``, `images/train` (`images/test`
    for the test) that has them."""

    preprocess: ImagePreprocess = ImagePreprocess(
        resize="crop",
        crop_pct=0.875,
        interpolation="bicubic",
        normalize="imagenet",
        augment="random_resized_crop",
        aa="rand-m9-mstd0.5-p0.5-inc1",
        reprob=0.25,
    )
    """Default: in training random crops, mirror images, RandAugment (each of two changes with
    probability 0.5, as in timm) and a box erased in a quarter
    of them; else short side to 256 for 224 and the centre; ImageNet's mean and deviation."""


class DigitsConfig(ImageData):
    """scikit-learn's 1,797 handwritten digits (8x8 pixels, enlarged): 180 to validate, 617 to
    test.
    """

    name: Literal["digits"] = "digits"

    train_size: int = Field(1000, ge=20, le=1000)
    """Digits to train on; the parts to validate and to test on stay the same."""

    split_seed: int = 0
    """Seed of the stratified split."""
