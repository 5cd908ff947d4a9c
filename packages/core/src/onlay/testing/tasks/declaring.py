"""What a task says of itself before anything is built."""

from __future__ import annotations

from onlay.errors import OnlayError
from onlay.model.assemble import build_head
from onlay.testing.checking import Broken, require
from onlay.testing.registered import (
    listing_imports_no_torch,
    not_installed,
    settings_are_described,
    settings_round_trip,
)
from onlay.testing.small import TINY, fits
from onlay.testing.tasks.case import TaskCase


def from_a_file(case: TaskCase) -> str:
    return not_installed("task", case.task.name, case.host)


def needs_nothing(case: TaskCase) -> str:
    return "" if case.task.needs else "the task needs nothing in particular"


def check_registering_imports_no_torch(case: TaskCase) -> None:
    """Listing the task and its settings imports neither torch nor a library of networks."""
    listing_imports_no_torch("task", case.task.name, case.settings)


def check_settings_round_trip(case: TaskCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    settings_round_trip("task", case.config, case.host)


def check_settings_are_described(case: TaskCase) -> None:
    """Every setting has a description: the docstring under its field."""
    settings_are_described(case.config)


def check_refuses_what_lacks_its_needs(case: TaskCase) -> None:
    """A backbone that lacks what the task `needs` is refused in one sentence that names it."""
    for built in (make() for make in TINY.values()):
        if fits(case.task, built):
            continue
        try:
            build_head(case.config, built, case.data[0], case.host)
        except OnlayError as error:
            text = str(error)
            lacking = case.task.needs - built.anatomy.provides
            named = any(f"`{trait}`" in text for trait in lacking)
            require(named and "\n" not in text, f"the refusal does not say what lacks: {text}")
        else:
            raise Broken(f"it takes `{built.label}`")
