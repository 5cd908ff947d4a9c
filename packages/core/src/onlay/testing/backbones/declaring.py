"""What a backbone says of itself before anything is built."""

from __future__ import annotations

from onlay.testing.backbones.case import BackboneCase
from onlay.testing.checking import require
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)


def from_a_file(case: BackboneCase) -> str:
    return not_installed("backbone", case.backbone.name, case.host)


def check_registering_imports_no_torch(case: BackboneCase) -> None:
    """Listing the backbone, its settings and what it provides imports neither torch nor a library
    of networks."""
    listing_imports_no_torch("backbone", case.backbone.name, case.settings)


def check_settings_round_trip(case: BackboneCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("backbone", case.config, case.host)


def check_settings_are_described(case: BackboneCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)


def check_provides_what_it_says(case: BackboneCase) -> None:
    """What `provides` tells from the settings is what the anatomy of the built network provides."""
    said, found = case.said, case.anatomy.provides
    odd = ", ".join(f"`{trait}`" for trait in sorted(said ^ found))
    require(said == found, f"{odd} is provided by one of the two alone")
