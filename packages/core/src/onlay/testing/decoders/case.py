"""A registered decoder with one of its `examples`, on maps of one size or on a pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from onlay.config import parse
from onlay.descriptors import Decoder
from onlay.host import PluginHost
from onlay.settings import Config
from onlay.testing.registered import in_words

KINDS: Mapping[str, str] = {"one_stride": "maps of one size", "pyramid": "a pyramid"}
"""What a decoder can read, in words."""

GRIDS = ((4, 4), (3, 5), (7, 2), (1, 1))
"""Heights and widths of the finest map: even, odd, long, a single place."""


@dataclass(frozen=True, eq=False)
class DecoderCase:
    """An example of a decoder on maps of a kind that it takes."""

    host: PluginHost
    decoder: Decoder
    settings: Mapping[str, Any]
    kind: str

    def __str__(self) -> str:
        return f"{in_words(self.decoder.name, self.settings)} on {KINDS[self.kind]}"

    @property
    def first(self) -> bool:
        """Whether these are the usual settings."""
        return self.settings == self.decoder.examples[0]

    @cached_property
    def config(self) -> Config:
        return parse("decoder", {"name": self.decoder.name, **self.settings}, self.host)

    @property
    def channels(self) -> list[int]:
        """8 of each map, or twice as many from map to map."""
        steps = range(self.decoder.levels)
        return [8 << step if self.kind == "pyramid" else 8 for step in steps]

    @property
    def strides(self) -> list[int]:
        """16 pixels to a place, or 4, 8, 16 and so on."""
        steps = range(self.decoder.levels)
        return [4 << step if self.kind == "pyramid" else 16 for step in steps]

    def made(self, seed: int = 0) -> Any:
        """A fresh one, in evaluation mode."""
        torch.manual_seed(seed)
        given = self.config, self.channels, self.strides
        return self.host.call("decoder", self.decoder.name, "build", *given).eval()

    def maps(self, batch: int = 2, grid: Sequence[int] = (4, 4)) -> list[Tensor]:
        """Random ones; those of a pyramid have half the size of the one before, rounded up."""
        drawn = torch.Generator().manual_seed(0)
        sizes = [self._grid(grid, step) for step in range(self.decoder.levels)]
        pairs = zip(self.channels, sizes, strict=True)
        return [torch.randn(batch, width, *size, generator=drawn) for width, size in pairs]

    def _grid(self, grid: Sequence[int], step: int) -> list[int]:
        halvings = step if self.kind == "pyramid" else 0
        return [-(-side // 2**halvings) for side in grid]


def decoder_cases(name: str, host: PluginHost) -> list[DecoderCase]:
    """Every example on every kind of maps that the decoder takes; of words that name no kind, on
    maps of one size."""
    decoder = host.find("decoder", name)
    kinds = [kind for kind in KINDS if kind in decoder.takes] or ["one_stride"]
    return [
        DecoderCase(host, decoder, settings, kind)
        for settings in decoder.examples
        for kind in kinds
    ]
