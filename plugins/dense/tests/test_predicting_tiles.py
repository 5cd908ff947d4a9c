"""`onlay predict --tile`: large pictures in their own size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import onlay
from onlay import PluginHost
from onlay.cli.in_process import onlay as run
from onlay.model.adapted import AdaptedModel
from onlay_image.data.tiles import Tiles

HOST = PluginHost.discover(only="dense,image,arc")
LABELS = tuple("abcdefgh")
SIZES = "or train with the backbone's `dynamic_img_size`"


def adapted(**backbone: object) -> AdaptedModel:
    torch.manual_seed(0)
    source = {"name": "onlay_vit_64", **backbone}
    task = {"name": "segmentation", "decoder": "linear"}
    model = onlay.adapt(source, "linear", task=task, labels=LABELS, host=HOST)
    extra = {"modality": "image", "background": "white", "frame": 0, "max_pixels": 10**8}
    model.preprocessing |= extra
    with torch.no_grad():  # every class is somewhere
        model.head.classifier.bias -= model.eval()(torch.randn(4, 3, 64, 64)).mean((0, 2, 3))
    return model


@pytest.fixture(scope="module")
def model() -> AdaptedModel:
    return adapted(dynamic_img_size=True)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (90, 130, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((130, 70)).save(tmp_path / "wide.png")
    return tmp_path / "wide.png"


def test_a_mask_of_the_pictures_size_is_made_of_blended_logits(
    model: AdaptedModel, photograph: Path, tmp_path: Path
) -> None:
    bundle, out = model.save_pretrained(tmp_path / "bundle"), tmp_path / "out"
    done = run("predict", bundle, photograph, "--tile", "60x64", "--overlap", 20, "--out", out)
    assert done.exit_code == 0, done.output
    with Image.open(out / "wide.png") as picture:
        assert picture.size == (130, 70)
        mask = torch.from_numpy(np.asarray(picture).copy())
    tiles = Tiles(model.preprocessing, model.built.input_spec, (60, 64), 20)
    logits, whole = torch.zeros(8, 70, 130), tiles.read(photograph)
    for tile in tiles.cut(whole):
        with torch.no_grad():
            own = model(tile.inputs[None])[0]
        area = slice(tile.row.start, tile.row.stop), slice(tile.column.start, tile.column.stop)
        logits[:, *area] += own * tile.row.shares[:, None] * tile.column.shares
    first, second = logits.topk(2, dim=0).values
    assert ((mask == logits.argmax(0)) | (first - second < 1e-5)).all()
    assert len(mask.unique()) > 2


def test_a_backbone_of_one_size_takes_tiles_of_it(photograph: Path, tmp_path: Path) -> None:
    bundle, out = adapted().save_pretrained(tmp_path / "bundle"), tmp_path / "out"
    assert run("predict", bundle, photograph, "--tile", 64, "--out", out).exit_code == 0
    with Image.open(out / "wide.png") as picture:
        assert picture.size == (130, 70)
    refused = run("predict", bundle, photograph, "--tile", 48)
    assert refused.exit_code == 2
    said = "a tile has 48 x 48 pixels, and the backbone takes 64 x 64: give that size, " + SIZES
    assert said in " ".join(refused.output.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tile", 64, "--overlap", 64), "tiles of 64 x 64 cannot overlap by 64: give a larger"),
        (("--overlap", 8), "`--overlap` is that of tiles"),
        (("--tile", 64, "--pages", "p"), "give `--pages` or `--tile`, not both"),
        (("--tile", "big"), "'big' is no size: give pixels, 512 or 384x512"),
    ],
)
def test_tiles_that_make_no_sense(
    model: AdaptedModel, photograph: Path, tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    bundle = model.save_pretrained(tmp_path / "bundle")
    refused = run("predict", bundle, photograph, *options)
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.split())
