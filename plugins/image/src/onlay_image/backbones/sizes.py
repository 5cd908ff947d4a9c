"""Heights and widths that are asked for."""

from __future__ import annotations

Size = int | tuple[int, int]
"""Pixels: height and width, one number for a square."""


def pair(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size


def rounded_up(size: tuple[int, int], patch: tuple[int, int]) -> tuple[int, int]:
    """To whole patches.

    >>> rounded_up((480, 640), (14, 14))
    (490, 644)
    """
    height, width = (-(-s // p) * p for s, p in zip(size, patch, strict=True))
    return height, width
