"""What may stand under `backbone:` in a run file; imports no torch."""

from pathlib import Path
from typing import Literal, Self

from onlay.settings import Config
from pydantic import PositiveInt, model_validator

# `grid`: patches lie on a map; `class_token`: there is one; `insertion`: the blocks take
# any number of tokens; `extension`: attention takes keys and values that belong to none.
# Methods ask for these.
TRAITS = frozenset({"sequence", "grid", "class_token", "insertion", "extension"})

PATCH = 8


class MyBackboneConfig(Config):
    """A small vision transformer, with patches of 8 pixels."""

    name: Literal["my_backbone"] = "my_backbone"
    """This backbone."""

    weights: Path | None = None
    """A state dict of the network (`.safetensors`, or of `torch.save`); without one the
    weights are random, the same every time."""

    img_size: PositiveInt = 64
    """Height and width of the images, a multiple of 8."""

    width: PositiveInt = 128
    """Size of a token, a multiple of `heads`."""

    depth: PositiveInt = 4
    """How many blocks."""

    heads: PositiveInt = 4
    """Heads of each attention."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.img_size % PATCH:
            raise ValueError(f"`img_size` must be a multiple of {PATCH}")
        if self.width % self.heads:
            raise ValueError("`width` must be a multiple of `heads`")
        return self


def provides(config: MyBackboneConfig) -> frozenset[str]:
    """What methods and tasks can count on, with these settings."""
    return TRAITS
