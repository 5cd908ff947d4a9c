"""What chance does to colours and batches of pictures."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torchvision.transforms import v2

from onlay.errors import ConfigError
from onlay_image.data.chance import Rand, changes, erasing
from onlay_image.data.mixing import cutmix, mixup
from onlay_image.data.preparing import ImagePreprocess


def pixels(channels: int = 3) -> Tensor:
    noise = torch.rand(channels, 16, 16, generator=torch.Generator().manual_seed(0))
    return (noise * 255).byte()


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_nothing_is_asked_for() -> None:
    assert changes(ImagePreprocess(), 12) == []
    assert erasing(ImagePreprocess()) is None


def test_brightness_alone_is_one_factor_for_all_pixels() -> None:
    (change,) = changes(ImagePreprocess(color_jitter=(0.5, 0, 0)), 3)
    grey = torch.full((3, 4, 4), 100, dtype=torch.uint8)
    values = {int(change(grey).unique()) for _ in range(200)}
    assert 50 <= min(values) < 60
    assert 140 < max(values) <= 150


@pytest.mark.parametrize(
    "settings", [{"aa": "rand-m9-n2-mstd0.5"}, {"aa": "trivialaugment"}, {"color_jitter": 0.4}]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_stay_bytes_and_floats_keep_their_range(
    settings: dict[str, object], channels: int
) -> None:
    (change,) = changes(ImagePreprocess(**settings), channels)  # type: ignore[arg-type]
    given = pixels(channels)
    made = [change(given) for _ in range(20)]
    assert {(m.shape, m.dtype) for m in made} == {(given.shape, torch.uint8)}
    assert sum(torch.equal(m, given) for m in made) < 10
    floats = torch.stack([change(given.float()) for _ in range(20)])
    assert floats.min() >= 0
    assert 100 < floats.max() <= 255


def test_changes_are_made_with_their_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes with 0.5, which is timm's default: none of them in a quarter of the pictures."""
    made: list[Tensor] = []

    def change(given: Tensor) -> Tensor:
        made.append(given)
        return given

    monkeypatch.setattr(v2, "RandAugment", lambda **_: change)
    torch.manual_seed(0)
    counts = []
    for _ in range(400):
        before = len(made)
        Rand("rand-m9-p0.5-inc1")(pixels())
        counts.append(len(made) - before)
    assert [counts.count(n) / 400 for n in range(3)] == pytest.approx([0.25, 0.5, 0.25], abs=0.08)
    assert Rand("rand-m9-p0.5-inc1").p == 0.5


def test_magnitude_nought_changes_no_more_than_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all changes only those without a magnitude (autocontrast, equalize) do anything."""
    plain = Rand("rand-m0-n1")
    kept = sum((plain(pixels()).float() - pixels().float()).abs().max() <= 1 for _ in range(60))
    assert 40 < kept < 60
    strong = Rand("rand-m10-n1")
    kept = sum((strong(pixels()).float() - pixels().float()).abs().max() <= 1 for _ in range(60))
    assert kept < 15


def test_the_words_are_timms() -> None:
    rand = Rand("rand-m7.5-n3-mstd0.5-inc1")
    assert (rand.m, rand.n, rand.mstd) == (7.5, 3, 0.5)
    assert (Rand("rand").m, Rand("rand").n, Rand("rand").p) == (10, 2, 1)
    for wrong in ("rand-m11", "augment", "rand-w0"):
        with pytest.raises(ValidationError, match=r"rand-m9-n2-mstd0\.5"):
            ImagePreprocess(aa=wrong)


def test_colours_of_many_bands_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"`preprocess\.aa` changes colours of 1 or 3 channels"):
        changes(ImagePreprocess(aa="rand"), 4)


def test_a_box_is_erased_from_a_share_of_pictures() -> None:
    erase = erasing(ImagePreprocess(reprob=0.5, remode="const"))
    assert erase is not None
    erased = [erase(torch.ones(5, 32, 32)) for _ in range(200)]
    areas = torch.tensor([float((e == 0).float().mean()) for e in erased])
    assert 70 < (areas > 0).sum() < 130
    assert areas.max() < 0.36
    assert all(torch.equal(e[0], e[4]) for e in erased)


def test_mixup_is_one_share_of_the_batch_and_of_its_targets() -> None:
    pictures, targets = torch.eye(3).view(3, 3, 1, 1).expand(3, 3, 4, 4), torch.eye(3)
    mixed, soft = mixup(pictures, targets, 0.4)
    share = soft[0, 0].item()
    expected = torch.tensor([[share, 0, 1 - share], [1 - share, share, 0], [0, 1 - share, share]])
    torch.testing.assert_close(soft, expected)
    torch.testing.assert_close(mixed, expected[:, :, None, None].expand(3, 3, 4, 4))


def test_cutmix_gives_targets_the_share_of_the_box() -> None:
    pictures = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    for _ in range(5):
        mixed, soft = cutmix(pictures, torch.eye(3), 1.0)
        for number in range(3):
            own = (mixed[number] == number).float().mean().item()
            assert soft[number, number].item() == pytest.approx(own)
            assert soft[number, number - 1].item() == pytest.approx(1 - own)
