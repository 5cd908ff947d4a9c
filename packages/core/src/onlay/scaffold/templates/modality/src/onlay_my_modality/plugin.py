"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Modality


@hookimpl
def register_modalities() -> Iterable[Modality]:
    """The kind of input, by import paths: they are followed when it is used."""
    yield Modality(
        name="my_modality",
        reader="onlay_my_modality.reading:reader",
        # `onlay predict RUN FOLDER` takes the files in it that end so.
        suffixes=frozenset({".series"}),
        summary="series of numbers, (B, T)",
        # `ids` for whole numbers that name things.
        values="real",
        # What a bundle keeps of how inputs were prepared is checked by it.
        preprocessing="onlay_my_modality.facts:MyModalityFacts",
    )
