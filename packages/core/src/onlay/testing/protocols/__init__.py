"""The contract of a protocol: what every one that is registered keeps, one check for each
sentence."""

from __future__ import annotations

from onlay.testing.checking import Check
from onlay.testing.protocols import asking, declaring

PROTOCOL_CHECKS: tuple[Check, ...] = (
    Check(declaring.check_registering_imports_no_torch, declaring.from_a_file),
    Check(asking.check_names_data_sets_that_can_be_read),
    Check(asking.check_an_empty_folder_has_none_of_them),
    Check(asking.check_gives_the_same_plain_content),
)
"""From what is imported to what is written into a grid file."""
