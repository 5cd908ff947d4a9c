"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Exporter


@hookimpl
def register_exporters() -> Iterable[Exporter]:
    """The format, by import paths: they are followed when it is used."""
    yield Exporter(
        name="my_exporter",
        # Of which models: `image`, `points`, or what another plugin brings.
        modality="image",
        export="onlay_my_exporter.export:export",
        summary="weights and labels as arrays of NumPy (.npz)",
        # Whether it can hold what does not merge (routing, prompts), too.
        partial=False,
        suffixes=frozenset({".npz"}),
    )
