"""Numbers of any kind to what a picture shows: a window of values, channels, no transparency.

Shapes: H and W pixels, S channels as stored, C as the backbone takes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from PIL import Image

from onlay_image.data.colours import background, matching
from onlay_image.data.reading import Reading, UnfitError

Alpha = Literal["straight", "premultiplied"]

Layers = tuple[Image.Image, ...]
"""Pictures of one size that together have the channels of the backbone: one in RGB, one in grey,
or one for each channel. Bytes, or floats (mode `F`) on the scale of bytes, 0 to 255."""

WHOLE = 32
"""Bits of integers that no picture fills."""


@dataclass(frozen=True, kw_only=True)
class Raster:
    """What a file holds."""

    values: np.ndarray
    """(H, W, S)."""
    window: tuple[float, float]
    """Values that are shown as 0 and as 1 unless the reading says otherwise."""
    told: bool = False
    """The file itself says so: what is beyond is meant to be cut off."""
    alpha: Alpha | None = None
    """The last channel is opacity, and whether the others are multiplied by it."""
    inverted: bool = False
    """The lowest value is white."""


def window_of(dtype: np.dtype, bits: int | None = None) -> tuple[float, float]:
    """What a type can hold: integers all of their range (that of `bits`), floats 0 to 1.

    Raises:
        ValueError: a type that is no number, or complex.
    """
    if dtype.kind in "bf":
        return 0.0, 1.0
    if dtype.kind not in "ui":
        raise UnfitError(f"it holds `{dtype}`, which are no grey values")
    bits = bits or 8 * dtype.itemsize
    if dtype.kind == "u":
        return 0.0, 2.0**bits - 1
    return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1


def to_layers(raster: Raster, reading: Reading) -> Layers:
    """The channels that the backbone takes.

    Raises:
        ValueError: as many channels as it does not take, values that are no numbers, or none
            within their window.
    """
    raster = _as_bands(raster, reading.in_chans)
    if raster.values.dtype == np.uint8 and not (raster.alpha or reading.windowed):
        channels = raster.values
    else:
        channels = np.float32(255) * _composited(raster, reading)
    channels = matching(channels, reading.in_chans)
    return tuple(
        Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(channels, -1, 0)
    )


def _as_bands(raster: Raster, in_chans: int) -> Raster:
    """Opacity is a channel like others for a backbone that takes it as one."""
    taken = raster.values.shape[-1] == in_chans and in_chans not in (1, 3)
    if not taken:
        return raster
    return replace(raster, alpha=None)


def _composited(raster: Raster, reading: Reading) -> np.ndarray:
    """Floats in [0, 1], opaque."""
    if raster.alpha is None:
        return _shown(raster, raster.values, reading)
    shown = _shown(raster, raster.values[..., :-1], reading)
    low, high = raster.window
    opacity = (raster.values[..., -1:].astype(np.float32) - low) / (high - low)
    behind = background(reading, shown.shape[-1])
    weight = opacity if raster.alpha == "straight" else np.float32(1)
    return np.clip(shown * weight + behind * (1 - opacity), 0, 1)


def _shown(raster: Raster, values: np.ndarray, reading: Reading) -> np.ndarray:
    """Floats in [0, 1]: the window applied, and white on black."""
    _refuse_holes(values)
    low, high = _window(raster, values, reading)
    unit = _step(values, low) if low == high else (values.astype(np.float32) - low) / (high - low)
    unit = np.clip(unit, 0, 1, dtype=np.float32)
    return 1 - unit if raster.inverted else unit


def _step(values: np.ndarray, low: float) -> Any:
    return (values > low).astype(np.float32)


def _refuse_holes(values: np.ndarray) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        holes = int((~np.isfinite(values)).sum())
        raise UnfitError(f"{holes:,} of its {values.size:,} values are NaN or infinite")


def _window(raster: Raster, values: np.ndarray, reading: Reading) -> tuple[float, float]:
    if reading.value_range is not None:
        return tuple(reading.value_range)
    if reading.percentile is not None:
        low, high = np.percentile(values, reading.percentile)
        return float(low), float(high)
    low, high = raster.window
    if not raster.told:
        _refuse_outside(values, low, high)
    return low, high


def _refuse_outside(values: np.ndarray, low: float, high: float) -> None:
    """Floats beyond [0, 1], and whole numbers that would be one and the same grey."""
    kind, whole = values.dtype.kind, high - low >= 2.0**WHOLE - 1
    outside = kind == "f" and (low, high) == (0, 1) and (values.min() < low or values.max() > high)
    if outside or (kind in "ui" and whole and one_grey(values, low, high)):
        raise unshown(values, low, high, values.dtype)


def one_grey(values: np.ndarray, low: float, high: float) -> bool:
    """Whether values that differ would be one grey of a byte where these are black and white."""
    return 0 < float(values.max()) - float(values.min()) < (high - low) / 256


def unshown(values: np.ndarray, low: float, high: float, dtype: np.dtype) -> UnfitError:
    """What to say of values that would show nothing; they are stored as `dtype`."""
    return UnfitError(
        f"it holds `{dtype}` from {values.min():g} to {values.max():g}, where {low:g} would be"
        f" black and {high:g} white; say by `data.preprocess.value_range: [LOW, HIGH]` which are"
    )
