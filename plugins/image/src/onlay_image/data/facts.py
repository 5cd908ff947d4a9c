"""What a bundle keeps of how its images were prepared."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from onlay.config.base import Config
from onlay_image.data.preparing import MAX_PIXELS, Byte, Percent, Window, refuse_empty

Side = Annotated[int, Field(ge=1, le=16384)]


class ImageFacts(Config):
    """Every choice made; data sets may add facts of their own."""

    model_config = ConfigDict(extra="allow")

    modality: Literal["image"] = "image"
    """This modality."""
    img_size: tuple[Side, Side]
    """Height and width."""
    resize: Literal["crop", "squash"]
    """See `ImagePreprocess.resize`."""
    crop_pct: float = Field(gt=0, le=1)
    """Share of the short side that the centre crop keeps."""
    interpolation: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
    """As Pillow names it."""
    mean: list[float] = Field(min_length=1)
    """Of each channel, of values from 0 to 1."""
    std: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    """Likewise, the deviation."""

    in_chans: PositiveInt = 3
    """How many channels the network takes."""
    value_range: Window | None = None
    """See `ImagePreprocess.value_range`, and likewise for what follows."""
    percentile: tuple[Percent, Percent] | None = None
    """Instead of a range of values."""
    background: Literal["white", "black"] | tuple[Byte, Byte, Byte] = "white"
    """What is seen through transparent pixels."""
    frame: NonNegativeInt = 0
    """Which of several."""
    max_pixels: PositiveInt = MAX_PIXELS
    """The largest picture."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not len(self.mean) == len(self.std) == self.in_chans:
            raise ValueError(
                f"{len(self.mean)} means and {len(self.std)} deviations of {self.in_chans} channels"
            )
        refuse_empty(self.value_range, self.percentile)
        return self
