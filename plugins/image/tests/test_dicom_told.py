"""What DICOM files tell of their values where they tell it elsewhere, or wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from pydicom import dcmread
from pydicom.sequence import Sequence
from written_dicom import dicom, grey, sequence

from onlay.errors import DataError

RANGE = r"; say by `data\.preprocess\.value_range: \[LOW, HIGH\]` which values are black and white$"


@pytest.mark.parametrize(
    ("function", "width", "least"),
    [
        ("LINEAR", "0", "1 at least"),
        ("LINEAR", "-400", "1 at least"),
        ("LINEAR", "0.4", "1 at least"),
        ("LINEAR_EXACT", "0", "more than 0"),
        ("SIGMOID", "0", "more than 0"),
        ("SIGMOID", "-1", "more than 0"),
    ],
)
def test_a_window_without_a_width_is_refused(
    function: str, width: str, least: str, tmp_path: Path
) -> None:
    """DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3; a range that a user gives goes before it."""
    path = dicom(
        tmp_path / "a.dcm", [[0, 50, 100]], WindowCenter="50", WindowWidth=width,
        VOILUTFunction=function,
    )  # fmt: skip
    told = f"centre 50 and the width {width}, which must be {least} where it is `{function}`{RANGE}"
    with pytest.raises(DataError, match=told):
        grey(path)
    assert grey(path, value_range=(0, 100)) == [0, 127.5, 255]


def test_the_narrowest_windows_are_steps(tmp_path: Path) -> None:
    """Width 1 is a step at 49.5, and of the exact form from 49.5 to 50.5; 0.5 from 49.75 on."""
    facts: dict[str, Any] = {"RescaleSlope": "0.25", "RescaleIntercept": "49.25"}
    stored = [[0, 1, 2, 3, 8]]  # 49.25, 49.5, 49.75, 50 and 51.25
    path = dicom(tmp_path / "a.dcm", stored, WindowCenter="50", WindowWidth="1", **facts)
    assert grey(path) == [0, 0, 255, 255, 255]
    facts["VOILUTFunction"] = "LINEAR_EXACT"
    path = dicom(tmp_path / "b.dcm", stored, WindowCenter="50", WindowWidth="1", **facts)
    assert grey(path) == [0, 0, 63.75, 127.5, 255]
    path = dicom(tmp_path / "c.dcm", stored, WindowCenter="50", WindowWidth="0.5", **facts)
    assert grey(path) == [0, 0, 0, 127.5, 255]


def test_a_window_from_0_to_1_cuts_off_what_is_beyond(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", [[0, 1, 5]], WindowCenter="1", WindowWidth="2")
    assert grey(path) == [0, 255, 255]


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_forms_of_windows_are_known_in_any_case_and_others_are_refused(tmp_path: Path) -> None:
    facts = {"WindowCenter": "100", "WindowWidth": "100"}
    path = dicom(tmp_path / "a.dcm", [[100, 200]], VOILUTFunction="sigmoid", **facts)
    assert grey(path) == pytest.approx([127.5, 255 * 0.9820138], abs=0.01)
    path = dicom(tmp_path / "b.dcm", [[100, 200]], VOILUTFunction="FOO", **facts)
    with pytest.raises(DataError, match=f"of the form `FOO`, which DICOM does not have{RANGE}"):
        grey(path)


def test_an_enhanced_file_tells_it_for_every_frame(tmp_path: Path) -> None:
    """The second frame has its own slope and the window of all; the first the slope of all and a
    window of its own. Window 41 wide around 20.5: black is 0, white 40.
    """
    shared = sequence(
        PixelValueTransformationSequence=sequence(RescaleSlope=1, RescaleIntercept=-1024),
        FrameVOILUTSequence=sequence(WindowCenter="20.5", WindowWidth="41"),
    )
    exact = {"WindowCenter": "40", "WindowWidth": "80", "VOILUTFunction": "LINEAR_EXACT"}
    own = sequence(FrameVOILUTSequence=sequence(**exact))
    own += sequence(
        PixelValueTransformationSequence=sequence(RescaleSlope=2, RescaleIntercept=-2048)
    )
    path = dicom(
        tmp_path / "ct.dcm", [[[1024, 1034, 1064, 1104]], [[1024, 1034, 1064, 1104]]],
        SharedFunctionalGroupsSequence=shared, PerFrameFunctionalGroupsSequence=own,
        WindowCenter="7", WindowWidth="9", VOILUTFunction="SIGMOID",
    )  # fmt: skip
    assert grey(path) == [0, 255 * 10 / 80, 127.5, 255]
    assert grey(path, frame=1) == [0, 127.5, 255, 255]
    assert grey(path, value_range=(0, 160)) == [0, 255 * 10 / 160, 255 * 40 / 160, 127.5]
    assert grey(path, value_range=(0, 160), frame=1) == [0, 255 * 20 / 160, 127.5, 255]


def test_a_frames_window_goes_before_the_files_table(tmp_path: Path) -> None:
    table = sequence(LUTDescriptor=[2, 0, 8])
    table[0].add_new(0x00283006, "OW", np.array([200, 100], "<u2").tobytes())
    window = sequence(WindowCenter="1.5", WindowWidth="2")  # black is 0.5, white 1.5
    path = dicom(
        tmp_path / "a.dcm", [[0, 1]], VOILUTSequence=table,
        SharedFunctionalGroupsSequence=sequence(FrameVOILUTSequence=window),
    )  # fmt: skip
    assert grey(path) == [0, 127.5]
    path = dicom(
        tmp_path / "b.dcm", [[0, 1]], VOILUTSequence=table,
        SharedFunctionalGroupsSequence=Sequence(), PerFrameFunctionalGroupsSequence=Sequence(),
    )  # fmt: skip
    assert grey(path) == [200, 100]


@pytest.mark.parametrize("dtype", ["uint32", "int32"])
def test_whole_numbers_that_would_be_one_grey_are_refused(dtype: str, tmp_path: Path) -> None:
    """As of other files with 32 bits; rescaled, too, and not where they do fill them."""
    stored = [[0, 5000, 15000]]
    told = f"it holds `{dtype}` from 0 to {{}}, where .* would be black"
    path = dicom(tmp_path / "a.dcm", stored, dtype)
    with pytest.raises(DataError, match=told.format(15000)):
        grey(path)
    assert grey(path, value_range=(0, 15000)) == [0, 85, 255]
    scaled = dicom(tmp_path / "b.dcm", stored, dtype, RescaleSlope="1e-4", RescaleIntercept="0")
    with pytest.raises(DataError, match=told.format(r"1\.5")):
        grey(scaled)
    whole = np.iinfo(dtype)
    full = dicom(tmp_path / "c.dcm", [[whole.min, whole.max]], dtype)
    assert grey(full) == [0, 255]
    even = dicom(tmp_path / "d.dcm", [[whole.max, whole.max]], dtype)
    assert grey(even) == [255, 255]


@pytest.mark.parametrize(
    ("dtype", "name"), [("f4", "FloatPixelData"), ("f8", "DoubleFloatPixelData")]
)
def test_floats_are_read_as_floats_of_other_files(dtype: str, name: str, tmp_path: Path) -> None:
    file = dcmread(dicom(tmp_path / "a.dcm", [[0, 0, 0]]))
    del file.PixelData, file.BitsStored, file.HighBit, file.PixelRepresentation
    file.BitsAllocated = 8 * np.dtype(dtype).itemsize
    setattr(file, name, np.array([0, 0.2, 1], dtype).tobytes())
    file.save_as(tmp_path / "a.dcm")
    assert grey(tmp_path / "a.dcm") == pytest.approx([0, 51, 255])
    setattr(file, name, np.array([0, 0.2, 2], dtype).tobytes())
    file.save_as(tmp_path / "a.dcm")
    with pytest.raises(DataError, match=r"from 0 to 2, where 0 would be black and 1 white; say by"):
        grey(tmp_path / "a.dcm")
    assert grey(tmp_path / "a.dcm", value_range=(0, 2)) == pytest.approx([0, 25.5, 255])


def test_what_has_no_values_and_values_that_are_shifted_are_refused(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", [[16, 65520]], BitsStored=12, HighBit=15)
    told = r"number 15 \(`HighBit`\), where it must be 11 for 12 bits \(`BitsStored`\)"
    with pytest.raises(DataError, match=told):
        grey(path)
    file = dcmread(path)
    del file.PixelData
    file.save_as(path)
    with pytest.raises(DataError, match="it is DICOM without a picture"):
        grey(path)
