"""Frames, orientation and profiles of a file, and what a tensor is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from pixels import RED, SPEC, grey, numbers, refusal

from onlay.errors import DataError
from onlay_image.data.pictures import check_pictures, read_picture
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import reader, resolve
from onlay_image.data.reading import Reading

# --- frames, orientation, profiles ----------------------------------------------------------------


def test_one_frame_of_several(tmp_path: Path) -> None:
    frames = [Image.new("L", (1, 1), grey) for grey in (0, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with tifffile.TiffWriter(tmp_path / "a.tif") as stack:
        for value in (0, 25700, 51400):
            stack.write(np.uint16([[value]]))
    for path in tmp_path.iterdir():
        assert [grey(path, frame=n)[0] for n in range(3)] == pytest.approx([0, 100, 200])
        assert grey(path) == [0]
        assert refusal(path, frame=3) == "it has 3 frames, and no frame 3"
    frames[0].save(tmp_path / "a.png")
    with pytest.raises(DataError, match="it has 1 frame, and no frame 1"):
        check_pictures([tmp_path / "a.png"], Reading(frame=1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_stand_upright(orientation: int, tmp_path: Path) -> None:
    """As Pillow turns the same picture of 8 bits."""
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "8.tif", stored, extratags=tags)
    tifffile.imwrite(tmp_path / "16.tif", stored.astype(np.uint16) * 257, extratags=tags)
    Image.fromarray(stored).save(
        tmp_path / "lzw.tif", tiffinfo={274: orientation}, compression="tiff_lzw"
    )
    deep = Image.fromarray(stored.astype(np.uint16) * 257)
    deep.save(tmp_path / "16lzw.tif", tiffinfo={274: orientation}, compression="tiff_lzw")
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "8.png", exif=exif)
    for path in tmp_path.iterdir():
        assert read_picture(path)[0].size == ((3, 2) if orientation < 5 else (2, 3))
        assert grey(path) == pytest.approx(grey(tmp_path / "8.png")), path


def test_colour_profiles_change_nothing(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    Image.new("RGB", (1, 1), RED).save(tmp_path / "a.png", icc_profile=profile)
    assert numbers(tmp_path / "a.png") == [[200], [0], [0]]


# --- from a file to a tensor ----------------------------------------------------------------------


def test_floats_are_resized_as_bytes_are(tmp_path: Path) -> None:
    """Within the rounding of bytes, and no brighter than white."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 13), np.uint8)
    Image.fromarray(noise).save(tmp_path / "8.png")
    Image.fromarray(noise.astype(np.uint16) * 257).save(tmp_path / "16.png")
    read = reader(resolve(ImagePreprocess(), SPEC | {"img_size": [6, 6]}))
    eight, deep = read(tmp_path / "8.png"), read(tmp_path / "16.png")
    torch.testing.assert_close(eight, deep, atol=1.01 / 255, rtol=0)
    assert deep.min() >= 0
    assert deep.max() <= 1


def test_channels_have_statistics_of_their_own() -> None:
    spec = SPEC | {"mean": [0.1, 0.2, 0.3], "std": [1.0, 2.0, 3.0]}
    made = resolve(ImagePreprocess(), spec | {"in_chans": 4})
    assert (made["mean"], made["std"]) == ([0.1, 0.2, 0.3, 0.1], [1, 2, 3, 1])
    made = resolve(ImagePreprocess(mean=(0.5, 0.6)), spec | {"in_chans": 2})
    assert (made["mean"], made["std"]) == ([0.5, 0.6], [1, 2])
    with pytest.raises(ValueError, match="has 2 numbers, and the backbone takes 3 channels"):
        resolve(ImagePreprocess(mean=(0.5, 0.6)), spec)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value_range": (1, 1)}, r"`value_range` is \[low, high\], and 1 is not below 1"),
        ({"percentile": (99, 1)}, r"`percentile` is \[low, high\], and 99 is not below 1"),
        ({"percentile": (1, 99), "value_range": (0, 1)}, "exclude each other"),
    ],
)
def test_windows_that_are_none(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ImagePreprocess(**fields)
