"""Semantic segmentation: losses, weights and answers, by numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from onlay.errors import ConfigError, DataError
from onlay.host import PluginHost
from onlay.task import Input
from onlay.testing.tiny import tiny_backbone
from onlay_dense.onto_picture import onto_picture
from onlay_dense.palette import write_classes
from onlay_dense.segmentation.answer import SegmentationAnswer
from onlay_dense.segmentation.config import SegmentationConfig
from onlay_dense.segmentation.head import SegmentationHead, build

LABELS = ("sky", "road", "car")


def head(labels: tuple[str, ...] = LABELS, **settings: Any) -> SegmentationHead:
    settings = {"decoder": {"name": "linear"}, **settings}
    config = SegmentationConfig.model_validate(settings, context={"host": HOST})
    return build(config, tiny_backbone().anatomy, labels, HOST)


HOST = PluginHost.discover(only="dense,image")
# probabilities 1/8, 2/8, 5/8 at each of four pixels
LOGITS = torch.log(torch.tensor([1.0, 2.0, 5.0])).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)
TARGETS = torch.tensor([[[2, 0], [-1, 2]]])


def test_cross_entropy_is_the_mean_over_labelled_pixels() -> None:
    wanted = (2 * math.log(8 / 5) + math.log(8)) / 3
    assert head().loss(LOGITS, TARGETS).item() == pytest.approx(wanted, abs=1e-6)


def test_weights_make_a_weighted_mean_whose_shares_add_up() -> None:
    weighted = head(class_weights=(1.0, 1.0, 3.0))
    loss = weighted.loss(LOGITS, TARGETS)
    assert loss.item() == pytest.approx((6 * math.log(8 / 5) + math.log(8)) / 7, abs=1e-6)
    assert weighted.weight_of(TARGETS).item() == 7
    assert head().weight_of(TARGETS).item() == 3
    both = head(loss="ce_dice", class_weights=(1.0, 1.0, 3.0))  # no class weighs in Dice
    assert both.weight_of(TARGETS).item() == 3


def test_focal_looks_at_what_is_hard() -> None:
    easy, hard = (3 / 8) ** 2 * math.log(8 / 5), (7 / 8) ** 2 * math.log(8)
    loss = head(loss="focal").loss(LOGITS, TARGETS)
    assert loss.item() == pytest.approx((2 * easy + hard) / 3, abs=1e-6)
    same = head(loss="focal", gamma=0.0).loss(LOGITS, TARGETS)
    assert same.item() == pytest.approx(head().loss(LOGITS, TARGETS).item(), abs=1e-6)


def test_dice_counts_labelled_pixels_alone() -> None:
    """Three pixels count. sky: 2 (1/8) / (3/8 + 1), car: 2 (2 · 5/8) / (15/8 + 2), and road, which
    is not there, adds nothing."""
    sky, car = 1 - 0.25 / 1.375, 1 - 2.5 / 3.875
    loss = head(loss="dice").loss(LOGITS, TARGETS)
    assert loss.item() == pytest.approx((sky + car) / 3, abs=1e-6)
    both = head(loss="ce_dice").loss(LOGITS, TARGETS)
    assert both.item() == pytest.approx(loss.item() + head().loss(LOGITS, TARGETS).item(), abs=1e-6)


@pytest.mark.parametrize("loss", ["ce", "ce_dice", "dice", "focal"])
@pytest.mark.parametrize("certain", [0.0, 200.0])
def test_a_single_picture_all_void_gives_no_nan(loss: str, certain: float) -> None:
    """Nor do logits that are sure of themselves."""
    logits = LOGITS.clone()
    logits[:, 2] += certain
    logits.requires_grad_()
    model = head(loss=loss)
    nothing = model.loss(logits, torch.full((1, 2, 2), -1))
    (nothing + model.loss(logits, TARGETS.clamp(max=1) * 0 + 2)).backward()
    assert nothing.item() == 0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert model.weight_of(torch.full((1, 2, 2), -1)).item() == 0


def test_balanced_weights_are_of_the_training_pixels() -> None:
    model = head(class_weights="balanced")
    with pytest.raises(ConfigError, match="needs the data"):
        model.loss(LOGITS, TARGETS)
    masks = [torch.tensor([[0, 0, 0], [1, -1, 1]]), torch.zeros(1, 1, dtype=torch.int16)]
    splits: Any = SimpleNamespace(train=SimpleNamespace(targets=masks))
    model.prepare(splits)
    assert model.class_weights is not None
    assert model.class_weights.tolist() == [0.5, 1.0, 0.0]
    with pytest.raises(DataError, match="one class only, `sky`"):
        head(("sky",)).prepare(splits)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (torch.full((1, 2, 2), 3), "a mask holds 3, and the classes are 0 to 2, -1 for void"),
        (torch.full((1, 2, 2), -100), "a mask holds -100"),
        (torch.zeros(1, 4, 4).long(), r"need masks \(1, 2, 2\), and these are \(1, 4, 4\)"),
        (torch.zeros(1, 2, 2), "must be class numbers"),
        (["mask"], "not `list`"),
    ],
)
def test_targets_that_are_no_masks_are_refused(targets: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        head().loss(LOGITS, targets)


def test_settings_of_another_loss_are_refused() -> None:
    with pytest.raises(ValueError, match="`gamma` belongs to `loss: focal`"):
        SegmentationConfig(gamma=1.0)
    with pytest.raises(ValueError, match="not to `dice`"):
        SegmentationConfig(loss="dice", class_weights="balanced")


def test_logits_have_the_size_of_the_inputs_whatever_the_map() -> None:
    model, anatomy = head(), tiny_backbone().anatomy
    features = anatomy.encode(torch.randn(2, 3, 8, 12), levels=model.levels)
    assert model(features).shape == (2, 3, 8, 12)
    constant = replace(features, levels=[torch.ones(1, 16, 2, 3)])
    assert torch.allclose(model(constant).amax((2, 3)), model(constant).amin((2, 3)))


def test_an_answer_tells_shares_and_writes_a_palette(tmp_path: Path) -> None:
    answer = SegmentationAnswer(torch.tensor([[0, 0, 2], [0, 0, 0]]), LABELS)
    assert answer.line() == "sky 83 %, car 17 %"
    assert answer.cells() == {"class": "sky", "share": "83.3 %", "then": "car 16.7 %"}
    assert answer.record() == {"shares": {"sky": 5 / 6, "car": 1 / 6}, "size": [2, 3]}
    (path,) = answer.write(tmp_path, "a")
    with Image.open(path) as picture:
        assert (path.name, picture.mode, picture.size) == ("a.png", "P", (3, 2))
        assert np.asarray(picture).tolist() == [[0, 0, 2], [0, 0, 0]]
        assert picture.text["classes"] == "0 sky\n1 road\n2 car"  # type: ignore[attr-defined]
        assert picture.convert("RGB").getpixel((0, 0)) == (0x00, 0x72, 0xB2)


def test_more_classes_than_a_palette_holds_are_written_in_16_bits(tmp_path: Path) -> None:
    path = write_classes(
        tmp_path / "a.png", torch.tensor([[299, -1]]), [str(n) for n in range(300)]
    )
    with Image.open(path) as picture:
        assert np.asarray(picture).tolist() == [[299, 65535]]
    path = write_classes(tmp_path / "b.png", torch.tensor([[1, -1]]), LABELS)
    with Image.open(path) as picture:
        assert np.asarray(picture).tolist() == [[1, 255]]


def facts(resize: str, size: tuple[int, int], crop_pct: float) -> dict[str, Any]:
    return {"img_size": size, "resize": resize, "crop_pct": crop_pct, "interpolation": "nearest"}


def given(folder: Path, size: tuple[int, int], preprocessing: dict[str, Any]) -> Input:
    Image.new("RGB", size).save(folder / "p.png")
    return Input(folder / "p.png", torch.zeros(1), preprocessing)


def test_a_squashed_picture_gets_all_of_the_map(tmp_path: Path) -> None:
    seen = torch.tensor([[1, 2], [0, 1]])
    back = onto_picture(seen, given(tmp_path, (4, 2), facts("squash", (2, 2), 1.0)))
    assert back.tolist() == [[1, 1, 2, 2], [0, 0, 1, 1]]


def test_what_the_crop_cut_off_is_void(tmp_path: Path) -> None:
    """A picture of 2 x 8 pixels becomes 4 x 16, of which 2 x 2 in the middle are seen."""
    seen = torch.tensor([[1, 2], [1, 2]])
    back = onto_picture(seen, given(tmp_path, (8, 2), facts("crop", (2, 2), 0.5)))
    assert back.shape == (2, 8)
    assert back[:, :3].eq(-1).all()
    assert back[:, 5:].eq(-1).all()
    whole = onto_picture(seen, given(tmp_path, (8, 8), facts("crop", (2, 2), 1.0)))
    assert whole.tolist() == [[1] * 4 + [2] * 4] * 8


def test_what_the_crop_of_a_squashed_picture_cut_off_is_void(tmp_path: Path) -> None:
    """A picture of 4 x 8 pixels becomes 4 x 4, of which 2 x 2 in the middle are seen."""
    seen = torch.tensor([[1, 2], [0, 3]])
    back = onto_picture(seen, given(tmp_path, (8, 4), facts("squash_crop", (2, 2), 0.5)))
    void = [-1] * 8
    assert back.tolist() == [void, [-1, -1, 1, 1, 2, 2, -1, -1], [-1, -1, 0, 0, 3, 3, -1, -1], void]


def test_what_was_padded_is_cut_off(tmp_path: Path) -> None:
    """A picture of 4 x 8 pixels became 2 x 4 in the upper half of 4 x 4."""
    seen = torch.tensor([[1, 1, 2, 2], [0, 0, 1, 1], [2, 2, 2, 2], [2, 2, 2, 2]])
    back = onto_picture(seen, given(tmp_path, (8, 4), facts("pad", (4, 4), 1.0)))
    assert back.tolist() == seen[:2].repeat_interleave(2, 0).repeat_interleave(2, 1).tolist()


def test_what_is_no_picture_file_keeps_its_map() -> None:
    seen = torch.tensor([[1, 2]])
    assert onto_picture(seen, Input(Path("none.png"), seen, {})) is seen
