"""Settings of the data sets of images with objects on them; imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from onlay_dense.data.config import PREPROCESS, PairsConfig
from onlay_image.data.config import ImageFilesConfig
from onlay_image.data.preparing import ImagePreprocess


class InstanceFolderConfig(PairsConfig):
    """Images and maps of objects: `images/1.jpg` and `instances/1.png`, also below parts; in a map
    each object has a number of its own, and 0 is none."""

    name: Literal["instance_folder"] = "instance_folder"

    instances: str | None = None
    """The folder of the maps, below `path` or inside of each part; default: `instances`, `objects`,
    `masks` or another usual name. A map holds numbers: 16 bits, grey, indices of a palette, npy."""

    instance_ending: str = ""
    """What the stems of maps end in beside: `_instanceIds`."""

    labels: tuple[str, ...] = ("object",)
    """The class of all objects; with `divisor` or `class_maps` the classes 0, 1, ... in order, or
    with `values` the order in which the model has them."""

    divisor: PositiveInt | None = None
    """Where numbers tell the class, too: a number is class times this and the object, as
    Cityscapes has them with 1000."""

    class_maps: str | None = None
    """Where a second map tells classes: the folder of maps with the class of each pixel, below
    `path` or inside of each part. An object is of the class that most of its pixels have."""

    class_map_ending: str = ""
    """What the stems of maps of classes end in beside: `_classes`."""

    values: dict[int, str] | None = None
    """With `divisor` or `class_maps`: what the numbers of classes mean, where they are not 0, 1,
    ...: `{24: person, 26: car}`."""

    void: tuple[int, ...] = ()
    """With `divisor`: numbers of classes that are no objects, such as the road; with `class_maps`:
    numbers that have no say, and an object of such pixels alone is none."""

    @model_validator(mode="after")
    def _one_class_or_a_divisor(self) -> Self:
        if self.divisor is not None and self.class_maps is not None:
            raise ValueError("`divisor` and `class_maps` both say what the class of an object is")
        if self.divisor is not None or self.class_maps is not None:
            return self
        if told := [n for n in ("values", "void") if getattr(self, n)]:
            raise ValueError(
                f"`{told[0]}` tells classes, which numbers hold with a `divisor`, or `class_maps`"
            )
        if len(self.labels) != 1:
            raise ValueError(
                f"`labels` names {len(self.labels)} classes, and numbers of objects tell none: give"
                " the one class of all objects, a `divisor`, or `class_maps`"
            )
        return self


class CocoConfig(ImageFilesConfig):
    """Objects in COCO's JSON files, with boxes, and with polygons or run lengths as masks."""

    name: Literal["coco"] = "coco"

    path: Path
    """The JSON file; or a folder in which, or in whose `annotations`, or in whose folders of parts,
    there is one for each part: `annotations/instances_train2017.json`, `train/labels.json`."""

    images: Path | None = None
    """The folder that the names of images are relative to; default: that of the file, or `images`
    or one that is called like the part, beside it or above."""

    targets: Literal["objects", "mask"] | None = None
    """What is told of an image: its `objects`, or the class of each pixel (`mask`), drawn from
    their polygons and run lengths; pixels of two classes are void. Default: what the task learns
    from."""

    background: str | None = "background"
    """With `targets: mask`: the class of pixels without an object, the first of all; null: they are
    void."""

    preprocess: ImagePreprocess = PREPROCESS
    """How images become tensors, and objects go with them. Default: the whole image at the
    backbone's size, whatever its shape (`resize: squash`)."""
