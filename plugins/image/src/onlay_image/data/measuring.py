"""How large pictures are, by reading all of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from onlay_image.data.pictures import Source, read_picture
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.reading import Reading

_OF_READING = {"value_range", "percentile", "background", "frame", "max_pixels"}


def measure(config: Any) -> partial[tuple[int, int]]:
    """Of the settings of a data set: what gives height and width; channels are three, or as many as
    `preprocess.mean` has."""
    preprocess: ImagePreprocess = getattr(config, "preprocess", ImagePreprocess())
    given: Any = preprocess.model_dump(include=_OF_READING)
    return partial(extent, Reading(in_chans=len(preprocess.mean or (0, 0, 0)), **given))


def extent(reading: Reading, source: Source) -> tuple[int, int]:
    """Height and width, upright.

    Raises:
        DataError: it cannot be read; names it.
    """
    width, height = read_picture(source, reading)[0].size
    return height, width
