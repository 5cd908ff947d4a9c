"""How much a file may promise, by what it holds."""

from __future__ import annotations

from pathlib import Path

FREE = 64 * 2**20
"""Bytes that every compressed file may unpack to, be it as small as it may."""

PACKED = 200
"""Beyond that: bytes in memory for each byte of a compressed file. Measured clouds shrink to a
tenth; a LAZ file in which all points are one has 2,900 to 1 and is refused above `FREE`."""


class Malformed(ValueError):
    """What is wrong with a file, in our words; the reader adds which file."""


def enough(promised: int, held: int, what: str) -> None:
    """Before anything is made of that size.

    Raises:
        Malformed: `promised` bytes are more than the `held` ones.
    """
    if promised > held:
        raise Malformed(f"it promises {what}, {promised:,} bytes, and holds {held:,}")


def unpackable(promised: int, path: Path, what: str) -> None:
    """As `enough`, of what is compressed in a file."""
    held = max(FREE, PACKED * path.stat().st_size)
    if promised > held:
        raise Malformed(
            f"it promises {what}, {promised:,} bytes unpacked, more than is believed of"
            f" {path.stat().st_size:,}"
        )
