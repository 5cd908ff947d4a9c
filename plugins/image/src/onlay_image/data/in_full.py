"""Pictures with targets that lie on them, judged on the pictures' own pixels.

Shapes: C channels, h and w the backbone's pixels, H and W the picture's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from onlay.batches import Tree
from onlay.errors import ConfigError
from onlay.model.pieces import InPieces
from onlay.task import Position
from onlay_image.data.moving import Size, plainly
from onlay_image.data.pictures import read_picture
from onlay_image.data.preparing import CROPPED
from onlay_image.data.preprocess import geometry
from onlay_image.data.scaling import inside

if TYPE_CHECKING:
    from onlay_image.data.located import Located


class InFull(Dataset[tuple[InPieces, Tree]]):
    """Items `(picture in pieces, target)`, the target in the size in which it is stored.

    Args:
        tiles: cuts pictures (`onlay_image.data.tiles.Tiles`); None: each is one piece, as the
            backbone is shown it.

    Raises:
        ConfigError: without tiles, where a centre crop hides some of a picture.
    """

    def __init__(self, part: Located, tiles: Any = None) -> None:
        if tiles is None and part.facts["resize"] in CROPPED:
            raise ConfigError(
                f"`data.preprocess.resize` is `{part.facts['resize']}`, so that the model does not"
                " see all of a picture, and in its own size some of it would have no answer: give"
                " `--tile`, or `data.preprocess.resize=squash`"
            )
        self.part, self.tiles, self.fit = part, tiles, geometry(part.facts)

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> tuple[InPieces, Tree]:
        size, given = self._shown(index) if self.tiles is None else self._tiled(index)
        return given, plainly(self.part.lying(index, size))

    def _tiled(self, index: int) -> tuple[Size, InPieces]:
        inputs_CHW = self.tiles.read(self.part.sources[index])
        height, width = inputs_CHW.shape[-2:]
        return (height, width), InPieces(inputs_CHW, self.tiles.cut(inputs_CHW))

    def _shown(self, index: int) -> tuple[Size, InPieces]:
        layers = read_picture(self.part.sources[index], self.part.reading)
        width, height = layers[0].size
        inputs_Chw = self.part.normalize(self.fit(layers))
        pads = self.part.facts["resize"] == "pad"
        seen = inside((height, width), self.part.size) if pads else self.part.size
        return (height, width), InPieces(inputs_Chw, [Shown(inputs_Chw, seen, (height, width))])


@dataclass(frozen=True)
class Shown:
    """All of a picture, as the backbone is shown it."""

    inputs: Tensor
    """(C, h, w)."""
    seen: Size
    """How much of that, from its first row and column, is the picture."""
    whole: Size

    @property
    def position(self) -> Position:
        """For what is no map."""
        down, across = (own / seen for own, seen in zip(self.whole, self.seen, strict=True))
        return Position(self.whole, scale=(down, across))

    def added(self, output: Tensor, total: Tensor | None) -> Tensor:
        """The output (..., h, w) on the picture's pixels (..., H, W), each with what is told of the
        pixel that it lies in: as answers are written."""
        own = output[..., : self.seen[0], : self.seen[1]]
        planes = own.reshape(1, -1, *self.seen)
        found = F.interpolate(planes, self.whole, mode="nearest-exact")
        return found.reshape(*own.shape[:-2], *self.whole)
