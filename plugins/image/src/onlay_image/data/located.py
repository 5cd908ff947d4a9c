"""Pictures with targets that lie on them: masks, maps of numbers, boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from onlay.batches import Tree
from onlay.errors import ConfigError, DataError
from onlay_image.data.chance import changes, erasing
from onlay_image.data.in_full import InFull
from onlay_image.data.kept import Kept
from onlay_image.data.moving import Size, fitted, lying, plainly, refuse_other_kinds
from onlay_image.data.pictures import Source, read_picture
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import Fit, Normalize, geometry, training_steps
from onlay_image.data.reading import Reading


class Located(Dataset[tuple[Tensor, Tree]]):
    """Items `(image (C, H, W) float, target)`, the target resized, cropped and mirrored as the
    image is.

    `targets` may read its items when they are asked for; each is as it lies on the picture as
    stored. Which of its leaves move, `move_targets` says before the first item. What chance has no
    part in is kept, as far as there is room.

    Args:
        config: how pictures change by chance, where they are trained on; None where they do not.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        targets: Sequence[Tree],
        facts: Mapping[str, Any],
        config: ImagePreprocess | None = None,
    ) -> None:
        assert len(sources) == len(targets), "a target for each picture"
        self.sources, self.targets, self.kinds = sources, targets, None
        self.facts, self.reading, self.normalize = facts, Reading.of(facts), Normalize(facts)
        self.size, self.augment = tuple(facts["img_size"]), config.augment if config else "none"
        fit: Any = geometry(facts)
        self.chance: Any = None
        if config is not None:
            _refuse_turning(config)
            fit, self.chance = training_steps(facts, config.augment, config.scale)
        self.colours = [] if config is None else changes(config, facts["in_chans"])
        self.erase = None if config is None else erasing(config)
        self.steps, self.beyond = _steps(fit), fit.beyond
        self.kept = Kept()
        self.plain: Located | None = None
        """The same pictures as in evaluation, where these are changed by chance."""

    def __len__(self) -> int:
        return len(self.sources)

    def move_targets(self, kinds: Any) -> None:
        """Take from the task what its targets are (`TaskHead.target_kinds`).

        Raises:
            ConfigError: a kind that no target on a picture is of.
        """
        refuse_other_kinds(kinds)
        self.kinds = kinds
        self.kept = Kept()
        if self.plain is not None:
            self.plain.move_targets(kinds)

    def in_full(self, tiles: Any = None) -> InFull:
        """The same pictures in their own size, with targets as they are stored; in pieces that
        `tiles` cuts (`onlay_image.data.tiles.Tiles`), else each as it is shown to the backbone.

        Raises:
            ConfigError: without tiles, where the backbone is not shown all of a picture.
        """
        return InFull(self, tiles)

    def __getitem__(self, index: int) -> tuple[Tensor, Tree]:
        pixels, target = self.kept.of(index, lambda: self._fitted(index))
        if self.chance is not None:
            image, target = self.chance(tv_tensors.Image(pixels), target)
            pixels = image.as_subclass(Tensor)
        for colour in self.colours:
            pixels = colour(pixels)
        picture = self.normalize(pixels)
        return picture if self.erase is None else self.erase(picture), plainly(target)

    def _fitted(self, index: int) -> tuple[Tensor, Tree]:
        """Both before chance."""
        layers = read_picture(self.sources[index], self.reading)
        width, height = layers[0].size
        layers, target = fitted(self.steps, layers, self.lying(index, (height, width)))
        pixels = Fit(None)(layers)
        return (pixels, target) if self.beyond is None else self.beyond(pixels, target)

    def lying(self, index: int, size: Size) -> Tree:
        """A target as it is stored, on its picture of this size.

        Raises:
            DataError: it is of another size; names the picture.
        """
        try:
            return lying(self.targets[index], self.kinds, size)
        except DataError as error:
            raise DataError(f"`{self.sources[index]}`: {error}") from error


def _refuse_turning(config: ImagePreprocess) -> None:
    if config.aa:
        raise ConfigError(
            "`preprocess.aa` rotates and shears pictures, and targets that lie on them would stay:"
            " leave it out, or take `preprocess.color_jitter`"
        )


def _steps(fit: Any) -> list[Callable[[Any], Any]]:
    if fit.transform is None:
        return []
    return list(getattr(fit.transform, "transforms", [fit.transform]))
