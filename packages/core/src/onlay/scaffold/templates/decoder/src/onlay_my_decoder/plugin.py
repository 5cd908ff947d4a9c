"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Decoder


@hookimpl
def register_decoders() -> Iterable[Decoder]:
    """The decoder, by import paths: they are followed when it is used."""
    yield Decoder(
        name="my_decoder",
        config="onlay_my_decoder.config:MyDecoderConfig",
        build="onlay_my_decoder.decoder:build",
        takes=frozenset(
            {"one_stride", "pyramid"}
        ),  # by which backbones are fed or refused
        levels=4,
        summary="each map projected, brought to one size, and added",
        examples=({}, {"width": 8}),
    )
