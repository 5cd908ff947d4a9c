"""A data set of one's own: images and their class names in one numpy file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

from onlay import hookimpl
from onlay.config.data import SplitConfig
from onlay.data import Splits
from onlay.descriptors import Dataset
from onlay.errors import DataError
from onlay.reading.listing import Item, Listing, classes_of, counts, digest, stratified, targets


class NumpyImagesConfig(SplitConfig):
    """Images in one numpy file."""

    name: Literal["numpy_images"] = "numpy_images"
    path: Path
    """A `.npz` with `images` (n, H, W, 3), bytes, and `labels` (n,), the names of their classes."""


def build(config: NumpyImagesConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The parts by a stratified split; images as the backbone wants them."""
    images, names = read(config.path)
    items = [Item(images[n], str(name), str(n)) for n, name in enumerate(names)]
    rest, test = stratified(items, config.test_size, config.split_seed, noun="image")
    listing = Listing(*stratified(rest, config.val_size, config.split_seed, noun="image"), test)
    labels = classes_of(listing, None, "image")
    return Splits(
        train=tensors(listing.train, labels, input_spec),
        validation=tensors(listing.val, labels, input_spec) if listing.val else None,
        test=tensors(listing.test, labels, input_spec) if listing.test else None,
        labels=labels,
        preprocessing={"modality": "image", **input_spec},
        digest=digest(listing),
        facts={"counts": counts(listing, labels)},
    )


def read(path: Path) -> tuple[Any, Any]:
    """The two arrays, or one sentence that names the file."""
    import numpy as np

    if not path.is_file():
        raise DataError(f"there is no file `{path}`; `data.path` is a `.npz`")
    try:
        with np.load(path) as file:
            images, names = file["images"], file["labels"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"`{path}` cannot be read: {error}") from error
    if len(images) != len(names):
        raise DataError(f"`{path}` has {len(images)} images and {len(names)} labels")
    return images, names


def tensors(items: Any, labels: tuple[str, ...], input_spec: Mapping[str, Any]) -> Any:
    """Pairs of an image (3, H, W), resized and normalised, and the place of its class."""
    import numpy as np
    import torch
    from torch.utils.data import TensorDataset

    pixels = torch.from_numpy(np.stack([item.source for item in items]))
    images = pixels.permute(0, 3, 1, 2).float() / 255
    images = torch.nn.functional.interpolate(images, size=list(input_spec["img_size"]))
    mean, std = (torch.tensor(input_spec[key])[:, None, None] for key in ("mean", "std"))
    return TensorDataset((images - mean) / std, torch.tensor(targets(items, labels)))


def example(folder: Path) -> Mapping[str, Any]:
    """A small file to check the data set with: thirty images of two classes."""
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)
    np.savez(folder / "small.npz", images=images, labels=["cat", "dog"] * 15)
    return {"path": str(folder / "small.npz")}


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    yield Dataset(
        name="numpy_images",
        config=NumpyImagesConfig,
        build="numpy_images:build",
        modality="image",
        summary="images in one numpy file",
        example="numpy_images:example",
    )
