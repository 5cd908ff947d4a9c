"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Dataset


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    """The data set, by import paths: they are followed when it is used."""
    yield Dataset(
        name="my_dataset",
        config="onlay_my_dataset.config:MyDatasetConfig",
        build="onlay_my_dataset.data:build",
        # `image` or `points`; it decides on which backbones the data set can be used.
        modality="image",
        summary="arrays of images (.npy) and a table of their labels",
        # Writes a small data set for the checks to read.
        example="onlay_my_dataset.example:example",
    )
