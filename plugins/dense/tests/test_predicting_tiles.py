"""`onlay predict --tile`: large pictures in their own size."""

from __future__ import annotations

import json
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

HOST = PluginHost.discover(only="dense,image")
LABELS = tuple("abcdefgh")
SIZES = "or train with the backbone's `dynamic_img_size`"


def adapted(name: str = "segmentation", **backbone: object) -> AdaptedModel:
    torch.manual_seed(0)
    source = {"name": "onlay_vit_64", **backbone}
    task, labels = {"name": name, "decoder": "linear"}, ("depth",) if name == "depth" else LABELS
    model = onlay.adapt(source, "linear", task=task, labels=labels, host=HOST)
    extra = {"modality": "image", "background": "white", "frame": 0, "max_pixels": 10**8}
    model.preprocessing |= extra
    model.eval()
    if name == "segmentation":
        with torch.no_grad():  # every class is somewhere
            model.head.classifier.bias -= model(torch.randn(4, 3, 64, 64)).mean((0, 2, 3))
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
    logits = summed(model, photograph, torch.zeros(8, 70, 130))
    first, second = logits.topk(2, dim=0).values
    assert ((mask == logits.argmax(0)) | (first - second < 1e-5)).all()
    assert len(mask.unique()) > 2


@torch.no_grad()
def summed(model: AdaptedModel, photograph: Path, total: torch.Tensor) -> torch.Tensor:
    """What the model says of tiles of 60 x 64 that share 20 pixels, each by its share."""
    tiles = Tiles(model.preprocessing, model.built.input_spec, (60, 64), 20)
    for tile in tiles.cut(tiles.read(photograph)):
        own = model(tile.inputs[None])[0]
        area = slice(tile.row.start, tile.row.stop), slice(tile.column.start, tile.column.stop)
        total[..., *area] += own * tile.row.shares[:, None] * tile.column.shares
    return total


def test_depths_are_blended(photograph: Path, tmp_path: Path) -> None:
    model = adapted("depth", dynamic_img_size=True)
    torch.nn.init.normal_(model.head.last.weight, std=0.03)
    bundle, out = model.save_pretrained(tmp_path / "bundle"), tmp_path / "out"
    words = ("predict", bundle, photograph, "--tile", "60x64", "--overlap", 20, "--out", out)
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)
    with Image.open(out / "wide-depth.png") as picture:
        depth = torch.from_numpy(np.asarray(picture).astype(np.float32)) / told["scale"]
    assert told["size"] == [70, 130]
    expected = summed(model, photograph, torch.zeros(70, 130))
    torch.testing.assert_close(depth, expected, atol=1 / told["scale"], rtol=1e-5)
    assert expected.std() > 0.01


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
