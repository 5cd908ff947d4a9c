"""The class token and its position, which methods for clouds train, too."""

from __future__ import annotations

from onlay.anatomy import Anatomy, Placement


def _parameters(anatomy: Anatomy) -> list:
    places = (anatomy.class_token, anatomy.class_position)
    return [getattr(*place) for place in places if place is not None]


def thaw_class_token(place: Placement) -> None:
    """As far as the backbone has them."""
    for parameter in _parameters(place.anatomy):
        place.thaw(parameter)


def class_size(anatomy: Anatomy) -> int:
    """How many numbers these are."""
    return sum(parameter.numel() for parameter in _parameters(anatomy))
