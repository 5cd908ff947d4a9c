"""What a protocol says before anything is looked for."""

from __future__ import annotations

from onlay.testing.protocols.case import ProtocolCase
from onlay.testing.registered import listing_imports_no_torch, not_installed


def from_a_file(case: ProtocolCase) -> str:
    return not_installed("protocol", case.protocol.name, case.host)


def check_registering_imports_no_torch(case: ProtocolCase) -> None:
    """Listing the protocol, and making its grid, imports neither torch nor a library of
    networks."""
    listing_imports_no_torch("protocol", case.protocol.name, {})
