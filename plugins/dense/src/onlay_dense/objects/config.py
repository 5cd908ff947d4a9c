"""Settings of the tasks that find objects; imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from onlay.settings import Config

Share = Annotated[float, Field(ge=0, le=1)]


class ObjectsConfig(Config):
    """What the tasks have that find objects."""

    name: str
    """The task."""
    levels: tuple[NonNegativeInt, ...] | None = None
    """Blocks, from 0, whose maps are read: of a backbone without stages one, of which a pyramid of
    four is made, or four, one for each of its levels, the finest first. Default: the last block;
    of a backbone with stages the last of each."""
    width: PositiveInt = 64
    """Channels of the pyramid; torchvision's own models have 256."""
    box_width: PositiveInt = 256
    """Channels of the two layers that look at a box; torchvision's own models have 1024."""
    anchor_scale: PositiveFloat = 4.0
    """Sides of an anchor, in places of the map that it lies on: at stride 4 it has 16 pixels, at
    stride 8 it has 32, and so on."""
    aspect_ratios: tuple[PositiveFloat, ...] = (0.5, 1.0, 2.0)
    """Heights of anchors over their widths."""
    proposals: PositiveInt = 1000
    """Regions of a picture that are looked at closely; twice as many while training."""
    detections: Annotated[int, Field(ge=11)] = 300
    """Objects of a picture at most, the surest ones. Average recall is told for 1, for 10 and for
    this many."""
    score_threshold: Share = 0.05
    """Objects that are less sure than this are none."""
    nms_threshold: Share = 0.5
    """Of two objects of a class that overlap by more than this, the less sure one is left out."""
    threshold: Share = 0.5
    """What answers count and draw: objects that are at least this sure. Records and files hold all
    of them."""

    @field_validator("aspect_ratios")
    @classmethod
    def _some(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if not ratios:
            raise ValueError("must name one ratio at least")
        return ratios


class DetectionConfig(ObjectsConfig):
    """A box and a class for each object: torchvision's Faster R-CNN on the backbone's maps."""

    name: Literal["detection"] = "detection"
    """This task."""


class InstancesConfig(ObjectsConfig):
    """A box, a class and a mask for each object: torchvision's Mask R-CNN on the backbone's
    maps."""

    name: Literal["instances"] = "instances"
    """This task."""
    mask_width: PositiveInt = 64
    """Channels of the layers that draw a mask; torchvision's own models have 256."""
