"""The contract of an executor: what every one that is registered keeps, one check for each
sentence."""

from __future__ import annotations

from onlay.testing.checking import Check
from onlay.testing.executors import calling, declaring

EXECUTOR_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file, tried="one"),
    Check(declaring.check_settings_round_trip),
    Check(declaring.check_settings_are_described, tried="one"),
    Check(calling.check_builds_without_torch, calling.not_found_there),
    Check(calling.check_gives_back_plain_data, calling.not_found_there),
    Check(calling.check_each_call_has_a_process_of_its_own, calling.not_found_there),
    Check(calling.check_begins_each_call_once, calling.not_found_there),
    Check(calling.check_a_killed_call_ends_alone, calling.not_found_there),
    Check(calling.check_hands_on_failures, calling.not_found_there),
    Check(calling.check_keeps_to_its_jobs, calling.no_jobs),
    Check(calling.check_stops_when_asked, calling.cannot_be_asked),
)
"""From the settings to a comparison that is stopped."""
