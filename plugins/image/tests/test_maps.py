"""Maps of blocks: of every family, at any size, padded to whole patches, without inserted
tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Placement
from onlay.anatomy.attachments import Attachments
from onlay.errors import DataError
from onlay_image.anatomy import dissect
from onlay_image.backbones import bundled
from onlay_image.backbones.build import build
from onlay_image.backbones.config import BundledConfig, TimmConfig

SMALL = {"embed_dim": 48, "num_heads": 3, "depth": 2}
SWIN = {"embed_dim": 24, "depths": (1, 1, 1), "num_heads": (2, 2, 2), "window_size": 4}

FAMILIES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "vit16": ("vit_tiny_patch16_224", 16, SMALL),
    "vit14": ("vit_small_patch14_dinov2", 14, SMALL),
    "registers": ("vit_small_patch14_reg4_dinov2", 14, SMALL),
    "pooled": ("vit_medium_patch16_reg4_gap_256", 16, SMALL),
    "siglip": ("vit_base_patch16_siglip_224", 16, SMALL),
    "beit": ("beit_base_patch16_224", 16, SMALL),
    "eva02": ("eva02_tiny_patch14_224", 14, SMALL),
    "dinov3": ("vit_small_patch16_dinov3", 16, SMALL),
    "swin": ("swin_tiny_patch4_window7_224", 4, SWIN),
    "swinv2": ("swinv2_tiny_window8_256", 4, SWIN),
}


def made(name: str, **settings: Any) -> Any:
    """A small network of a family, without pretrained weights."""
    model, _, kwargs = FAMILIES[name]
    built = build(TimmConfig(model=model, pretrained=False, model_kwargs=kwargs, **settings))
    built.module.eval()
    return built


def pictures(*size: int) -> Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_maps_of_an_odd_oblong_size_are_timms_of_the_padded_pictures(name: str) -> None:
    """Three patches and five pixels high, seven patches wide less one: 4 x 7 places."""
    patch = FAMILIES[name][1]
    size = 3 * patch + min(5, patch - 1), 7 * patch - 1
    built, images = made(name, img_size=size), pictures(*size)
    assert built.input_spec["img_size"] == list(size)
    assert built.module.patch_embed.img_size == (4 * patch, 7 * patch)
    anatomy, asked = built.anatomy, [block.index for block in built.anatomy.blocks]
    features = anatomy.encode(images, levels=asked)
    padded = F.pad(images, (0, 1, 0, 4 * patch - size[0]))
    expected = built.module.forward_intermediates(padded, intermediates_only=True)
    grids = {"swin": [(4, 7), (2, 4), (1, 2)]}.get(name.removesuffix("v2"), [(4, 7)] * 2)
    assert [level.shape[-2:] for level in features.levels] == grids
    for level, other in zip(features.levels, expected, strict=True):
        torch.testing.assert_close(level, other, atol=1e-5, rtol=1e-5)
    assert features.inputs is images
    with pytest.raises(DataError, match=r"takes images of|cannot be cut into patches of"):
        anatomy.encode(images)  # what reads no maps, such as classification, pads nothing


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "beit"])
@torch.no_grad()
def test_a_network_for_any_size_pads_as_timm_does(name: str) -> None:
    patch = FAMILIES[name][1]
    built = made(name, img_size=4 * patch, dynamic_img_size=True)
    model, images = built.module, pictures(2 * patch + 1, 6 * patch)
    asked = [block.index for block in built.anatomy.blocks]
    levels = built.anatomy.encode(images, levels=asked).levels
    model.patch_embed.dynamic_img_pad = True
    expected = model.forward_intermediates(images, intermediates_only=True)
    assert levels[0].shape[-2:] == (3, 6)
    for level, other in zip(levels, expected, strict=True):
        torch.testing.assert_close(level, other, atol=1e-5, rtol=1e-5)


class Learned(nn.Module):
    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(1, count, width))

    def forward(self) -> Tensor:
        return self.rows


@pytest.mark.parametrize("name", [name for name in FAMILIES if not name.startswith("swin")])
@torch.no_grad()
def test_inserted_tokens_are_on_no_map(name: str) -> None:
    """Two deep prompts leave behind their blocks, three come with block 0 and stay."""
    patch = FAMILIES[name][1]
    model = made(name, img_size=(2 * patch, 3 * patch)).module
    place, seen = Placement(dissect(model)), dict[int, Tensor]()
    Attachments.of(model).activate(None)
    first, last = place.blocks
    place.insert(place.site("tokens.in"), Learned(2, 48), count=2, until=first)
    place.insert(first, Learned(3, 48), count=3)
    place.insert(first, Learned(2, 48), count=2, until=last)
    Attachments.of(model).add("test", place.adapter)
    for block in place.blocks:
        block.module.register_forward_hook(lambda m, a, x, i=block.index: seen.update({i: x}))
    images, prefix = pictures(2 * patch, 3 * patch), place.anatomy.prefix
    features = place.anatomy.encode(images, inserted=place.adapter.tokens, levels=[0, 1])
    assert features.prompts.shape[1] == 3
    assert [seen[index].shape[1] for index in (0, 1)] == [prefix + 5 + 6, prefix + 3 + 6]
    for index, level in enumerate(features.levels):
        assert torch.equal(level, seen[index][:, -6:].transpose(1, 2).unflatten(2, (2, 3)))


@torch.no_grad()
def test_a_small_swin_is_asked_for_sizes_that_halve_to_odd_maps() -> None:
    """What lies in a corner of the picture stays in that corner of every map."""
    built = made("swin", img_size=(36, 28))
    dark, lit = torch.zeros(1, 3, 36, 28), torch.zeros(1, 3, 36, 28)
    lit[..., 32:, 24:] = 9.0
    pairs = [built.anatomy.encode(x, levels=[0, 1, 2]).levels for x in (dark, lit)]
    changes = [(a - b).abs().sum(1)[0] for a, b in zip(*pairs, strict=True)]
    assert [tuple(change.shape) for change in changes] == [(9, 7), (5, 4), (3, 2)]
    assert all(change.argmax() == change.numel() - 1 for change in changes)


@torch.no_grad()
def test_the_bundled_backbone_at_other_sizes() -> None:
    usual = bundled.build(BundledConfig())
    other = bundled.build(BundledConfig(img_size=(100, 64)))
    assert other.input_spec["img_size"] == [100, 64]
    assert other.module.pos_embed.shape == (1, 1 + 13 * 8, 192)
    assert torch.equal(other.module.pos_embed[:, 0], usual.module.pos_embed[:, 0])
    assert other.anatomy.encode(pictures(100, 64), levels=[5]).levels[0].shape == (2, 192, 13, 8)
    anywhere = bundled.build(BundledConfig(dynamic_img_size=True)).anatomy
    images = pictures(64, 64)
    assert torch.equal(anywhere.encode(images).cls, usual.anatomy.encode(images).cls)
    assert anywhere.encode(pictures(70, 40), levels=[0]).levels[0].shape == (2, 192, 9, 5)
