"""What this distribution brings. Registering imports neither torch nor timm."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Decoder
from onlay.hooks import hookimpl

BOTH = frozenset({"one_stride", "pyramid"})


@hookimpl
def register_decoders() -> Iterable[Decoder]:
    """From maps of blocks to one map."""
    yield Decoder(
        name="linear",
        config="onlay_dense.decoders.config:LinearConfig",
        build="onlay_dense.decoders.linear:build",
        takes=BOTH,
        levels=1,
        summary="the last map as it is, for the field's linear probe",
    )
