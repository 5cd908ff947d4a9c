"""Large pictures in tiles: seams vanish, every pixel is counted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import onlay
from onlay import PluginHost
from onlay.errors import ConfigError
from onlay.model.predict import modality_of
from onlay.model.tiled import all_maps, blended, tiles_of
from onlay.testing import tiny_backbone
from onlay_image.data.tiles import Tiles

FACTS = {
    "modality": "image",
    "img_size": [32, 32],
    "resize": "crop",
    "crop_pct": 1.0,
    "interpolation": "bilinear",
    "mean": [0.0] * 3,
    "std": [1.0] * 3,
    "in_chans": 3,
}
ANY, FIXED = ({"img_size": [32, 32], "dynamic_img_size": d} for d in (True, False))


class Says(nn.Module):
    """Of tiles what a function makes of them."""

    def __init__(self, says: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.says, self.anchor = says, nn.Parameter(torch.zeros(()))
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, tiles: Tensor) -> Any:
        self.shapes.append(tuple(tiles.shape))
        return self.says(tiles)


@pytest.mark.parametrize("overlap", [0, 1, 8, 28])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 95), (20, 70)])
@pytest.mark.parametrize("spec", [ANY, FIXED])
def test_a_constant_and_a_ramp_have_no_seams(
    spec: dict[str, Any], height: int, width: int, overlap: int
) -> None:
    """Outputs that know their place are put together as they would be in one piece."""
    rows, columns = torch.arange(float(height))[:, None], torch.arange(float(width))
    picture = torch.stack([torch.full((height, width), 3.0), rows + 2 * columns, columns - rows])
    model: Any = Says(lambda tiles: {"three": tiles, "first": (tiles[:, 0],)})
    pieces = Tiles(FACTS, spec, (32, 32), overlap).cut(picture)
    found = blended(model, pieces, batch_size=3)
    torch.testing.assert_close(found["three"], picture[None], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(found["first"][0], picture[None, 0], atol=1e-6, rtol=1e-6)
    low = min(height, 32) if spec is ANY else 32
    assert {shape[1:] for shape in model.shapes} == {(3, low, 32)}
    assert max(shape[0] for shape in model.shapes) <= 3


def test_neighbours_that_disagree_are_faded_into_each_other() -> None:
    """Tiles that say 0, 1, 2 in turn: each its own number where it is alone, and between them the
    shares fall by equal steps."""
    pieces = Tiles(FACTS, ANY, (4, 8), 3).cut(torch.zeros(3, 4, 18))
    assert [piece.column.start for piece in pieces] == [0, 5, 10]
    total = None
    for number, piece in enumerate(pieces):
        total = piece.added(torch.full((1, 4, 8), float(number)), total)
    assert total is not None
    steps = [0.25, 0.5, 0.75]
    expected = [0.0] * 5 + steps + [1.0] * 2 + [1 + s for s in steps] + [2.0] * 5
    torch.testing.assert_close(total[0], torch.tensor(expected).expand(4, 18))


@pytest.mark.parametrize("height", [1, 7, 8, 9, 31])
def test_a_side_no_longer_than_the_overlap_is_one_tile(height: int) -> None:
    pieces = Tiles(FACTS, ANY, (32, 32), 8).cut(torch.zeros(3, height, 50))
    assert [(p.row.start, p.column.start) for p in pieces] == [(0, 0), (0, 18)]
    assert {len(piece.row.shares) for piece in pieces} == {height}


def test_a_picture_is_read_in_its_own_size(tmp_path: Path) -> None:
    Image.new("RGB", (50, 41), (255, 0, 51)).save(tmp_path / "a.png")
    found = Tiles(FACTS, ANY, (32, 32), 8).read(tmp_path / "a.png")
    assert found.shape == (3, 41, 50)
    torch.testing.assert_close(found[:, 40, 49], torch.tensor([1.0, 0.0, 0.2]))


def test_what_cannot_be_tiled_is_said() -> None:
    host = PluginHost.discover()
    model = onlay.adapt("onlay_vit_64", "linear", num_classes=2, host=host)
    modality = modality_of(model, host)
    with pytest.raises(ConfigError, match="`classification` answers does not lie on its input"):
        tiles_of(model, modality, (64, 64), 8)
    model.head.output_kinds = "map"
    with pytest.raises(ConfigError, match="tiles of 64 x 48 cannot overlap by 48: give a larger"):
        tiles_of(model, modality, (64, 48), 48)
    with pytest.raises(ConfigError, match="has 64 x 96 pixels, and the backbone takes 64 x 64"):
        tiles_of(model, modality, (64, 96), 8)
    assert isinstance(tiles_of(model, modality, (64, 64), 8), Tiles)
    other = onlay.adapt(tiny_backbone(), "linear", num_classes=2, host=host)
    other.head.output_kinds = "map"
    bare = replace(modality, name="bare", tiles=None)
    with pytest.raises(ConfigError, match="are not cut into tiles"):
        tiles_of(other, bare, (64, 64), 8)


def test_every_leaf_must_lie_on_the_input() -> None:
    assert all_maps("map")
    assert all_maps({"a": "map", "b": ("map", "map")})
    assert not any(map(all_maps, (None, {}, (), "boxes", {"a": "map", "b": None})))
