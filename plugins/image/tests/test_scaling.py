"""Pictures padded to a size, enlarged and reduced by chance, and what lies on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from onlay_image.data.located import Located
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import Reader, resolve

SPEC = {
    "img_size": [8, 8],
    "crop_pct": 1.0,
    "interpolation": "nearest",
    "mean": [0.4] * 3,
    "std": [0.5] * 3,
    "dynamic_img_size": True,
}
KINDS = {"mask": "mask", "depth": "map", "boxes": "boxes", "masks": "mask", "names": None}
ROWS, COLUMNS = torch.meshgrid(torch.arange(8), torch.arange(16), indexing="ij")
CLASSES = (ROWS // 4 * 4 + COLUMNS // 4).to(torch.int16)
"""Eight squares of 4 by 4 pixels, from 0 to 7."""


def located(chance: bool = True, **given: Any) -> Located:
    """A picture of 8 by 16 pixels, of which the grey is 30 times the class, with two objects: the
    first and the last square."""
    config = ImagePreprocess(**given)
    corners = torch.tensor([[0.0, 0.0, 4.0, 4.0], [12.0, 4.0, 16.0, 8.0]])
    target = {
        "mask": CLASSES,
        "depth": CLASSES.float() + 1,
        "boxes": corners,
        "masks": torch.stack([CLASSES == 0, CLASSES == 7]).to(torch.uint8),
        "names": ["first", "last"],
        "labels": torch.tensor([5, 6]),
    }
    picture = (30 * CLASSES.numpy()).astype(np.uint8)[..., None].repeat(3, -1)
    part = Located([picture], [target], resolve(config, SPEC), config if chance else None)
    part.move_targets(KINDS)
    return part


def shown(picture: Tensor) -> Tensor:
    """The class that each pixel shows, and what is nearest to it where colours are mixed; -1 for
    the mean colour."""
    grey = (picture[0] * 0.5 + 0.4) * 255
    return torch.where((grey - 102).abs() < 0.5, -1, (grey / 30).round()).long()


def drawn(part: Located, seed: int) -> tuple[Tensor, Any]:
    torch.manual_seed(seed)
    return part[0]


def test_pad_shows_all_of_a_picture_in_its_shape() -> None:
    """16 columns become 8, 8 rows 4; the lower half is void, a hole, no object."""
    picture, target = located(chance=False, resize="pad")[0]
    upper = [[0, 0, 1, 1, 2, 2, 3, 3]] * 2 + [[4, 4, 5, 5, 6, 6, 7, 7]] * 2
    assert target["mask"].tolist() == upper + [[-1] * 8] * 4
    assert shown(picture).tolist() == target["mask"].tolist()
    assert torch.equal(target["depth"], target["mask"] + 1.0)
    assert target["boxes"].tolist() == [[0, 0, 2, 2], [6, 2, 8, 4]]
    assert target["masks"].flatten(1).sum(1).tolist() == [4, 4]
    assert (target["mask"].dtype, target["masks"].dtype) == (torch.int64, torch.uint8)


def test_prediction_pads_as_evaluation_does(tmp_path: Path) -> None:
    part = located(chance=False, resize="pad")
    Image.fromarray(part.sources[0]).save(tmp_path / "a.png")  # type: ignore[arg-type]
    facts = resolve(ImagePreprocess(resize="pad"), SPEC)
    assert torch.equal(Reader(facts)(tmp_path / "a.png"), part[0][0])


def test_a_larger_scale_shows_a_piece_and_all_targets_the_same_one() -> None:
    """Twice the scale at which all is padded: 8 rows of 16 columns, of which 8 are seen; the
    picture's pixels as they are."""
    part = located(resize="pad", augment="scale_crop", scale=[2, 2])
    lefts = set()
    for seed in range(24):
        picture, target = drawn(part, seed)
        assert torch.equal(shown(picture), target["mask"])
        assert torch.equal(target["depth"], target["mask"] + 1.0)
        assert torch.equal(drawn(part, seed)[1]["mask"], target["mask"])
        lefts.add(str(target["mask"][0].tolist()))
        for name, label, mask in zip(*map(target.get, ("names", "labels", "masks")), strict=True):
            assert torch.equal(mask.bool(), target["mask"] == {"first": 0, "last": 7}[name])
            assert label == {"first": 5, "last": 6}[name]
        assert len(target["boxes"]) == len(target["names"]) == len(target["masks"])
        for box, mask in zip(target["boxes"].int().tolist(), target["masks"], strict=True):
            assert mask[box[1] : box[3], box[0] : box[2]].sum() == mask.sum() > 0
    assert 9 < len(lefts) <= 18  # 9 places, mirrored or not


def test_objects_that_leave_the_picture_are_gone_from_all_that_tells_of_them() -> None:
    part = located(resize="pad", augment="scale_crop", scale=[2, 2])
    counts = {len(drawn(part, seed)[1]["names"]) for seed in range(24)}
    assert counts == {0, 1}  # they are 8 columns apart, as many as are seen


def test_a_smaller_scale_lies_on_the_mean_colour() -> None:
    part = located(resize="squash", augment="scale_crop", scale=[0.5, 0.5])
    places = set()
    for seed in range(24):
        picture, target = drawn(part, seed)
        assert torch.equal(shown(picture) == -1, target["mask"] == -1)
        assert torch.equal(target["depth"] == 0, target["mask"] == -1)
        assert (target["mask"] >= 0).sum() == 16
        places.add(str((target["mask"] >= 0).nonzero()[0].tolist()))
    assert len(places) > 8


def test_scales_are_drawn_from_their_range() -> None:
    part = located(resize="squash", augment="scale_crop", scale=[0.25, 1.0])
    sides = {int((drawn(part, seed)[1]["mask"] >= 0).any(0).sum()) for seed in range(40)}
    assert min(sides) >= 2
    assert {3, 5, 7} <= sides


def test_what_was_fitted_once_is_not_read_again_and_stays_as_it_is() -> None:
    part = located(chance=False, resize="pad")
    first = part[0]
    part.sources, part.targets = [], []
    first[1]["mask"].fill_(9)
    first[1]["depth"].fill_(9)
    first[1]["labels"] = None
    again = part[0]
    assert torch.equal(again[0], first[0])
    assert again[1]["mask"].max() == 7
    assert torch.equal(again[1]["depth"], again[1]["mask"] + 1.0)


@pytest.mark.parametrize("augment", ["crop_flip", "random_resized_crop"])
def test_masks_of_16_bits_may_be_reflected_and_stretched(augment: str) -> None:
    config = ImagePreprocess(augment=augment, img_size=8)  # type: ignore[arg-type]
    small = CLASSES[:6, :6]
    part = Located([small.numpy().astype(np.uint8)], [small], resolve(config, SPEC), config)
    part.move_targets("mask")
    assert drawn(part, 0)[1].dtype == torch.int64


def test_a_range_of_scales_rises() -> None:
    with pytest.raises(ValueError, match=r"`scale` is \[least, greatest\], and 2 is greater"):
        ImagePreprocess(scale=(2, 1))
