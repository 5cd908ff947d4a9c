"""Settings of the data set `rooms`; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from onlay.config.data import DataConfig
from onlay_image.data.preparing import ImagePreprocess


class RoomsConfig(DataConfig):
    """Rendered rooms with boxes, balls and pillars in them: for each pixel its class and its depth
    in metres, exact; no files, no download.

    The rooms are 3 to 7 m wide and up to 9 m deep, seen from eye height by a camera with an angle
    of 60 degrees from top to bottom. They are rendered at the size that the backbone takes.
    """

    name: Literal["rooms"] = "rooms"
    """This data set."""

    train_size: PositiveInt = 800
    """Pictures to train on."""

    val_size: NonNegativeInt = 160
    """Pictures to validate on; 0 for none."""

    test_size: PositiveInt = 400
    """Pictures for the test."""

    rooms_seed: NonNegativeInt = 0
    """Seed of the rooms; not that of training, so that runs of several seeds see the same."""

    targets: Literal["mask", "depth", "several"] | None = None
    """What is told of a picture: the class of each pixel (`mask`), its `depth`, or both
    (`several`). Default: what the task learns from."""

    preprocess: ImagePreprocess = ImagePreprocess(resize="squash")
    """Default: as rendered, nothing resized, nothing cropped."""
