"""From a picture to a tensor, the same for training, evaluation and prediction.

Every preparation has three steps: geometry without chance, which makes bytes (3, H, W) that can be
kept; chance, on bytes; and normalisation to floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, create_transform
from timm.data.transforms import str_to_interp_mode
from torch import Tensor
from torchvision.transforms import functional
from torchvision.transforms import v2 as transforms

from onlay.errors import ConfigError
from onlay_image.data.config import ImagePreprocess
from onlay_image.data.pictures import read_picture

Facts = Mapping[str, Any]

_STATISTICS = {
    "imagenet": (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}


def resolve(config: ImagePreprocess, input_spec: Facts) -> dict[str, Any]:
    """Every choice made, from the config and the backbone; JSON-able, for the bundle.

    Raises:
        ConfigError: a size that the backbone does not take.
    """
    size = config.img_size or input_spec["img_size"]
    size = [size, size] if isinstance(size, int) else list(size)
    taken = list(input_spec["img_size"])
    if size != taken and not input_spec.get("dynamic_img_size"):
        raise ConfigError(
            f"`preprocess.img_size` is {size}, but the backbone takes {taken};"
            " set the backbone's `img_size`"
        )
    mean, std = input_spec["mean"], input_spec["std"]
    if config.normalize != "backbone":
        mean, std = _STATISTICS[config.normalize]
    return {
        "modality": "image",
        "img_size": size,
        "resize": config.resize,
        "crop_pct": config.crop_pct or input_spec["crop_pct"],
        "interpolation": config.interpolation or input_spec["interpolation"],
        "mean": list(mean),
        "std": list(std),
    }


def reader(preprocessing: Facts) -> Callable[[Path], Tensor]:
    """A function from an image file to the tensor (3, H, W) that a bundle's model was trained on.

    The function raises a `DataError` that names a file which cannot be read.
    """
    return Reader(preprocessing)


class Reader:
    """What `reader` gives; a class, so that it can be sent to another process."""

    def __init__(self, facts: Facts) -> None:
        self.fit, self.normalize = geometry(facts), Normalize(facts)

    def __call__(self, path: Path) -> Tensor:
        return self.normalize(self.fit(read_picture(path)))


def geometry(facts: Facts) -> Callable[[Image], Tensor]:
    """timm's resizing and centre crop for evaluation: picture -> bytes (3, H, W)."""
    squash = facts["resize"] == "squash"
    fit: Any = create_transform(
        (3, *facts["img_size"]),
        interpolation=facts["interpolation"],
        crop_pct=1.0 if squash else facts["crop_pct"],
        crop_mode="squash" if squash else "center",
        use_prefetcher=True,  # which leaves bytes; normalisation is a step of its own here
    )
    return Fit(fit)


def training_steps(facts: Facts, augment: str) -> tuple[Callable[[Image], Tensor], Any]:
    """Geometry and chance for an `augment` choice; chance is `None` where there is none."""
    size, mode = tuple(facts["img_size"]), str_to_interp_mode(facts["interpolation"])
    flip = transforms.RandomHorizontalFlip()
    if augment == "crop_flip":
        short = int(min(size) / facts["crop_pct"])
        crop = transforms.RandomCrop(size, pad_if_needed=True, padding_mode="reflect")
        return Fit(transforms.Resize(short, interpolation=mode)), transforms.Compose([crop, flip])
    if augment == "random_resized_crop":
        crop = transforms.RandomResizedCrop(size, interpolation=mode, antialias=True)
        return Fit(None), transforms.Compose([crop, flip])
    return geometry(facts), flip if augment == "flip" else None


class Fit:
    """A transform of pictures, its result as bytes (3, H, W)."""

    def __init__(self, transform: Callable[[Image], Any] | None) -> None:
        self.transform = transform

    def __call__(self, picture: Image) -> Tensor:
        fitted = picture if self.transform is None else self.transform(picture)
        return (
            functional.pil_to_tensor(fitted)
            if isinstance(fitted, Image)
            else torch.as_tensor(fitted)
        )


class Normalize:
    """Bytes (3, H, W) to floats: x / 255, minus mean, divided by deviation."""

    def __init__(self, facts: Facts) -> None:
        self.mean, self.std = list(facts["mean"]), list(facts["std"])

    def __call__(self, pixels: Tensor) -> Tensor:
        return functional.normalize(pixels.float().div_(255), self.mean, self.std, inplace=True)
