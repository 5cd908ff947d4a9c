"""Deep prompts and prefixes on every family that has one sequence of tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Placement
from onlay.anatomy.attachments import Attachments
from onlay.errors import AnatomyError
from onlay_image.anatomy import dissect

FAMILIES = (
    "vit",
    "vit_biasless_qkv",
    "vit_qk_norm",
    "deit_distilled",
    "reg4_gap",
    "siglip",
    "beit",
    "beit_shared_bias",
    "eva02_functional",
    "eva02_split",
    "dinov3",
    "perception_encoder",
)


class Learned(nn.Module):
    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(width)
        self.rows = nn.Parameter(torch.randn(1, count, width, generator=g))

    def forward(self) -> Tensor:
        return self.rows


def adapted(model: nn.Module, attach: Any) -> Placement:
    place = Placement(dissect(model))
    attachments = Attachments.of(model)
    attachments.activate(None)
    attach(place)
    attachments.add("test", place.adapter)
    return place


def pictures(model: Any) -> Tensor:
    """Two, of the size that the model expects."""
    g = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, *model.patch_embed.img_size, generator=g)


class Longer:
    """`scaled_dot_product_attention` with more keys and values, at every call of one model."""

    def __init__(self, rows_1PC: Tensor, attn: Any) -> None:
        self.rows, self.attn = rows_1PC, attn
        self.own = F.scaled_dot_product_attention

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, attn_mask: Any = None, **rest: Any) -> Any:
        shape = (1, -1, 2, self.attn.num_heads, k.shape[-1])
        more_k, more_v = self.rows.view(shape).permute(2, 0, 3, 1, 4).expand(-1, len(k), -1, -1, -1)
        more_k = getattr(self.attn, "k_norm", nn.Identity())(more_k)
        if attn_mask is not None:
            attn_mask = F.pad(attn_mask, (self.rows.shape[1], 0))
        k, v = torch.cat([more_k, k], dim=2), torch.cat([more_v, v], dim=2)
        return self.own(q, k, v, attn_mask=attn_mask, **rest)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_a_prefix_is_more_keys_and_values_and_nothing_else(
    name: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No query, no rotation, no bias; a norm of keys norms them, too."""
    model = make(name)
    images = pictures(model)
    prefix = Learned(4, 2 * model.embed_dim)
    bare = model.forward_features(images)
    with monkeypatch.context() as patch:
        for block in model.blocks:
            block.attn.fused_attn = True
        patch.setattr(F, "scaled_dot_product_attention", Longer(prefix.rows, model.blocks[0].attn))
        # both blocks have norms of their own, so only the last is longer where keys are normed
        expected = model.forward_features(images) if "norm" not in name else None
    place = adapted(model, lambda p: [p.extend(b, prefix, count=4) for b in p.blocks])
    found = model.forward_features(images)
    if expected is not None:
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (found - bare).abs().max() > 1e-3
    for block in model.blocks:
        block.attn.fused_attn = False
    torch.testing.assert_close(model.forward_features(images), found, atol=1e-4, rtol=1e-4)
    Attachments.of(model).remove("test", model)
    assert place.adapter.tokens == 0
    torch.testing.assert_close(model.forward_features(images), bare, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_normed_keys_norm_the_prefix(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("vit_qk_norm")
    attn, prefix = model.blocks[1].attn, Learned(4, 96)
    x = torch.randn(2, 5, 48)
    with monkeypatch.context() as patch:
        patch.setattr(F, "scaled_dot_product_attention", Longer(prefix.rows, attn))
        expected = attn(x)
    adapted(model, lambda p: p.extend(p.blocks[1], prefix, count=4))
    torch.testing.assert_close(attn(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_deep_prompts_are_gone_behind_their_block(name: str, make: Any) -> None:
    """They act on the block that sees them; rooms for them do nothing to the others."""
    model = make(name)
    images = pictures(model)
    bare, prompts = model.forward_features(images), Learned(3, model.embed_dim)
    position = 0 if model.cls_token is None else 1
    counts: list[int] = []

    def attach(place: Placement) -> None:
        place.insert(place.site("tokens.in"), prompts, count=3, until=place.blocks[0])
        place.insert(place.blocks[0], prompts, count=3, until=place.blocks[1])

    place = adapted(model, attach)
    for block in model.blocks:
        block.register_forward_pre_hook(lambda m, a: counts.append(a[0].shape[1]))
    features = place.anatomy.encode(images, inserted=place.adapter.tokens)
    tokens = bare.shape[1]
    assert counts == [tokens + 3] * 2
    assert features.prompts.shape[1] == 0
    assert features.layout.prefix == place.anatomy.prefix
    found = model.forward_features(images)
    assert found.shape == bare.shape
    assert (found - bare).abs().max() > 1e-3
    assert torch.equal(features.patches, found[:, -features.patches.shape[1] :])
    if position:
        assert features.cls is not None
        assert torch.equal(features.cls, found[:, 0])


@torch.no_grad()
def test_deep_prompts_on_a_vit_are_its_own_blocks_in_a_loop(make: Any) -> None:
    model = make("dinov2")
    images = pictures(model)
    prompts = [Learned(3, 48) for _ in model.blocks]

    def attach(place: Placement) -> None:
        entries = [place.site("tokens.in"), *place.blocks[:-1]]
        for entry, block, own in zip(entries, place.blocks, prompts, strict=True):
            place.insert(entry, own, count=3, until=block)

    x = model._pos_embed(model.patch_embed(images))
    for block, own in zip(model.blocks, prompts, strict=True):
        x = block(torch.cat([x[:, :1], own.rows.expand(len(x), -1, -1), x[:, 1:]], dim=1))
        x = torch.cat([x[:, :1], x[:, 4:]], dim=1)
    expected = model.norm(x)
    adapted(model, attach)
    torch.testing.assert_close(model.forward_features(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
@torch.no_grad()
def test_masks_of_the_caller_are_widened(make: Any, kind: torch.dtype) -> None:
    """No token of the network's own may see the last patch, as if that were not there; prompts and
    prefix are seen."""
    model = make("vit")
    x = torch.randn(2, 5, 48)
    adapted(
        model,
        lambda p: [
            p.insert(p.site("tokens.in"), Learned(2, 48), count=2),
            p.extend(p.blocks[0], Learned(3, 96), count=3),
        ],
    )
    block, rows = model.blocks[0], Learned(2, 48).rows.expand(2, -1, -1)
    seen = torch.cat([x[:, :1], rows, x[:, 1:]], dim=1)  # what `tokens.in` hands on
    hidden = torch.ones(5, 5, dtype=torch.bool)
    hidden[:, -1] = False
    mask = hidden if kind == torch.bool else torch.zeros(5, 5).masked_fill(~hidden, -torch.inf)
    found = block(seen, attn_mask=mask)
    fewer = block(seen[:, :-1])
    for rows in (slice(0, 1), slice(3, 6)):  # the prompts themselves see every patch
        torch.testing.assert_close(found[:, rows], fewer[:, rows], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["swin", "swinv2"])
def test_windows_refuse_in_words_and_nothing_is_left(name: str, make: Any) -> None:
    place = Placement(dissect(make(name)))
    block = place.blocks[0]
    with pytest.raises(AnatomyError, match=r"no keys and values .* fixed number of tokens"):
        place.extend(block, Learned(2, 48), count=2)
    with pytest.raises(AnatomyError, match=r"cannot be inserted .* fixed number of tokens"):
        place.insert(block, Learned(2, 24), count=2, until=place.blocks[1])
    assert not list(place.adapter.parameters())
    assert not place.adapter.pipes
