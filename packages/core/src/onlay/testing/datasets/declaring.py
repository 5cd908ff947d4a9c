"""What a data set says of itself before anything is read."""

from __future__ import annotations

from onlay.testing.datasets.case import DatasetCase
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)


def from_a_file(case: DatasetCase) -> str:
    return not_installed("dataset", case.dataset.name, case.host)


def check_registering_imports_no_torch(case: DatasetCase) -> None:
    """Listing the data set and its settings imports neither torch nor a library of networks."""
    listing_imports_no_torch("dataset", case.dataset.name, case.settings)


def check_settings_round_trip(case: DatasetCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("dataset", case.config, case.host)


def check_settings_are_described(case: DatasetCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)
