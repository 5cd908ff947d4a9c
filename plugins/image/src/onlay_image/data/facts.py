"""What a bundle keeps of how its images were prepared."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from onlay_image.data.preparing import ImagePreprocess, Interpolation, Resize

Side = Annotated[int, Field(ge=1, le=16384)]


class ImageFacts(ImagePreprocess):
    """The settings, with every choice made that they leave to the backbone; data sets may add facts
    of their own."""

    model_config = ConfigDict(extra="allow")

    modality: Literal["image"] = "image"
    """This modality."""
    img_size: tuple[Side, Side]
    """Height and width."""
    resize: Resize = "crop"
    """How a picture comes to that size."""
    crop_pct: float = Field(gt=0, le=1)
    """Share of the short side that the centre crop keeps, of both sides with `squash_crop`."""
    interpolation: Interpolation
    """As Pillow names it."""
    mean: tuple[float, ...] = Field(min_length=1)
    """Of each channel, of values from 0 to 1."""
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    """Likewise, the deviation."""
    in_chans: int = Field(default=3, ge=1, le=4096)
    """Channels that the backbone takes."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} deviations")
        return self
