"""The contract of an optimizer: what every one that is registered keeps, one check for each
sentence."""

from __future__ import annotations

from onlay.testing.checking import Check
from onlay.testing.optimizers import declaring, stepping

OPTIMIZER_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file, tried="one"),
    Check(declaring.check_settings_are_described, declaring.no_settings, tried="one"),
    Check(stepping.check_lowers_a_loss),
    Check(stepping.check_follows_the_rates_of_groups),
    Check(stepping.check_size_of_a_rate_counts),
    Check(stepping.check_follows_the_decay_of_groups),
    Check(stepping.check_steps_alike_under_a_seed),
    Check(stepping.check_goes_on_from_its_state),
)
"""From the settings to a run that was stopped."""
