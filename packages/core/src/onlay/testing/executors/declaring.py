"""What an executor says of itself before anything is built."""

from __future__ import annotations

from onlay.testing.executors.case import ExecutorCase
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)


def from_a_file(case: ExecutorCase) -> str:
    return not_installed("executor", case.executor.name, case.host)


def check_registering_imports_no_torch(case: ExecutorCase) -> None:
    """Listing the executor and its settings imports neither torch nor a library of networks."""
    listing_imports_no_torch("executor", case.executor.name, case.settings)


def check_settings_round_trip(case: ExecutorCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("executor", case.config, case.host)


def check_settings_are_described(case: ExecutorCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)
