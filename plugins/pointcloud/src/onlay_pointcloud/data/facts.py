"""What a bundle keeps of how its clouds were prepared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from onlay_pointcloud.data.config import CloudPreprocess

Count = Annotated[int, Field(ge=1, le=10_000_000)]


class CloudFacts(CloudPreprocess):
    """The settings, with every choice made that they leave to the backbone; data sets may add facts
    of their own."""

    model_config = ConfigDict(extra="allow")

    modality: Literal["points"] = "points"
    """This modality."""
    npoints: Count
    """Points of a cloud."""
    normalize: Literal["none", "centre", "unit_sphere"]
    """As in the settings."""
    min_points: Count | None = None
    """The fewest that a file may have; left out, `npoints`."""
    category_folders: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """The number of the category that a folder's name tells."""
