"""What a DICOM file tells of one frame: its rescaling, and which values are black and white."""

from __future__ import annotations

from typing import Any

import numpy as np

from onlay_image.data.raster import WHOLE, one_grey, unshown, window_of
from onlay_image.data.reading import UnfitError

_MACROS = {
    "PixelValueTransformationSequence": ("ModalityLUTSequence",),
    "FrameVOILUTSequence": ("VOILUTSequence", "VOILUTFunction"),
}
"""Groups of an enhanced file, and what of the file itself they stand in for beside their own."""


def told_of_frame(file: Any, frame: int) -> Any:
    """The file with what its functional groups tell of a frame's values, the frame's own before
    those that all share (DICOM PS3.3, C.7.6.16).
    """
    own = list(file.get("PerFrameFunctionalGroupsSequence") or ())[frame : frame + 1]
    groups = [*own, *list(file.get("SharedFunctionalGroupsSequence") or ())[:1]]
    for macro, replaced in _MACROS.items():
        told = next((group[macro][0] for group in groups if group.get(macro)), None)
        if told is not None:
            for name in (name for name in replaced if name in file):
                delattr(file, name)
            file.update(told)
    return file


def windowed(
    file: Any, stored: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, tuple[float, float], bool]:
    """Values, what of them is black and white, and whether the file tells that: by its table or
    window, the first of several, else all that its bits can hold (DICOM PS3.3, C.11.2).

    Raises:
        ValueError: a window that is none; whole numbers of 32 bits that would be one grey.
    """
    from pydicom.pixels import apply_voi

    if file.get("VOILUTSequence"):
        bits = int(file.VOILUTSequence[0].LUTDescriptor[2])
        return apply_voi(values.astype(np.int64), file), (0.0, 2.0**bits - 1), True
    if file.get("WindowCenter") is None or file.get("WindowWidth") is None:
        return values, _range(file, stored, values), False
    centre, width = _first(file.WindowCenter), _first(file.WindowWidth)
    function = str(file.get("VOILUTFunction") or "LINEAR").strip().upper()
    _refuse_no_window(function, centre, width)
    if function == "SIGMOID":
        return (1 + np.tanh(2 * (values - centre) / width)) / 2, (0.0, 1.0), True
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    return values, (centre - width / 2, centre + width / 2), True


def _refuse_no_window(function: str, centre: float, width: float) -> None:
    """Those that C.11.2.1.2 and C.11.2.1.3 rule out, as pydicom does."""
    say = "; say by `data.preprocess.value_range: [LOW, HIGH]` which values are black and white"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise UnfitError(f"its window is of the form `{function}`, which DICOM does not have{say}")
    fits = width >= 1 if function == "LINEAR" else width > 0
    if not (fits and np.isfinite([centre, width]).all()):
        least = "1 at least" if function == "LINEAR" else "more than 0"
        raise UnfitError(
            f"its window has the centre {centre:g} and the width {width:g}, which must be {least}"
            f" where it is `{function}`{say}"
        )


def _first(value: Any) -> float:
    return float(value if isinstance(value, str | int | float) else value[0])


def _range(file: Any, stored: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """What the stored bits can hold, rescaled."""
    if file.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** int(file.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    if stored.dtype.kind == "f":
        return window_of(stored.dtype)
    least, most = window_of(stored.dtype, int(file.BitsStored))
    slope, shift = 1.0, 0.0
    if "RescaleSlope" in file and "RescaleIntercept" in file:  # pydicom, too, wants both
        slope, shift = float(file.RescaleSlope), float(file.RescaleIntercept)
    low, high = sorted((least * slope + shift, most * slope + shift))
    if int(file.BitsStored) >= WHOLE and one_grey(values, low, high):
        raise unshown(values, low, high, stored.dtype)
    return low, high
