"""What decides how a picture becomes numbers, beside the picture: a part of the preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from onlay_image.data.preparing import MAX_PIXELS

PIXELS_OF_BANDS = 4
"""Bands that are counted as one pixel: as many bytes as Pillow keeps for one in colour."""


class UnfitError(ValueError):
    """A picture that is not read, for a reason that is said in our own words."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """See the fields of `ImagePreprocess`; what an older bundle does not say has its default."""

    in_chans: int = 3
    """Channels that the backbone takes."""
    value_range: tuple[float, float] | None = None
    percentile: tuple[float, float] | None = None
    background: Literal["white", "black"] | tuple[int, int, int] = "white"
    frame: int = 0
    max_pixels: int = MAX_PIXELS
    scaled: tuple[float, float] | None = None
    """Height and width that a picture is made to cover before it is cropped; `None`: it is not."""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Reading:
        """From the preprocessing of a bundle."""
        own = {field.name: facts[field.name] for field in fields(cls) if field.name in facts}
        if facts.get("resize") == "crop":
            share = facts["crop_pct"]
            own["scaled"] = tuple(side / share for side in facts["img_size"])
        return cls(**own)

    @property
    def windowed(self) -> bool:
        """Whether values are scaled by anything but what they can be."""
        return self.value_range is not None or self.percentile is not None

    def refuse_large(self, width: int, height: int, bands: int = 1) -> None:
        """Raise an `UnfitError` if the picture, or what resizing makes of it, is too large."""
        weight = -(-bands // PIXELS_OF_BANDS)
        if min(width, height) < 1:
            raise UnfitError(f"it is {width} x {height} pixels")
        if width * height * weight > self.max_pixels:
            raise UnfitError(
                f"it is {width} x {height} pixels{f' of {bands} bands' if weight > 1 else ''},"
                f" more than `data.preprocess.max_pixels` ({self.max_pixels:,}) allows"
            )
        if self.scaled is not None:
            self._refuse_strip(width, height)

    def _refuse_strip(self, width: int, height: int) -> None:
        assert self.scaled is not None
        tall, wide = self.scaled
        scale = max(tall / height, wide / width)
        made = round(height * scale) * round(width * scale)
        if made > self.max_pixels:
            raise UnfitError(
                f"it is {width} x {height} pixels: resizing its short side would make {made:,}"
                f" pixels of it, more than `data.preprocess.max_pixels` ({self.max_pixels:,})"
                " allows; `data.preprocess.resize: squash` reads it"
            )


def no_frame(count: int, frame: int) -> str:
    """What to say of a file with fewer frames."""
    return f"it has {count} frame{'s' if count > 1 else ''}, and no frame {frame}"
