"""Preprocessing against torchvision's transforms on pictures, and against numbers by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from onlay.config.files import write
from onlay.errors import ConfigError, DataError
from onlay.host import PluginHost
from onlay.model.preprocessing import reader as reader_of
from onlay_image.data.config import FgvcConfig, ImagePreprocess, VtabConfig
from onlay_image.data.pictures import check_pictures, read_picture
from onlay_image.data.preparing import squashed
from onlay_image.data.preprocess import Normalize, geometry, reader, resolve, training_steps

SPEC = {
    "img_size": [32, 32],
    "dynamic_img_size": False,
    "resize": "crop",
    "crop_pct": 0.875,
    "interpolation": "bicubic",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}
IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def facts(**kwargs: Any) -> dict[str, Any]:
    return resolve(ImagePreprocess(**kwargs), SPEC)


def test_every_choice_is_made_and_written_down() -> None:
    made = facts()
    assert made == {
        "modality": "image",
        "img_size": [32, 32],
        "resize": "crop",
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "in_chans": 3,
        "value_range": None,
        "percentile": None,
        "background": "white",
        "frame": 0,
        "max_pixels": 89_478_485,
    }
    assert json.loads(json.dumps(made)) == made
    assert facts(normalize="imagenet")["mean"] == pytest.approx(IMAGENET[0])
    assert facts(normalize="imagenet")["std"] == pytest.approx(IMAGENET[1])
    assert (facts(normalize="half")["mean"], facts(normalize="half")["std"]) == (
        [0.5] * 3,
        [0.5] * 3,
    )
    assert (facts(normalize="none")["mean"], facts(normalize="none")["std"]) == (
        [0.0] * 3,
        [1.0] * 3,
    )
    assert facts(crop_pct=1.0, interpolation="bilinear")["crop_pct"] == 1.0


def test_a_size_that_the_backbone_does_not_take() -> None:
    with pytest.raises(ConfigError, match=r"is \[48, 48\], but the backbone takes \[32, 32\]"):
        facts(img_size=48)
    assert facts(img_size=(32, 32))["img_size"] == [32, 32]
    free = SPEC | {"dynamic_img_size": True}
    assert resolve(ImagePreprocess(img_size=(48, 64)), free)["img_size"] == [48, 64]


def test_normalisation_by_hand() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1)
    own = Normalize({"mean": [0.5, 0.1, 0.0], "std": [0.25, 0.5, 1.0]})(pixels)
    torch.testing.assert_close(own.flatten(), torch.tensor([-2.0, 0.2, 1.0]))
    assert pixels.flatten().tolist() == [0, 51, 255]


def test_vtab_is_a_resize_without_crop_and_imagenets_statistics() -> None:
    """The transform of ARC's VTAB script, and of NOAH's."""
    made = resolve(VtabConfig(path=Path()).preprocess, SPEC)
    published = transforms.Compose(
        [
            transforms.Resize((32, 32), interpolation=InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize(*IMAGENET),
        ]
    )
    oblong = picture(90, 50)
    own = Normalize(made)(geometry(made)((oblong,)))
    torch.testing.assert_close(own, published(oblong), atol=1e-6, rtol=1e-6)


def test_fgvc_crops_the_centre_for_evaluation() -> None:
    """Resize(256), CenterCrop(224) at 224, in the same proportion at 224 / 7."""
    made = resolve(FgvcConfig(path=Path()).preprocess, SPEC)
    published = transforms.Compose(
        [
            transforms.Resize(36, interpolation=InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize(*IMAGENET),
        ]
    )
    oblong = picture(90, 50)
    own = Normalize(made)(geometry(made)((oblong,)))
    torch.testing.assert_close(own, published(oblong), atol=1e-6, rtol=1e-6)


def test_fgvc_crops_anywhere_and_mirrors_for_training() -> None:
    made = resolve(FgvcConfig(path=Path()).preprocess, SPEC)
    fit, chance = training_steps(made, "crop_flip")
    oblong = picture(90, 50)
    whole = fit((oblong,))
    assert whole.shape == (3, 36, 64)
    resized = transforms.Resize(36, interpolation=InterpolationMode.BICUBIC)(oblong)
    assert torch.equal(whole, transforms.functional.pil_to_tensor(resized))
    windows = whole.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
    places, mirrored = set(), 0
    for _ in range(60):
        crop = chance(whole)
        plain = (windows == crop).flatten(1).all(1)
        flipped = (windows == crop.flip(-1)).flatten(1).all(1)
        assert plain.any() or flipped.any()
        mirrored += bool(flipped.any())
        places.add(int((plain | flipped).nonzero()[0]))
    assert 15 < mirrored < 45
    assert len(places) > 20


def test_flip_mirrors_what_evaluation_sees() -> None:
    fit, chance = training_steps(facts(), "flip")
    seen = geometry(facts())((picture(40, 40),))
    assert torch.equal(fit((picture(40, 40),)), seen)
    drawn = [chance(seen) for _ in range(40)]
    assert all(torch.equal(d, seen) or torch.equal(d, seen.flip(-1)) for d in drawn)
    assert 8 < sum(torch.equal(d, seen) for d in drawn) < 32


def test_no_augmentation_is_evaluations_geometry() -> None:
    fit, chance = training_steps(facts(), "none")
    assert chance is None
    assert torch.equal(fit((picture(50, 40),)), geometry(facts())((picture(50, 40),)))


def test_random_resized_crops_have_the_size_and_vary() -> None:
    fit, chance = training_steps(facts(), "random_resized_crop")
    whole = fit((picture(50, 40),))
    assert whole.shape == (3, 40, 50)
    first, second = chance(whole), chance(whole)
    assert first.shape == second.shape == (3, 32, 32)
    assert first.dtype == torch.uint8
    assert not torch.equal(first, second)


@pytest.mark.parametrize("augment", ["random_resized_crop", "scale_crop"])
def test_pixels_of_many_bits_stay_between_black_and_white(augment: str) -> None:
    """As in evaluation; at edges `bicubic` goes beyond."""
    board = np.indices((40, 40)).sum(0) // 5 % 2 * 255
    one = SPEC | {"in_chans": 1, "mean": [0.5], "std": [0.25]}
    fit, chance = training_steps(resolve(ImagePreprocess(), one), augment, (0.5, 2.0))
    whole = fit((Image.fromarray(board.astype(np.float32)),))
    seen = torch.stack([chance(whole) for _ in range(20)])
    assert seen.is_floating_point()
    assert (seen.min(), seen.max()) == (0, 255)


def test_the_nearest_pixel_of_a_tensor_is_that_of_a_picture() -> None:
    given = picture(80, 80)
    small = facts(interpolation="nearest", crop_pct=1.0) | {"img_size": [20, 20]}
    fit, chance = training_steps(small, "scale_crop")
    chance.transforms[-1].p = 0.0  # without the flip
    expected = given.resize((20, 20), Image.Resampling.NEAREST)
    assert torch.equal(chance(fit((given,))).permute(1, 2, 0), torch.from_numpy(np.array(expected)))


@pytest.mark.parametrize("augment", ["random_resized_crop", "scale_crop"])
def test_what_only_pillow_interpolates_is_refused(augment: str) -> None:
    with pytest.raises(ConfigError, match="`box` is for pictures, and this `augment` resizes tens"):
        training_steps(facts(interpolation="box"), augment)
    assert training_steps(facts(interpolation="box"), "flip")


def test_an_oblong_size() -> None:
    made = resolve(ImagePreprocess(img_size=(24, 48)), SPEC | {"dynamic_img_size": True})
    assert geometry(made)((picture(70, 60),)).shape == (3, 24, 48)
    fit, chance = training_steps(made, "crop_flip")
    assert chance(fit((picture(70, 60),))).shape == (3, 24, 48)


@pytest.mark.parametrize("size", [(24, 48), (48, 24)])
def test_oblong_crops_are_of_the_scale_that_is_judged(size: tuple[int, int]) -> None:
    """The middle one is what evaluation sees; 48 / 0.875 is 54, and 70 : 60 is kept."""
    made = resolve(ImagePreprocess(img_size=size), SPEC | {"dynamic_img_size": True})
    given = picture(70, 60)
    fit, _ = training_steps(made, "crop_flip")
    whole = fit((given,))
    assert whole.shape[1:] == ((46, 54) if size == (24, 48) else (54, 63))
    assert torch.equal(transforms.functional.center_crop(whole, size), geometry(made)((given,)))


def test_scale_one_is_the_scale_that_is_judged() -> None:
    """32 / 0.875 is 36, where the middle of a square is what evaluation sees."""
    given = picture(72, 72)
    nearest = facts(interpolation="nearest")
    _, chance = training_steps(nearest, "scale_crop", (1.0, 1.0))
    scaled = chance.transforms[0](transforms.functional.pil_to_tensor(given))
    assert scaled.shape == (3, 36, 36)
    seen = geometry(nearest)((given,))
    assert torch.equal(transforms.functional.center_crop(scaled, 32), seen)


@pytest.mark.parametrize("share", [1.0, 0.875])
def test_the_backbones_own_squash_is_timms(share: float) -> None:
    """A backbone that was pretrained on both sides squashed; with a share, the centre of that."""
    own = SPEC | {"resize": squashed(share), "crop_pct": share}
    made, given = resolve(ImagePreprocess(), own), picture(90, 50)
    assert made["resize"] == ("squash" if share == 1 else "squash_crop")
    timms = create_transform(
        (3, 32, 32), interpolation="bicubic", crop_pct=share, crop_mode="squash",
        mean=(0.5,) * 3, std=(0.25,) * 3,
    )  # fmt: skip
    torch.testing.assert_close(Normalize(made)(geometry(made)((given,))), timms(given))
    whole = resolve(ImagePreprocess(crop_pct=1.0), own)
    assert whole["resize"] == "squash"
    assert resolve(ImagePreprocess(resize="crop"), own)["resize"] == "crop"
    fit, chance = training_steps(made | {"resize": "squash_crop"}, "crop_flip")
    assert fit((given,)).shape == ((3, 32, 32) if share == 1 else (3, 36, 36))
    assert chance(fit((given,))).shape == (3, 32, 32)


@pytest.mark.parametrize("resize", ["squash", "pad"])
def test_a_share_of_what_is_not_cropped_is_refused(resize: str) -> None:
    with pytest.raises(ConfigError, match=f"crop_pct` is 0.9, but `resize: {resize}` crops noth"):
        facts(resize=resize, crop_pct=0.9)


@pytest.mark.parametrize("resize", ["squash", "pad"])
def test_what_is_shown_whole_is_not_cropped(resize: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"crop what `resize` `{resize}` shows whole: take `flip"
    ):
        training_steps(facts(resize=resize), "crop_flip")


# --- reading --------------------------------------------------------------------------------------


def test_the_reader_reads_any_mode(tmp_path: Path) -> None:
    for mode, ending in (("RGB", "jpg"), ("L", "png"), ("P", "gif"), ("RGBA", "png"), ("1", "bmp")):
        path = tmp_path / f"{mode}.{ending}"
        picture(40, 40).convert(mode).save(path)
        assert reader(facts())(path).shape == (3, 32, 32)


def test_pictures_stand_upright(tmp_path: Path) -> None:
    """Orientation 6: the camera was turned; the right side of the stored picture is its bottom."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.new("RGB", (4, 2))
    stored.putpixel((3, 0), (255, 255, 255))
    stored.save(tmp_path / "turned.png", exif=exif)
    (upright,) = read_picture(tmp_path / "turned.png")
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 3)) == (255, 255, 255)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "bmp", "tiff"])
def test_a_truncated_image_is_named(ending: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
    picture(64, 64).save(whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    check_pictures([whole])
    with pytest.raises(DataError) as error:
        check_pictures([whole, cut])
    assert str(error.value) in (
        f"`{cut}` cannot be read as an image: it is cut short",
        f"`{cut}` cannot be read as an image: it is damaged, or of a kind that its decoder does not"
        " know",
    )


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("jpg", "it is cut short"),
        ("png", "it is cut short"),
        ("jp2", "it is damaged, or of a kind that its decoder does not know"),
        ("dds", "it is damaged, or of a kind that its decoder does not know"),
    ],
)
def test_no_decoder_speaks_for_us(ending: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / f"torn.{ending}"
    picture(64, 64).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError) as error:
        read_picture(path)
    assert str(error.value) == f"`{path}` cannot be read as an image: {reason}"
    assert error.value.__cause__ is not None


def test_no_image_and_no_file(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    with pytest.raises(DataError, match=r"text\.jpg` cannot be read as an image: it is no image"):
        check_pictures([text])
    with pytest.raises(DataError, match=r"there is no image `.*absent\.jpg`"):
        check_pictures([tmp_path / "absent.jpg"])
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match=r"empty\.png` cannot be read as an image"):
        reader(facts())(tmp_path / "empty.png")


def test_a_jpeg_with_something_behind_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    picture(64, 64).save(path)
    path.write_bytes(path.read_bytes() + bytes(10_000))
    check_pictures([path])


def test_facts_that_are_not_said_are_as_usual_when_files_are_read(tmp_path: Path) -> None:
    """Of a model that was adapted by hand: `resize` and others have defaults."""
    Image.new("RGB", (80, 60), (255, 0, 0)).save(tmp_path / "a.png")
    own = {"modality": "image", "img_size": (32, 32), "crop_pct": 1.0, "interpolation": "bicubic"}
    facts = {**own, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    modality = PluginHost.discover().find("modality", "image")
    pixels = reader_of(modality, facts)(tmp_path / "a.png")
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, 0, 0].tolist() == pytest.approx([1, -1, -1])


@pytest.mark.parametrize("where", ["photos", "preprocessed/photos"])
def test_other_data_are_prepared_as_those_of_the_run(tmp_path: Path, where: str) -> None:
    """Whatever their folder is called; unless the command says how."""
    evaluate_run = pytest.importorskip("onlay_train.evaluate_run")
    own = {"name": "image_folder", "path": "a", "preprocess": {"resize": "squash"}}
    run = {"backbone": "onlay_vit_64", "method": "linear", "data": own}
    write(tmp_path / "config.yaml", run)
    host = PluginHost.discover()

    def judged(*words: str) -> str:
        _, config = evaluate_run._configs(tmp_path / "config.yaml", words, host)
        return config.data.preprocess.resize

    assert judged(f"data={{name: image_folder, path: {where}}}") == "squash"
    assert judged("data.name=image_folder", f"data.path={where}") == "squash"
    assert judged(f"data={{name: image_folder, path: {where}, preprocess: {{}}}}") is None
    assert judged("data.preprocess.resize=pad") == "pad"
