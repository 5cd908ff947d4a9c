"""Small DICOM files, and what is read of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from onlay_image.data.pictures import read_picture
from onlay_image.data.reading import Reading


def dicom(path: Path, stored: Any, dtype: str = "uint16", **facts: Any) -> Path:
    """A file with one row of stored values, or with frames or colours."""
    values = np.array(stored, dtype)
    colour = values.ndim == 3 and values.shape[-1] == 3
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = SecondaryCaptureImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid()
    file.Rows, file.Columns = values.shape[-3:-1] if colour else values.shape[-2:]
    file.SamplesPerPixel, file.PhotometricInterpretation = (
        (3, "RGB") if colour else (1, "MONOCHROME2")
    )
    if colour:
        file.PlanarConfiguration = 0
    file.BitsAllocated = file.BitsStored = 8 * values.dtype.itemsize
    file.PixelRepresentation = int(values.dtype.kind == "i")
    if values.ndim == 3 and not colour:
        file.NumberOfFrames = len(values)
    for name, value in facts.items():
        setattr(file, name, value)
    file.HighBit = facts.get("HighBit", file.BitsStored - 1)
    file.PixelData = values.tobytes()
    file.save_as(path, enforce_file_format=True)
    return path


def grey(path: Path, **reading: Any) -> list[float]:
    layers = read_picture(path, Reading(**reading))
    assert np.array_equal(layers[0], layers[2])
    return np.asarray(layers[0]).ravel().tolist()


def sequence(**facts: Any) -> Sequence:
    """A sequence of one item."""
    item = Dataset()
    for name, value in facts.items():
        setattr(item, name, value)
    return Sequence([item])
