"""A modality of one's own: recordings, several channels over time; imports no torch."""

from collections.abc import Iterable

from pydantic import ConfigDict, PositiveFloat, PositiveInt

from onlay import hookimpl
from onlay.descriptors import Modality
from onlay.settings import Config


class RecordingFacts(Config):
    """How a file becomes an input; a bundle keeps it."""

    model_config = ConfigDict(extra="allow")  # data sets may add facts of their own

    channels: PositiveInt
    """Channels of a recording."""
    length: PositiveInt
    """Samples: longer recordings lose their end, shorter ones are filled with zeros."""
    mean: float = 0.0
    """What is subtracted from each sample."""
    std: PositiveFloat = 1.0
    """What each sample is divided by then."""


@hookimpl
def register_modalities() -> Iterable[Modality]:
    yield Modality(
        name="recording",
        reader="recording_files:reader",
        suffixes=frozenset({".npy"}),
        summary="channels over time, (B, C, T)",
        preprocessing="recordings:RecordingFacts",
        mixes={"mixup": "recording_files:mixup"},
        measure="recording_files:measure",
        thumbnail="recording_pages:thumbnail",
        viewer="recording_pages:view",
    )
