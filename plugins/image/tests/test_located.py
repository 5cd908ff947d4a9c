"""Targets that lie on a picture are resized, cropped and mirrored as the picture is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from onlay.errors import ConfigError, DataError
from onlay.model.assemble import move_targets
from onlay_image.data.images import Images
from onlay_image.data.located import Located
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import resolve, training_steps

SPEC = {
    "img_size": [4, 4],
    "crop_pct": 1.0,
    "interpolation": "nearest",
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "dynamic_img_size": True,
}
VOID = 255
KINDS = {"mask": "mask", "depth": "map", "boxes": "boxes", "names": None}


def settings(**given: Any) -> tuple[dict[str, Any], ImagePreprocess]:
    config = ImagePreprocess(normalize="none", **given)
    return resolve(config, SPEC), config


def painted(mask: Tensor) -> np.ndarray:
    """A picture whose grey is the class of each pixel."""
    return mask.numpy().astype(np.uint8)[..., None].repeat(3, -1)


def classes(picture: Tensor) -> Tensor:
    return (picture[0] * 255).round().long()


def located(mask: Tensor, chance: bool = True, **given: Any) -> Located:
    facts, config = settings(**given)
    height, width = mask.shape
    target = {
        "mask": mask,
        "depth": mask.float() / 4,
        "boxes": [[0.0, 0.0, width / 2, height / 4]],
        "names": ["roof"],
    }
    part = Located([painted(mask)], [target], facts, config if chance else None)
    part.move_targets(KINDS)
    return part


def drawn(part: Any, seed: int = 0) -> tuple[Tensor, Any]:
    torch.manual_seed(seed)
    return part[0]


QUARTERS = torch.arange(4).view(2, 2).repeat_interleave(8, 0).repeat_interleave(8, 1)


def test_every_target_is_resized_and_cropped_like_its_picture() -> None:
    mask = torch.full((8, 16), VOID)  # a picture twice as wide as high: its middle half is kept
    mask[:4, 4:8], mask[4:, 8:12] = 1, 2
    picture, target = drawn(located(mask, chance=False))
    expected = [[1, 1, 255, 255], [1, 1, 255, 255], [255, 255, 2, 2], [255, 255, 2, 2]]
    assert target["mask"].tolist() == classes(picture).tolist() == expected
    assert (target["mask"].dtype, type(target["mask"])) == (torch.int64, Tensor)
    assert target["depth"].tolist() == (torch.tensor(expected) / 4).tolist()
    # (0, 0, 8, 2) halves to (0, 0, 4, 1), moves by 2 to the left and ends at the edge
    assert target["boxes"].tolist() == [[0.0, 0.0, 2.0, 1.0]]
    assert target["names"] == ["roof"]


def test_the_pixel_under_the_centre_of_a_new_one_is_taken() -> None:
    mask = torch.arange(12).remainder(3).expand(12, 12)  # of each three columns the middle one
    _, target = drawn(located(mask.contiguous(), chance=False))
    assert target["mask"].tolist() == [[1] * 4] * 4


@pytest.mark.parametrize("augment", ["none", "flip", "crop_flip", "random_resized_crop"])
def test_chance_does_to_a_picture_what_it_does_without_such_a_target(augment: str) -> None:
    facts = settings(augment=augment, crop_pct=0.5, img_size=8)[0]
    fit, chance = training_steps(facts, augment)
    alone = Images([painted(QUARTERS)], [0], facts, fit=fit, chance=chance)
    part = located(QUARTERS, augment=augment, crop_pct=0.5, img_size=8)
    for seed in range(6):
        assert torch.equal(drawn(part, seed)[0], drawn(alone, seed)[0])


@pytest.mark.parametrize("augment", ["flip", "crop_flip", "random_resized_crop"])
def test_targets_follow_chance(augment: str) -> None:
    part = located(QUARTERS, augment=augment, crop_pct=0.5, img_size=8)
    seen = set()
    for seed in range(12):
        picture, target = drawn(part, seed)
        again = drawn(part, seed)[1]
        off = (classes(picture) != target["mask"]).float().mean()
        assert off <= (0.25 if augment == "random_resized_crop" else 0)  # a row at a border
        assert torch.equal(target["depth"], target["mask"].float() / 4)
        assert torch.equal(again["mask"], target["mask"])
        seen.add(str(target["mask"].tolist()))
    assert len(seen) > 1


def test_boxes_are_mirrored() -> None:
    part = located(QUARTERS, augment="flip", img_size=16)
    found = {str(drawn(part, seed)[1]["boxes"].tolist()) for seed in range(8)}
    assert found == {"[[0.0, 0.0, 8.0, 4.0]]", "[[8.0, 0.0, 16.0, 4.0]]"}


def test_a_target_may_be_a_single_mask_and_a_class_stays() -> None:
    facts, config = settings(img_size=8)
    head = SimpleNamespace(target_kinds="mask")
    one = Located([painted(QUARTERS)], [QUARTERS], facts, config)
    move_targets(head, one, None, [])
    assert one[0][1].shape == (8, 8)
    plain = Located([painted(QUARTERS)], [3], facts, config)
    move_targets(SimpleNamespace(), plain)
    assert plain[0][1] == 3


class Sized(dict[str, Any]):
    """What tells the size of the picture that it lies on."""

    shape = (12, 16)


def test_what_does_not_fit_is_refused_in_words(tmp_path: Path) -> None:
    facts, config = settings()
    Image.fromarray(painted(QUARTERS)).save(file := tmp_path / "roof.png")
    part = Located([file], [torch.zeros(16, 15)], facts, config)
    part.move_targets("mask")
    with pytest.raises(DataError, match=r"roof.png`: the target has 16x15 pixels .* 16x16"):
        part[0]
    boxes = Sized({"boxes": [[0.0, 0.0, 4.0, 4.0]]})
    turned = Located([file], [boxes], facts, config)
    turned.move_targets({"boxes": "boxes"})
    with pytest.raises(DataError, match=r"roof.png`: the target has 12x16 pixels .* 16x16"):
        turned[0]
    part.move_targets({"mask": "mask"})
    with pytest.raises(DataError, match="the task moves targets such as"):
        part[0]
    with pytest.raises(ConfigError, match="nothing on a picture is a `sound`"):
        part.move_targets({"a": ("mask", "sound")})
    with pytest.raises(ConfigError, match=r"`preprocess\.aa` rotates"):
        Located([file], [0], facts, ImagePreprocess(aa="trivialaugment"))
