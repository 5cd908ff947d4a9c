"""A backbone of one's own: its settings and its registration; imports no torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from onlay import hookimpl
from onlay.descriptors import Backbone
from onlay.settings import Config

TRAITS = frozenset({"sequence", "line", "insertion", "extension"})


class RecordingNetConfig(Config):
    """A small transformer over recordings."""

    name: Literal["recording_net"] = "recording_net"
    """This backbone."""
    weights: Path | None = None
    """A state dict; without one the weights are random, the same every time."""
    channels: PositiveInt = 2
    """Channels of a recording."""
    length: PositiveInt = 256
    """Samples of a recording, a multiple of 8."""
    width: PositiveInt = 64
    """Size of a token, a multiple of `heads`."""
    depth: PositiveInt = 4
    """Blocks."""
    heads: PositiveInt = 4
    """Heads of each attention."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.length % 8 or self.width % self.heads:
            raise ValueError("`length` must be a multiple of 8, and `width` of `heads`")
        return self


def provides(config: RecordingNetConfig) -> frozenset[str]:
    """What methods can count on, with these settings."""
    return TRAITS


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    yield Backbone(
        name="recording_net",
        config=RecordingNetConfig,
        build="recording_anatomy:build",
        adopt="recording_anatomy:adopt",
        provides="recording_net:provides",
        modality="recording",
        summary="a small transformer over recordings",
        examples=({"length": 32, "width": 16, "depth": 2, "heads": 2},),
    )
