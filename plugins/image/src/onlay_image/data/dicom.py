"""DICOM, through pydicom: its own rescaling, window and photometric interpretation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from onlay.host.firstparty import install
from onlay_image.data.dicom_frame import told_of_frame, windowed
from onlay_image.data.raster import Layers, Raster, to_layers
from onlay_image.data.reading import Reading, UnfitError, no_frame

MAGIC = b"DICM"
"""After a preamble of 128 bytes."""
SUFFIXES = frozenset({".dcm", ".dicom"})

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
"""Where a file has its values."""

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

    if not any(name in file for name in _PIXELS):
        raise UnfitError("it is DICOM without a picture")
    _refuse_shifted(file)
    reading.refuse_large(int(file.Columns), int(file.Rows))
    frames = int(file.get("NumberOfFrames") or 1)
    if reading.frame >= frames:
        raise UnfitError(no_frame(frames, reading.frame))
    try:
        stored = pixel_array(file, index=reading.frame)
    except RuntimeError as error:
        raise _undecoded(file, error) from error
    colour = int(file.SamplesPerPixel) > 1 or file.PhotometricInterpretation == "PALETTE COLOR"
    told = told_of_frame(file, reading.frame)
    raster = _coloured(file, stored) if colour else _grey(told, stored, reading)
    return to_layers(raster, reading)


def _refuse_shifted(file: File) -> None:
    """Values that begin above the lowest bit, of which pydicom would take the lowest ones."""
    high, bits = file.get("HighBit"), file.get("BitsStored")
    if high is not None and bits is not None and int(high) != int(bits) - 1:
        raise UnfitError(
            f"the highest bit of its values is number {high} (`HighBit`), where it must be"
            f" {int(bits) - 1} for {bits} bits (`BitsStored`): save it with the values shifted"
        )


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
    window, told = (0.0, 1.0), True  # not used where the reading has another
    if not reading.windowed:
        values, window, told = windowed(file, stored, values)
    return Raster(
        values=values.astype(np.float32)[..., None],
        window=window,
        told=told,
        inverted=file.PhotometricInterpretation == "MONOCHROME1",
    )
