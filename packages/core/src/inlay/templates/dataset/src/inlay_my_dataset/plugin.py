"""What this package registers; imports no torch, for every command of `inlay` reads it."""

from collections.abc import Iterable

from inlay import hookimpl
from inlay.descriptors import Dataset


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    """The data set, by import paths: they are followed when it is used."""
    yield Dataset(
        name="my_dataset",
        config="inlay_my_dataset.config:MyDatasetConfig",
        build="inlay_my_dataset.data:build",
        # `image` or `points`; it decides on which backbones the data set can be used.
        modality="image",
        summary="arrays of images (.npy) and a table of their labels",
        # Writes a small data set for the checks to read.
        example="inlay_my_dataset.example:example",
    )
