"""The data set behind every layout of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from onlay.data import Blocks
from onlay_image.data.kept import Kept
from onlay_image.data.pictures import Source, read_picture
from onlay_image.data.preprocess import Normalize
from onlay_image.data.raster import Layers
from onlay_image.data.reading import Reading


class Images(Dataset[tuple[Tensor, Any]]):
    """Items `(image (C, H, W) float, target)`; a class is its index.

    What `fit` makes of a picture is kept, as far as there is room (`Kept`): a small data set is
    decoded once, not once an epoch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        targets: Sequence[Any],
        facts: Mapping[str, Any],
        *,
        fit: Callable[[Layers], Tensor],
        chance: Callable[[Tensor], Tensor] | None = None,
        erase: Callable[[Tensor], Tensor] | None = None,
        plain: Images | None = None,
    ) -> None:
        self.sources, self.targets = sources, targets
        self.reading, self.normalize = Reading.of(facts), Normalize(facts)
        self.fit, self.chance, self.erase = fit, chance, erase
        self.plain = plain
        """The same pictures as in evaluation, where these are changed by chance."""
        self.blocks: Blocks | None = None
        """Which pictures lie in one file, where that decides in what order they are read."""
        self.kept = Kept()

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        pixels = self._pixels(index)
        if self.chance is not None:
            pixels = self.chance(pixels)
        picture = self.normalize(pixels)
        if self.erase is not None:
            picture = self.erase(picture)
        return picture, self.targets[index]

    def _pixels(self, index: int) -> Tensor:
        return self.kept.of(index, lambda: self._fitted(index))

    def _fitted(self, index: int) -> Tensor:
        return self.fit(read_picture(self.sources[index], self.reading))
