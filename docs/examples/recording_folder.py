"""A data set of recordings: a folder for each class, with `.npy` files in it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from onlay import hookimpl
from onlay.config.data import FilesConfig
from onlay.data import Splits
from onlay.descriptors import Dataset
from onlay.reading.class_folders import ClassFolders
from onlay.reading.layouts import Layout, divided
from onlay.reading.listed import listed
from onlay.reading.listing import Item, targets


class RecordingFolderConfig(FilesConfig):
    """A folder for each class, with recordings in it."""

    name: Literal["recording_folder"] = "recording_folder"
    """This layout."""
    path: Path
    """The folder that holds the folders of the classes."""


def layout(config: RecordingFolderConfig) -> Layout:
    """Everything as it lies."""
    return ClassFolders(config.path, {".npy"}, "recording", "rest/1.npy").layout(config)


def build(config: RecordingFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The parts; the modality's own reader makes tensors of files."""
    from recording_files import Recordings, reader

    listing = divided(layout(config), config, "recording")
    found = listed(listing, config, "recording", config.labels)
    facts = {key: input_spec[key] for key in ("channels", "length", "mean", "std")}
    read = reader(facts)

    def part(items: Sequence[Item]) -> Any:
        files = [item.source for item in items]
        return Recordings(files, targets(items, found.labels), read) if items else None

    return Splits(
        train=part(found.listing.train),
        validation=part(found.listing.val),
        test=part(found.listing.test),
        labels=found.labels,
        targets="class",
        preprocessing={"modality": "recording", **facts},
        digest=found.digest,
        facts=found.facts,
    )


def example(folder: Path) -> Mapping[str, Any]:
    """Slow and fast waves, fifteen files of each."""
    import numpy as np

    draw, times = np.random.default_rng(0), np.arange(256) / 256
    for label, waves in (("slow", 3), ("fast", 20)):
        (folder / label).mkdir()
        for number in range(15):
            phases = draw.uniform(0, 6, (2, 1))
            wave = np.sin(2 * np.pi * waves * times + phases) + draw.normal(0, 0.2, (2, 256))
            np.save(folder / label / f"{number}.npy", wave.astype(np.float32))
    return {"path": str(folder)}


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    yield Dataset(
        name="recording_folder",
        config=RecordingFolderConfig,
        build="recording_folder:build",
        layout="recording_folder:layout",
        example="recording_folder:example",
        modality="recording",
        summary="folders of recordings",
        targets=frozenset({"class"}),
    )
