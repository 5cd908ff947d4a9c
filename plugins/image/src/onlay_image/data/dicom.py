"""DICOM, through pydicom: its own rescaling, window and photometric interpretation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from onlay.host.firstparty import install
from onlay_image.data.raster import Layers, Raster, to_layers
from onlay_image.data.reading import Reading, UnfitError, no_frame

MAGIC = b"DICM"
"""After a preamble of 128 bytes."""
SUFFIXES = frozenset({".dcm", ".dicom"})

File = Any
"""pydicom's `FileDataset`, whose attributes are those of the file."""


def read_dicom(file: Path | BinaryIO, reading: Reading) -> Layers:
    """The picture of a file.

    Raises:
        ValueError, OSError: pydicom is missing; what cannot be read, is too large or does not fit.
    """
    try:
        from pydicom import dcmread
        from pydicom.errors import BytesLengthException, InvalidDicomError
    except ImportError as error:
        raise UnfitError(f"DICOM needs `pydicom`: {install('onlay-image[dicom]')}") from error
    try:
        return _picture(dcmread(file), reading)
    except InvalidDicomError as error:
        raise UnfitError("it is no DICOM, although it is called so") from error
    except BytesLengthException as error:
        raise UnfitError("the length of one of its elements is wrong") from error


def _picture(file: File, reading: Reading) -> Layers:
    from pydicom.pixels import pixel_array

    if "PixelData" not in file:
        raise UnfitError("it is DICOM without a picture")
    reading.refuse_large(int(file.Columns), int(file.Rows))
    frames = int(file.get("NumberOfFrames") or 1)
    if reading.frame >= frames:
        raise UnfitError(no_frame(frames, reading.frame))
    try:
        stored = pixel_array(file, index=reading.frame)
    except RuntimeError as error:
        raise _undecoded(file, error) from error
    colour = int(file.SamplesPerPixel) > 1 or file.PhotometricInterpretation == "PALETTE COLOR"
    raster = _coloured(file, stored) if colour else _grey(file, stored, reading)
    return to_layers(raster, reading)


def _undecoded(file: File, error: RuntimeError) -> Exception:
    """pydicom names missing packages on several lines."""
    if "missing dependencies" not in str(error):
        return error
    name = file.file_meta.TransferSyntaxUID.name
    return UnfitError(
        f"pydicom needs another package for its compression `{name}`, such as `python-gdcm`;"
        " install that, or save it uncompressed"
    )


def _coloured(file: File, stored: np.ndarray) -> Raster:
    from pydicom.pixels import apply_color_lut

    bits = int(file.BitsStored)
    if file.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, file)
        bits = 8 * stored.dtype.itemsize
    return Raster(values=stored, window=(0.0, 2.0**bits - 1))


def _grey(file: File, stored: np.ndarray, reading: Reading) -> Raster:
    from pydicom.pixels import apply_modality_lut

    values = np.asarray(apply_modality_lut(stored, file), np.float64)
    inverted = file.PhotometricInterpretation == "MONOCHROME1"
    if not reading.windowed:
        values, window = _windowed(file, values)
    else:
        window = 0.0, 1.0  # not used: the reading has another
    return Raster(values=values.astype(np.float32)[..., None], window=window, inverted=inverted)


def _windowed(file: File, values: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Values and what of them is black and white: by the file's table or window, the first of
    several, else all that its bits can hold (DICOM PS3.3, C.11.2).
    """
    from pydicom.pixels import apply_voi

    if file.get("VOILUTSequence"):
        bits = int(file.VOILUTSequence[0].LUTDescriptor[2])
        return apply_voi(values.astype(np.int64), file), (0.0, 2.0**bits - 1)
    if file.get("WindowCenter") is None or file.get("WindowWidth") is None:
        return values, _range(file)
    centre, width = _first(file.WindowCenter), _first(file.WindowWidth)
    function = str(file.get("VOILUTFunction") or "LINEAR")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width)), (0.0, 1.0)
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    return values, (centre - width / 2, centre + width / 2)


def _first(value: Any) -> float:
    return float(value if isinstance(value, str | int | float) else value[0])


def _range(file: File) -> tuple[float, float]:
    """What the stored bits can hold, rescaled."""
    if file.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** int(file.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    bits, signed = int(file.BitsStored), int(file.PixelRepresentation)
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, shift = 1.0, 0.0
    if "RescaleSlope" in file and "RescaleIntercept" in file:  # pydicom, too, wants both
        slope, shift = float(file.RescaleSlope), float(file.RescaleIntercept)
    low, high = sorted((least * slope + shift, most * slope + shift))
    return low, high
