"""Judging inputs in their own size: in tiles, or each in one piece.

A part of a data set can be judged so if it has `in_full(tiles) -> Dataset`: the same items in the
same order, `(onlay.model.pieces.InPieces, target)`, each target in the size in which it is stored;
`tiles` are an `onlay.model.tiled.Tiles`, or None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from onlay.batches import mapped
from onlay.errors import ConfigError, DataError
from onlay.model.pieces import InPieces, blended
from onlay.model.predict import modality_of
from onlay.model.tiled import lies_on_inputs, tiles_of
from onlay_train.loaders import Collate

if TYPE_CHECKING:
    from onlay.host import PluginHost
    from onlay.model.adapted import AdaptedModel


@dataclass(frozen=True)
class OwnSize:
    """How inputs are judged in their own size."""

    tile: tuple[int, int] | None = None
    """Height and width of a tile; None: a whole input at once, as the model is shown it."""
    overlap: int | None = None
    """Pixels that neighbouring tiles share; None: a quarter of the tile."""

    @property
    def prefix(self) -> str:
        """Of the names of metrics."""
        return "own_size" if self.tile is None else "tiled"

    def __str__(self) -> str:
        told = "each input in its own size"
        return told if self.tile is None else f"{told}, in tiles of {self.tile[0]} x {self.tile[1]}"

    def part(self, part: Any, model: AdaptedModel, host: PluginHost, name: str) -> Dataset[Any]:
        """The part of data set `name` in full.

        Raises:
            ConfigError: a task whose answers do not lie on inputs; what `tiles_of` raises.
            DataError: data that have nothing in another size.
        """
        if not lies_on_inputs(model.head):
            raise ConfigError(
                f"what `{model.task.name}` answers does not lie on its input pixel by pixel, so"
                f" there is no size to judge it in: leave out `--{self._option}`"
            )
        if not hasattr(part, "in_full"):
            raise DataError(
                f"this part of `{name}` has no inputs in another size than the model's: leave out"
                f" `--{self._option}`"
            )
        return part.in_full(self._tiles(model, host))

    @property
    def _option(self) -> str:
        return "own-size" if self.tile is None else "tile"

    def _tiles(self, model: AdaptedModel, host: PluginHost) -> Any:
        if self.tile is None:
            return None
        overlap = min(self.tile) // 4 if self.overlap is None else self.overlap
        return tiles_of(model, modality_of(model, host), self.tile, overlap)


class OneInput:
    """A batch of one item in pieces: a list with the input, and its target as the task wants it."""

    def __init__(self, collate: Collate) -> None:
        self.collate = collate

    def __call__(self, items: Sequence[tuple[InPieces, Any]]) -> tuple[list[InPieces], Any]:
        ((given, target),) = items
        return [given], self.collate([(torch.zeros(0), target)])[1]


class InPiecesModel(nn.Module):
    """A model on such a batch: its output in the input's own size, `batch_size` pieces at once."""

    def __init__(self, model: Any, batch_size: int) -> None:
        super().__init__()
        self.model, self.batch_size = model, batch_size

    def forward(self, given: Sequence[InPieces]) -> Any:
        device = next(self.model.parameters()).device
        output = blended(self.model, given[0].pieces, self.batch_size)
        return mapped(lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf, output)
