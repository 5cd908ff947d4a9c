"""What an optimizer says of itself before anything is built."""

from __future__ import annotations

from onlay.descriptors import resolve
from onlay.testing.optimizers.case import OptimizerCase
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
)


def from_a_file(case: OptimizerCase) -> str:
    return not_installed("optimizer", case.optimizer.name, case.host)


def no_settings(case: OptimizerCase) -> str:
    return "" if case.optimizer.settings else "it has no class of settings"


def check_registering_imports_no_torch(case: OptimizerCase) -> None:
    """Listing the optimizer and its settings imports neither torch nor a library of networks."""
    listing_imports_no_torch("optimizer", case.optimizer.name, case.settings)


def check_settings_are_described(case: OptimizerCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(resolve(case.optimizer.settings or "").model_validate(case.settings))
