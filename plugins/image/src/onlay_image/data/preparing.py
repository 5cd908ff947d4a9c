"""Settings of the way from an image file to a tensor."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from onlay.settings import Config

MAX_PIXELS = 89_478_485
"""Where Pillow begins to warn of decompression bombs: about 350 MB in memory."""

Byte = Annotated[int, Field(ge=0, le=255)]
Window = tuple[float, float]
Percent = Annotated[float, Field(ge=0, le=100)]
Deviation = Annotated[float, Field(gt=0)]


Jitter = Annotated[float, Field(ge=0)]
Hue = Annotated[float, Field(ge=0, le=0.5)]
RAND = re.compile(r"rand(-(m(10|\d)(\.\d+)?|n\d+|mstd\d+(\.\d+)?|p(0\.\d+|1)|inc1))*")
"""timm's words for RandAugment; `inc1`, stronger with m, is what all of torchvision's changes
are."""

Resize = Literal["crop", "squash", "squash_crop", "pad"]
CROPPED: tuple[Resize, ...] = ("crop", "squash_crop")
"""What hides some of a picture."""
SQUASHED: tuple[Resize, ...] = ("squash", "squash_crop")
"""What timm calls the crop mode `squash`."""
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


class ImagePreprocess(Config):
    """From an image file to a tensor. What is left out is the backbone's own."""

    img_size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    """Height and width, one number for a square; default: the backbone's."""

    resize: Resize | None = None
    """`crop`: the short side to img_size / crop_pct, then the centre; `squash`: both sides to
    img_size, whatever the shape (VTAB); `squash_crop`: both sides to img_size / crop_pct, then the
    centre; `pad`: all of the picture in its shape, and the mean colour below it or on its right.
    Default: the backbone's, as timm knows it."""

    crop_pct: float | None = Field(default=None, gt=0, le=1)
    """Share of the short side that the centre crop keeps, of both sides with `squash_crop`;
    default: the backbone's."""

    interpolation: Interpolation | None = None
    """As Pillow names it; default: the backbone's."""

    normalize: Literal["backbone", "imagenet", "half", "none"] = "backbone"
    """Mean and standard deviation: those of the backbone's pretraining, of ImageNet (ARC, NOAH,
    FacT), 0.5 and 0.5 (RLRR), or none, pixels in [0, 1] (Bi-Adapter, Adapter-X). Published results
    on one benchmark differ in this, by up to 1.5 points."""

    mean: tuple[float, ...] | None = None
    """One mean for each channel, on the scale of 0 (black) to 1 (white), instead of those that
    `normalize` names; for channels that are not red, green and blue."""

    std: tuple[Deviation, ...] | None = None
    """One standard deviation for each channel, likewise."""

    value_range: Window | None = None
    """Values, in the file's own numbers, that become black and white: `[-160, 240]` for soft tissue
    in CT, `[0, 4095]` for 12 bits in 16, `[0, 10000]` for reflectances. Default: all that the type
    can hold (0 to 65535 for 16 bits, 0 to 1 for floats), or the window that a DICOM file brings."""

    percentile: tuple[Percent, Percent] | None = None
    """Instead: the percentiles of each picture that become black and white, such as `[1, 99]`."""

    background: Literal["white", "black"] | tuple[Byte, Byte, Byte] = "white"
    """What is seen through transparent pixels: a colour's name, or red, green and blue up to
    255."""

    frame: NonNegativeInt = 0
    """Which frame of an animation, a stack of pages or a DICOM series is the picture."""

    max_pixels: PositiveInt = MAX_PIXELS
    """A picture of more pixels, as stored or as resized before it is cropped, is refused: four
    bytes of memory each, several times over."""

    augment: Literal["none", "flip", "crop_flip", "random_resized_crop", "scale_crop"] = "none"
    """While training: `flip` mirrors half of the images; `crop_flip` crops anywhere instead of in
    the centre and mirrors (FGVC; where `resize` crops); `random_resized_crop` also varies scale and
    shape, and mirrors; `scale_crop` enlarges or reduces by a factor from `scale`, crops anywhere,
    with the mean colour around what is smaller, and mirrors (segmentation, detection). Masks,
    depths and boxes move with their picture; beyond its edges a mask is void and a depth a hole."""

    scale: tuple[Deviation, Deviation] = (0.5, 2.0)
    """With `augment: scale_crop`: the least and the greatest factor, of which 1 is the scale of
    evaluation."""

    aa: str | None = None
    """While training, after `augment`: changes of colour and geometry by chance. `trivialaugment`
    is TrivialAugment; `rand-m9-n2` RandAugment in timm's words, n changes of magnitude m from 0 to
    10, by default 10, and -mstd0.5 draws m for each change of a picture with that deviation; -p0.5
    makes each change with that probability, where timm's default is 0.5 and here it is 1, as in
    the paper. The changes and their ranges are torchvision's (`RandAugment` with magnitudes up to
    10), what leaves the picture is black. For 1 or 3 channels."""

    color_jitter: Jitter | tuple[Jitter, Jitter, Jitter] | tuple[Jitter, Jitter, Jitter, Hue] = 0.0
    """While training: brightness, contrast and saturation change by factors of 1 - x to 1 + x, one
    x for all or one for each, and a fourth that shifts the hue, up to 0.5; 0: none. Also beside
    `aa`. For 1 or 3 channels."""

    reprob: float = Field(default=0.0, ge=0, le=1)
    """While training: share of the pictures of which a box of 2 to 33 % of the area is erased
    (random erasing), after normalisation."""

    remode: Literal["const", "rand", "pixel"] = "pixel"
    """What is erased becomes: 0, the mean colour; one normal colour; normal noise."""

    recount: PositiveInt = 1
    """Boxes to erase at most; together they have the area of one."""

    @field_validator("aa")
    @classmethod
    def _known_changes(cls, aa: str | None) -> str | None:
        if aa is None or aa == "trivialaugment" or RAND.fullmatch(aa):
            return aa
        raise ValueError("must be `trivialaugment`, or RandAugment such as `rand-m9-n2-mstd0.5`")

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        refuse_empty(self.value_range, self.percentile)
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"`scale` is [least, greatest], and {self.scale[0]:g} is greater")
        return self


def squashed(crop_pct: float) -> Resize:
    """What `Resize` calls timm's `squash` with this share."""
    return "squash" if crop_pct == 1 else "squash_crop"


def refuse_empty(value_range: Window | None, percentile: Window | None) -> None:
    """Raise a `ValueError` for two windows, or for one that is empty or the wrong way round."""
    if value_range is not None and percentile is not None:
        raise ValueError("`value_range` and `percentile` exclude each other")
    for name, given in (("value_range", value_range), ("percentile", percentile)):
        if given is not None and given[0] >= given[1]:
            raise ValueError(f"`{name}` is [low, high], and {given[0]:g} is not below {given[1]:g}")
