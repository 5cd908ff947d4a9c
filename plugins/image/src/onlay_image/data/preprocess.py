"""From a picture to a tensor, the same for training, evaluation and prediction.

Every preparation has three steps: geometry without chance, which makes pixels (C, H, W) that can be
kept; chance, on pixels; and normalisation to floats. Pixels are bytes, or floats from 0 to 255 of
pictures that have more than 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from timm.data import create_transform
from torch import Tensor
from torchvision.transforms import Compose, functional
from torchvision.transforms import v2 as transforms

from onlay.errors import ConfigError
from onlay_image.data.pictures import read_picture
from onlay_image.data.preparing import CROPPED, SQUASHED, ImagePreprocess, squashed
from onlay_image.data.raster import Layers
from onlay_image.data.reading import Reading
from onlay_image.data.scaling import Below, Inside, Scaled, cropped, of_tensors, within
from onlay_image.data.statistics import statistics

Facts = Mapping[str, Any]

_KEPT = {"value_range", "percentile", "background", "frame", "max_pixels"}
"""Fields that the backbone has no say in."""


def resolve(config: ImagePreprocess, input_spec: Facts) -> dict[str, Any]:
    """Every choice made, from the config and the backbone; JSON-able, for the bundle.

    Raises:
        ConfigError: a size that the backbone does not take; as many means or deviations as it has
            no channels; a `crop_pct` where nothing is cropped.
    """
    size = config.img_size or input_spec["img_size"]
    size = [size, size] if isinstance(size, int) else list(size)
    taken = list(input_spec["img_size"])
    if size != taken and not input_spec.get("dynamic_img_size"):
        raise ConfigError(
            f"`preprocess.img_size` is {size}, but the backbone takes {taken};"
            " set the backbone's `img_size`"
        )
    in_chans, crop_pct = input_spec.get("in_chans", 3), config.crop_pct or input_spec["crop_pct"]
    mean, std = statistics(config, input_spec, in_chans)
    return {
        "modality": "image",
        "img_size": size,
        "resize": _resize(config, input_spec, crop_pct),
        "crop_pct": crop_pct,
        "interpolation": config.interpolation or input_spec["interpolation"],
        "mean": mean,
        "std": std,
        "in_chans": in_chans,
        **config.model_dump(mode="json", include=_KEPT),
    }


def _resize(config: ImagePreprocess, input_spec: Facts, crop_pct: float) -> str:
    if config.resize in ("squash", "pad") and config.crop_pct is not None:
        raise ConfigError(
            f"`preprocess.crop_pct` is {config.crop_pct:g}, but `resize: {config.resize}` crops"
            " nothing: leave it out, or take `crop` or `squash_crop`"
        )
    own: str = config.resize or input_spec.get("resize", "crop")
    if config.resize is None and own in SQUASHED:
        return squashed(crop_pct)  # which the config may have changed
    return own


def reader(preprocessing: Facts) -> Callable[[Path], Tensor]:
    """A function from an image file to the tensor (C, H, W) that a bundle's model was trained on.

    The function raises a `DataError` that names a file which cannot be read.
    """
    return Reader(preprocessing)


class Reader:
    """What `reader` gives; a class, so that it can be sent to another process."""

    def __init__(self, facts: Facts) -> None:
        self.reading = Reading.of(facts)
        self.fit, self.normalize = geometry(facts), Normalize(facts)

    def __call__(self, path: Path) -> Tensor:
        return self.normalize(self.fit(read_picture(path, self.reading)))


def geometry(facts: Facts) -> Callable[[Layers], Tensor]:
    """timm's resizing and centre crop for evaluation: picture -> pixels (C, H, W)."""
    if facts["resize"] == "pad":
        return Fit(Inside(facts["img_size"], facts["interpolation"]), Below(facts))
    return Fit(Compose(_timms(facts)))


def _timms(facts: Facts) -> list[Any]:
    """Its steps on a picture; the first is the resizing."""
    fit: Any = create_transform(
        (3, *facts["img_size"]),
        interpolation=facts["interpolation"],
        **cropping(facts),
        use_prefetcher=True,  # which does not normalise; that is a step of its own here
    )
    return list(fit.transforms[:-1])  # the last makes bytes of pictures, and of floats


def cropping(facts: Facts) -> dict[str, Any]:
    """Two arguments of timm's `create_transform`, which are also words of its configs."""
    squash = facts["resize"] in SQUASHED
    return {
        "crop_pct": 1.0 if facts["resize"] == "squash" else facts["crop_pct"],
        "crop_mode": "squash" if squash else "center",
    }


def training_steps(
    facts: Facts, augment: str, scale: tuple[float, float] = (1.0, 1.0)
) -> tuple[Callable[[Layers], Tensor], Any]:
    """Geometry and chance for an `augment` choice; chance is `None` where there is none.

    Raises:
        ConfigError: a choice that does not go with the resizing, or with the interpolation.
    """
    size, flip = tuple(facts["img_size"]), transforms.RandomHorizontalFlip()
    if augment == "crop_flip":
        if facts["resize"] not in CROPPED:
            raise ConfigError(
                f"`preprocess.augment` `crop_flip` would crop what `resize` `{facts['resize']}`"
                " shows whole: take `flip`, or `resize: crop`"
            )
        resized = Fit(Compose(_timms(facts)[:1]))  # the scale at which it is judged
        return resized, transforms.Compose([transforms.RandomCrop(size), flip])
    if augment == "random_resized_crop":
        crop = transforms.RandomResizedCrop(
            size, interpolation=of_tensors(facts["interpolation"]), antialias=True
        )
        return Fit(None), transforms.Compose([crop, within, flip])
    if augment == "scale_crop":
        return Fit(None), transforms.Compose([Scaled(facts, scale), cropped(facts), flip])
    return geometry(facts), flip if augment == "flip" else None


class Fit:
    """A transform of pictures, its result as pixels (C, H, W), padded if `beyond` says how."""

    def __init__(
        self, transform: Callable[[Image], Any] | None, beyond: Below | None = None
    ) -> None:
        self.transform, self.beyond = transform, beyond

    def __call__(self, layers: Layers) -> Tensor:
        fitted = [self._fitted(layer) for layer in layers]
        pixels = fitted[0] if len(fitted) == 1 else torch.cat(fitted)
        return pixels if self.beyond is None else self.beyond(pixels)

    def _fitted(self, layer: Image) -> Tensor:
        if self.transform is None:
            pixels = functional.pil_to_tensor(layer)
        else:  # rearranged once; what of a whole picture is seen is rearranged when it is
            pixels = functional.pil_to_tensor(self.transform(layer)).contiguous()
        return pixels.clamp_(0, 255) if pixels.is_floating_point() else pixels


class Normalize:
    """Pixels (C, H, W) to floats of their own: x / 255, minus mean, divided by deviation."""

    def __init__(self, facts: Facts) -> None:
        self.mean = torch.tensor(facts["mean"])[:, None, None]
        self.std = torch.tensor(facts["std"])[:, None, None]

    def __call__(self, pixels: Tensor) -> Tensor:
        # a copy even of floats: pixels that are kept stay as they are
        floats = pixels.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        return floats.div_(255).sub_(self.mean).div_(self.std)
