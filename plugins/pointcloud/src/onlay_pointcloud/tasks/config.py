"""Settings of part segmentation; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, field_validator

from onlay.config.base import Config


class PartSegmentationConfig(Config):
    """A part for each point: Point-MAE's decoder, cross-entropy.

    Best measured by `instance_miou`, the mean over clouds; `class_miou` is the mean over
    categories. The authors' script steps the optimizer twice for each batch, with one gradient;
    that is not offered.
    """

    name: Literal["part_segmentation"] = "part_segmentation"
    """This task."""

    categories: NonNegativeInt = 16
    """Categories of shapes, of which the head is told each cloud's: 16 in ShapeNetPart. 0 for data
    without categories, whose clouds have three columns; with categories the fourth column is the
    category's index."""

    global_features: Literal["pool", "prompts"] = "pool"
    """What describes a cloud as a whole: `pool`, the maximum and the mean over its groups at each
    level, as in Point-MAE; or `prompts`, as DAPT's authors say of theirs, the tokens that the
    adapter inserted instead of the groups. They published no code; our reading: the prompts as they
    leave the last norm, in order of age, are dealt to the levels (of 12 prompts the first four to
    the first level), and the maximum and the mean over each level's are taken."""

    levels: tuple[NonNegativeInt, ...] | None = None
    """Blocks, from 0, whose groups are read; default: the last one of each third of the depth,
    which is 3, 7, 11 of 12."""

    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Dropout while training, behind the first layer on joined features."""

    @field_validator("levels")
    @classmethod
    def _rising(cls, levels: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if levels is not None and (not levels or list(levels) != sorted(set(levels))):
            raise ValueError("must be block indices from low to high, each once")
        return levels
