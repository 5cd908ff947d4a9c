"""Settings of the data sets of images with targets on them; imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from onlay.config.data import SplitConfig
from onlay_dense.data.depth_values import DepthValues
from onlay_image.data.config import ImageData, ImageFilesConfig
from onlay_image.data.preparing import Byte, ImagePreprocess

Colour = tuple[Byte, Byte, Byte]

PREPROCESS = ImagePreprocess(resize="squash")
"""All of a picture is seen, at the price of its shape."""


class PairsConfig(ImageFilesConfig):
    """What data sets have that find images and what belongs to them in two folders, by their
    stems."""

    path: Path
    """The folder in which both lie, or parts (`train`, `val`, `test`) with both."""

    images: str | None = None
    """The folder of the images, below `path` or inside of each part; default: `images` or another
    usual name."""

    image_ending: str = ""
    """What the stems of images end in beside what they share with their partners:
    `_leftImg8bit`."""

    unpaired: Literal["refuse", "drop"] = "refuse"
    """What becomes of an image without a partner, and the other way round."""

    preprocess: ImagePreprocess = PREPROCESS
    """How images become tensors, and what belongs to them goes with them. Default: the whole image
    at the backbone's size, whatever its shape (`resize: squash`)."""


class CamvidConfig(SplitConfig, ImageData):
    """CamVid, street scenes with 11 classes and void: `train` beside `trainannot` and `train.txt`,
    `train` beside `train_labels` in colours, or `701_StillsRaw_full` beside
    `LabeledApproved_full`."""

    name: Literal["camvid"] = "camvid"

    path: Path
    """The folder. Where it has neither parts nor lists, `test_size` and `val_size` split it."""

    preprocess: ImagePreprocess = PREPROCESS
    """How images become tensors, and their masks with them. Default: the whole image at the
    backbone's size, whatever its shape (`resize: squash`)."""


class Ade20kConfig(ImageData):
    """ADE20K's 150 classes of scene parsing: `images/training`, `annotations/training`, likewise
    `validation`; 0 is void."""

    name: Literal["ade20k"] = "ade20k"

    path: Path
    """The folder with `images` and `annotations`."""

    preprocess: ImagePreprocess = PREPROCESS
    """How images become tensors, and their masks with them. Default: the whole image at the
    backbone's size, whatever its shape (`resize: squash`)."""


class MaskFolderConfig(PairsConfig):
    """Images and masks with the class of each pixel: `images/1.jpg` and `masks/1.png`, also below
    parts."""

    name: Literal["mask_folder"] = "mask_folder"

    masks: str | None = None
    """The folder of the masks, below `path` or inside of each part; default: `masks`, `labels`,
    `annotations` or another usual name. A mask holds numbers: grey, indices of a palette, 16 bits,
    npy; or colours, where `colours` or `classes` says which."""

    mask_ending: str = ""
    """What the stems of masks end in beside: `_mask`, `_gtFine_labelIds`."""

    labels: tuple[str, ...] | None = None
    """The classes 0, 1, ... in order; beside `values`, `colours` or `classes` the order in which
    the model has them."""

    values: dict[int | Literal["rest"], str] | None = None
    """What the numbers in masks mean, where they are not 0, 1, ...: `{0: background, 255:
    nucleus}`; several may be one class. `rest` is every other number, so that maps of objects are
    masks: `{0: background, rest: nucleus}`."""

    colours: dict[str, Colour] | None = None
    """What the colours in masks mean, red, green and blue up to 255: `{sky: [128, 128, 128]}`."""

    classes: Path | None = None
    """A file that says it instead: a name on each line, of the numbers 0, 1, ...; or a table with a
    column `name` and `value`, or `r`, `g` and `b`."""

    void: tuple[int | str, ...] = ()
    """Numbers, or classes by the names that they have above, which are not counted: no loss and no
    metric knows them."""

    depths: str | None = None
    """The folder of depth maps of the same images, where the task `several` learns both."""

    depth_ending: str = ""
    """What the stems of depth maps end in beside: `_depth`."""

    depth_values: DepthValues = DepthValues()
    """What the numbers in depth maps mean: `{scale: 1000}`."""

    targets: Literal["mask", "several"] | None = None
    """What is told of an image: its `mask`, or mask and depths (`several`). Default: what the task
    learns from, else all that there is."""

    @property
    def told(self) -> Literal["mask", "several"]:
        """As it turns out."""
        return self.targets or ("several" if self.depths else "mask")

    @model_validator(mode="after")
    def _several_things(self) -> Self:
        if self.targets == "several" and self.depths is None:
            raise ValueError("several things are learnt, and there are masks alone: name `depths`")
        return self

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        given = [n for n in ("values", "colours", "classes") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"`{given[0]}` and `{given[1]}` both say what is in masks")
        if not given and self.labels is None:
            raise ValueError(
                "what masks hold is not told: `labels` (the classes 0, 1, ...), `values` ({0:"
                " background, 255: nucleus}), `colours`, or a file of `classes`"
            )
        return self
