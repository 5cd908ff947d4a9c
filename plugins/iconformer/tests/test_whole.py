"""iConFormer on a ViT, on Swin and on clouds, against specification 1.3 in plain torch."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

CLOSE = {"atol": 1e-10, "rtol": 1e-9}
PLACEMENTS = pytest.mark.parametrize("placement", ["parallel_ffn", "after_ffn", "after_attn"])


def attention(attn: Any, x_BTD: Tensor, heads: int) -> Tensor:
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in attn.qkv(x_BTD).chunk(3, -1))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return attn.proj((weights @ v).transpose(1, 2).flatten(2))


def block_by_hand(
    placement: str,
    x: Tensor,
    attend: Any,
    mlp: Any,
    delta: Any,
    norms: Any = (lambda x: x, lambda x: x),
) -> Tensor:
    """`norms`: those that Swin-V2 has behind attention and MLP."""
    a = attend(x)
    x = x + norms[0](a + delta(a) if placement == "after_attn" else a)
    f = mlp(x)
    f = norms[1](f + delta(f) if placement == "after_ffn" else f)
    return x + f + delta(x) if placement == "parallel_ffn" else x + f


@PLACEMENTS
def test_two_blocks_of_a_vit(
    placement: str, vit: Any, adapt: Any, adapters: Any, images: Tensor, randomize: Any,
    written: Any,
) -> None:  # fmt: skip
    """A map of two rows and three columns behind a class token."""
    model = randomize(adapt(vit(), placement=placement, rank=3)).double()
    images = images.double()
    with torch.no_grad():
        features = model.anatomy.encode(images)
        found, net = adapters(model), model.detach()
        x = net.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([net.cls_token.expand(2, -1, -1), x], 1)
        for block, adapter in zip(net.blocks, found, strict=True):
            x = block_by_hand(
                placement,
                x,
                lambda x, b=block: attention(b.attn, b.norm1(x), 2),
                lambda x, b=block: b.mlp.fc2(F.gelu(b.mlp.fc1(b.norm2(x)))),
                lambda x, a=adapter: written(a, x, grid=(2, 3)),
            )
        x = net.norm(x)
    torch.testing.assert_close(features.cls, x[:, 0], **CLOSE)
    torch.testing.assert_close(features.patches, x[:, 1:], **CLOSE)


def swin_block_by_hand(placement: str, x: Tensor, block: Any, delta: Any) -> Tensor:
    if type(block).__name__ == "SwinTransformerV2Block":
        norms = block.norm1, block.norm2
        return block_by_hand(placement, x, block._attn, block.mlp, delta, norms)

    def attend(x: Tensor) -> Tensor:
        return block._attn(block.norm1(x))

    def mlp(x: Tensor) -> Tensor:
        return block.mlp(block.norm2(x))

    return block_by_hand(placement, x, attend, mlp, delta)


def swin_by_hand(net: Any, images: Tensor, placement: str, found: Any, written: Any) -> Tensor:
    x, adapters = net.patch_embed(images), iter(found)
    for layer in net.layers:
        x = layer.downsample(x)
        for block in layer.blocks:

            def delta(y: Tensor, adapter: Any) -> Tensor:
                return written(adapter, y.flatten(1, 2), grid=y.shape[1:3]).view(y.shape)

            own = functools.partial(delta, adapter=next(adapters))
            x = swin_block_by_hand(placement, x, block, own)
    return net.norm(x)


@PLACEMENTS
@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_swin_on_its_whole_map(
    name: str, placement: str, timm_model: Any, adapt: Any, adapters: Any, randomize: Any,
    written: Any,
) -> None:  # fmt: skip
    """Maps of 8 x 12 and 4 x 6 in windows of 4, of which the second are shifted and padded: a
    kernel looks across their borders."""
    net = timm_model(name, img_size=(32, 48))
    model = randomize(adapt(net, placement=placement, rank=3)).double()
    images = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(5)).double()
    with torch.no_grad():
        features = model.anatomy.encode(images)
        found = adapters(model)
        assert [a.down.in_features for a in found] == [24, 48, 48]
        model.detach()
        expected = swin_by_hand(net, images, placement, found, written)
    assert (features.layout.height, features.layout.width) == (4, 6)
    torch.testing.assert_close(features.patches, expected.flatten(1, 2), **CLOSE)


@PLACEMENTS
def test_two_blocks_of_a_point_network(
    placement: str, points: Any, adapt: Any, adapters: Any, clouds: Tensor, randomize: Any,
    written: Any,
) -> None:  # fmt: skip
    """Positions enter every block; the class token lies among no groups."""
    model = randomize(adapt(points(), placement=placement, neighbours=5)).double()
    clouds = clouds.double()
    with torch.no_grad():
        features = model.anatomy.encode(clouds)
        found, net = adapters(model), model.detach()
        patches, centres = net.group(clouds)
        x = torch.cat([net.cls_token.expand(2, -1, -1), net.encoder(patches)], 1)
        pos = torch.cat([net.cls_pos.expand(2, -1, -1), net.pos_embed(centres)], 1)
        for block, adapter in zip(net.blocks.blocks, found, strict=True):
            x = block_by_hand(
                placement,
                x + pos,
                lambda x, b=block: b.attn(b.norm1(x)),
                lambda x, b=block: b.mlp(b.norm2(x)),
                lambda x, a=adapter: written(a, x, centres=centres),
            )
        x = net.norm(x)
    torch.testing.assert_close(features.cls, x[:, 0], **CLOSE)
    torch.testing.assert_close(features.patches, x[:, 1:], **CLOSE)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("vit_medium_patch16_reg4_gap_256", 4),
        ("vit_small_patch14_reg4_dinov2", 5),
        ("vit_small_patch16_dinov3", 5),
        ("eva02_tiny_patch14_224", 1),
        ("beit_base_patch16_224", 1),
        ("vit_base_patch16_siglip_224", 0),
    ],
)
def test_where_patches_begin_on_each_kind(
    name: str, prefix: int, timm_model: Any, adapt: Any, adapters: Any, randomize: Any,
    written: Any,
) -> None:  # fmt: skip
    """Class token and registers in front, a map of two rows and three columns behind them."""
    side = 14 if "patch14" in name else 16
    net = timm_model(name, img_size=(2 * side, 3 * side))
    model = randomize(adapt(net)).double()
    seen: list[tuple[Any, Tensor, Tensor]] = []
    for adapter in adapters(model):
        adapter.register_forward_hook(lambda m, args, out: seen.append((m, args[0], out)))
    with torch.no_grad():
        model(torch.randn(2, 3, 2 * side, 3 * side).double())
        assert len(seen) == 2
        for adapter, x_BTD, out in seen:
            assert x_BTD.shape[1] == prefix + 6
            torch.testing.assert_close(out, written(adapter, x_BTD, grid=(2, 3)), **CLOSE)


@pytest.mark.parametrize(
    ("name", "changes", "side"),
    [
        ("vit_tiny_patch16_224", {"dynamic_img_size": True}, 16),
        ("swin_tiny_patch4_window7_224", {"strict_img_size": False}, 8),
    ],
)
def test_images_of_any_size(
    name: str, changes: dict[str, Any], side: int, timm_model: Any, adapt: Any, adapters: Any,
    randomize: Any, written: Any,
) -> None:  # fmt: skip
    """Six patches lie in two rows and then in three."""
    model = randomize(adapt(timm_model(name, **changes))).double()
    last, seen = adapters(model)[-1], []
    last.register_forward_hook(lambda m, args, out: seen.append((args[0], out)))
    with torch.no_grad():
        for rows, columns in ((2, 3), (3, 2), (1, 4)):
            model(torch.randn(1, 3, rows * side, columns * side).double())
            x, out = seen.pop()
            expected = written(last, x.flatten(1, -2), grid=(rows, columns))
            torch.testing.assert_close(out.flatten(1, -2), expected, **CLOSE)
