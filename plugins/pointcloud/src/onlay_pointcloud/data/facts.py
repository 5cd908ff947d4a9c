"""What a bundle keeps of how its clouds were prepared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from onlay.settings import Config
from onlay_pointcloud.data.config import CloudPreprocess, Column

Count = Annotated[int, Field(ge=1, le=10_000_000)]


class SceneFacts(Config):
    """How scenes are cut into blocks."""

    block: Annotated[float, Field(gt=0)]
    """Side of a block."""
    stride: Annotated[float, Field(gt=0)]
    """From one block to the next."""
    up: Literal[0, 1, 2]
    """The axis that is not cut."""
    place: bool = False
    """Whether three columns tell where a point lies in its scene."""


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
    class_values: dict[str, list[int]] = Field(default_factory=dict)
    """The numbers of each class in labelled files."""
    void_values: list[int] = Field(default_factory=list)
    """Numbers that are not counted."""
    label: Column | None = None
    """The column of the classes in labelled files, where somebody chose it."""
    scenes: SceneFacts | None = None
    """Of scenes, which are cut."""
    further: Annotated[int, Field(ge=0)] = 0
    """Of scenes: columns behind the coordinates."""
