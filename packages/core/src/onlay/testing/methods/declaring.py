"""What a method says of itself before anything is built."""

from __future__ import annotations

from onlay.testing.case import MethodCase
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)


def from_a_file(case: MethodCase) -> str:
    return not_installed("method", case.method.name, case.host)


def check_registering_imports_no_torch(case: MethodCase) -> None:
    """Listing the method, its settings and its traits imports neither torch nor a library of
    networks."""
    listing_imports_no_torch("method", case.method.name, case.settings)


def check_settings_round_trip(case: MethodCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("method", case.config, case.host)


def check_settings_are_described(case: MethodCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)
