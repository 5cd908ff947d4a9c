"""DICOM: the file's own rescaling, window and photometric interpretation, by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from written_dicom import dicom, grey

from onlay.errors import DataError
from onlay_image.data.pictures import read_picture
from onlay_image.data.reading import Reading


def test_a_window_of_the_file_is_of_rescaled_values(tmp_path: Path) -> None:
    """Centre 40, width 401: 39.5 - 200 is black and 39.5 + 200 white (DICOM PS3.3 C.11.2.1.2)."""
    path = dicom(
        tmp_path / "ct.dcm", [[24, 1024, 1064, 2024]], RescaleSlope=1, RescaleIntercept=-1024,
        WindowCenter=40, WindowWidth=401,
    )  # fmt: skip
    assert grey(path) == pytest.approx([0, 255 * 160.5 / 400, 255 * 200.5 / 400, 255])
    assert grey(path, value_range=(-1000, 1000)) == pytest.approx([0, 127.5, 132.6, 255])
    assert grey(path, percentile=(0, 100)) == pytest.approx([0, 127.5, 132.6, 255])


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        ("LINEAR_EXACT", [0, 0.25, 0.5, 1]),
        ("SIGMOID", [0.0179862, 0.2689414, 0.5, 0.9820138]),
    ],
)
def test_windows_of_other_forms(function: str, shown: list[float], tmp_path: Path) -> None:
    """1 / (1 + exp(-4 x)) of x = -1, -0.25, 0 and 1."""
    path = dicom(
        tmp_path / "a.dcm", [[0, 75, 100, 200]], WindowCenter=["100", "7"],
        WindowWidth=["100", "9"], VOILUTFunction=function,
    )  # fmt: skip
    assert grey(path) == pytest.approx([255 * v for v in shown], abs=0.01)


def test_a_table_of_the_file(tmp_path: Path) -> None:
    table = Dataset()
    table.add_new(0x00283002, "US", [4, 0, 8])
    table.add_new(0x00283006, "OW", np.array([0, 51, 204, 255], "<u2").tobytes())
    path = dicom(tmp_path / "a.dcm", [[0, 1, 2, 3]], VOILUTSequence=Sequence([table]))
    assert grey(path) == pytest.approx([0, 51, 204, 255])


def test_without_a_window_what_the_bits_can_hold(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", [[0, 4095, 819, 3276]], BitsStored=12)
    assert grey(path) == pytest.approx([0, 255, 51, 204])
    signed = dicom(
        tmp_path / "s.dcm", [[-32768, 32767]], "int16", RescaleSlope=2, RescaleIntercept=9
    )
    assert grey(signed) == pytest.approx([0, 255])
    falling = dicom(tmp_path / "f.dcm", [[0, 255]], "uint8", RescaleSlope=-1, RescaleIntercept=0)
    assert grey(falling) == pytest.approx([255, 0])


def test_white_is_the_lowest(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a", [[0, 255, 51]], "uint8", PhotometricInterpretation="MONOCHROME1")
    assert grey(path) == pytest.approx([255, 0, 204]), "known by its content, without a suffix"


def test_colours(tmp_path: Path) -> None:
    layers = read_picture(dicom(tmp_path / "a.dcm", [[[200, 100, 0]]], "uint8"))
    assert [np.asarray(layer).item() for layer in layers] == [200, 100, 0]


def test_one_of_several_frames(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", [[[0, 1]], [[254, 255]]], "uint8")
    assert grey(path) == [0, 1]
    assert grey(path, frame=1) == [254, 255]
    with pytest.raises(DataError, match="it has 2 frames, and no frame 2"):
        grey(path, frame=2)


def test_what_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dicom(tmp_path / "a.dcm", [[0]])
    with pytest.raises(DataError, match="it is 1 x 1 pixels, more than"):
        read_picture(path, Reading(max_pixels=0))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=r"a\.dcm` cannot be read as an image: "):
        read_picture(path)
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="it is no DICOM, although it is called so"):
        read_picture(path)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DataError, match=r"DICOM needs `pydicom`: .*onlay-image\[dicom\]"):
        read_picture(path)


def test_a_compression_that_needs_another_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lossless JPEG, for which pydicom alone has no decoder; its own text has three lines."""
    from pydicom import dcmread
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders import JPEGLosslessSV1Decoder
    from pydicom.uid import JPEGLosslessSV1

    file = dcmread(dicom(tmp_path / "a.dcm", [[0, 1], [2, 3]]))
    file.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    file.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    file["PixelData"].is_undefined_length = True
    file.save_as(tmp_path / "a.dcm")
    monkeypatch.setattr(JPEGLosslessSV1Decoder, "_available", {})
    monkeypatch.setattr(JPEGLosslessSV1Decoder, "_unavailable", {"gdcm": ("python-gdcm",)})
    with pytest.raises(DataError) as error:
        read_picture(tmp_path / "a.dcm")
    assert "pydicom needs another package for its compression `JPEG Lossless, " in str(error.value)
    assert str(error.value).endswith("`python-gdcm`; install that, or save it uncompressed")
