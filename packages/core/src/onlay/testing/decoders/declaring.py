"""What a decoder says of itself before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from onlay.testing.checking import require
from onlay.testing.decoders.case import KINDS, DecoderCase
from onlay.testing.effects import require_effects
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)
from onlay.testing.states import bits


def from_a_file(case: DecoderCase) -> str:
    return not_installed("decoder", case.decoder.name, case.host)


def check_registering_imports_no_torch(case: DecoderCase) -> None:
    """Listing the decoder and its settings imports neither torch nor a library of networks."""
    listing_imports_no_torch("decoder", case.decoder.name, case.settings)


def check_settings_round_trip(case: DecoderCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("decoder", case.config, case.host)


def check_settings_are_described(case: DecoderCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)


def check_says_which_maps_it_reads(case: DecoderCase) -> None:
    """`takes` holds `one_stride`, `pyramid` or both, by which a backbone that cannot feed the
    decoder is refused; `levels` is at least 1."""
    takes, levels = case.decoder.takes, case.decoder.levels
    told = ", ".join(f"`{word}`" for word in sorted(takes)) or "nothing"
    known = bool(takes) and takes <= set(KINDS)
    require(known, f"`takes` holds {told}, and may hold `one_stride` and `pyramid`")
    require(levels >= 1, f"`levels` is {levels}")


def check_every_setting_has_an_effect(cases: Sequence[DecoderCase]) -> None:
    """Of every setting some value changes the decoder's parameters or its map, while it trains or
    afterwards, or the decoder declares it `quiet` with a reason."""
    require_effects(cases, (_start, _maps), cases[0].decoder.quiet)


def _start(case: DecoderCase) -> dict[str, Tensor]:
    return bits(case.made())


def _maps(case: DecoderCase) -> dict[str, Tensor]:
    decoder = case.made()
    with torch.no_grad():
        found = {"map": decoder(case.maps())}
        torch.manual_seed(0)
        return found | {"map while training": decoder.train()(case.maps())}
