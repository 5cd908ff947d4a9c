"""What a bundle keeps of how its clouds were prepared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt

from onlay.config.base import Config

Count = Annotated[int, Field(ge=1, le=10_000_000)]


class CloudFacts(Config):
    """Every choice made; data sets may add facts of their own."""

    model_config = ConfigDict(extra="allow")

    modality: Literal["points"] = "points"
    """This modality."""
    npoints: Count
    """Points of a cloud."""
    min_points: Count | None = None
    """The fewest that a file may have; left out, `npoints`."""
    normalize: Literal["none", "centre", "unit_sphere"]
    """See `CloudPreprocess.normalize`."""
    columns: list[StrictInt | str] | None = Field(None, min_length=3, max_length=3)
    """See `CloudPreprocess.columns`; left out, those whose names say so."""
    extra: list[StrictInt | str] = Field(default_factory=list, max_length=10_000)
    """See `CloudPreprocess.extra`."""
    unmeasured: Literal["leave_out", "keep"] = "leave_out"
    """See `CloudPreprocess.unmeasured`."""
    category_folders: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """The number of the category that a folder's name tells."""
