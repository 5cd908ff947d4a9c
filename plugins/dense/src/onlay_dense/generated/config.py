"""Settings of generated data sets; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from onlay_image.data.config import ImageData


class CellsConfig(ImageData):
    """Generated pictures like those of a microscope, with the nuclei of cells to be found; no
    files, no download."""

    name: Literal["cells"] = "cells"

    train_size: PositiveInt = 160
    """Pictures to train on."""

    val_size: NonNegativeInt = 40
    """Pictures to validate on; 0 for none."""

    test_size: PositiveInt = 100
    """Pictures for the test."""

    side: int = Field(default=64, ge=16, le=1024)
    """Pixels of a picture's height and width; nuclei are as large in larger ones, and more."""

    cells_seed: NonNegativeInt = 0
    """Seed of the pictures; not that of training, so that runs of several seeds see the same."""
