"""What comes out of `encode`: features, pooling, maps, layouts, and room for inserted tokens."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType

import pytest
import timm
import torch
from torch import Tensor, nn

from onlay.errors import AnatomyError
from onlay.features import Grid
from onlay_image.anatomy import dissect

Make = Callable[..., nn.Module]


@torch.no_grad()
def test_pooled_is_what_timms_own_head_reads(model: nn.Module, images: Tensor) -> None:
    features = dissect(model).encode(images)
    tokens = model.forward_features(images)
    expected = model.forward_head(tokens, pre_logits=True)
    torch.testing.assert_close(features.pooled, expected, atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_tokens_are_told_apart(model: nn.Module, images: Tensor) -> None:
    anatomy = dissect(model)
    features = anatomy.encode(images)
    tokens = model.forward_features(images)
    if "hierarchical" in anatomy.provides:
        tokens = tokens.flatten(1, 2)
    assert features.prompts.shape == (2, 0, tokens.shape[-1])
    assert features.layout.prefix == anatomy.prefix == getattr(model, "num_prefix_tokens", 0)
    count = features.layout.height * features.layout.width
    assert count == tokens.shape[1] - anatomy.prefix
    assert torch.equal(features.patches, tokens[:, anatomy.prefix :])
    if "class_token" in anatomy.provides:
        assert torch.equal(features.cls, tokens[:, 0])
    else:
        assert features.cls is None
        assert "class token" in anatomy.unfit["class_token"]


@torch.no_grad()
def test_levels_are_timms_intermediates(model: nn.Module, images: Tensor) -> None:
    anatomy = dissect(model)
    ends = [stage.blocks[-1].index for stage in anatomy.stages]
    wanted = ends if "hierarchical" in anatomy.provides else [0, 1]
    hooks = {name: len(module._forward_hooks) for name, module in model.named_modules()}
    levels = anatomy.encode(images, levels=wanted).levels
    expected = model.forward_intermediates(images, intermediates_only=True)
    assert len(levels) == len(expected) == 2
    for level, other in zip(levels, expected, strict=True):
        assert torch.equal(level, other)
    assert hooks == {name: len(module._forward_hooks) for name, module in model.named_modules()}


def test_provides(make: Make) -> None:
    sequence = {"sequence", "grid", "insertion", "extension"}
    assert dissect(make("vit")).provides == sequence | {"class_token"}
    assert dissect(make("siglip")).provides == sequence
    assert dissect(make("swin")).provides == {"sequence", "grid", "hierarchical"}


@torch.no_grad()
def test_an_oblong_input_has_an_oblong_grid() -> None:
    small = {"embed_dim": 48, "num_heads": 3, "depth": 2, "num_classes": 0}
    vit = timm.create_model("vit_tiny_patch16_224", dynamic_img_size=True, img_size=32, **small)
    anatomy = dissect(vit)
    features = anatomy.encode(torch.randn(1, 3, 32, 64), levels=[1])
    assert features.layout == Grid(2, 4, prefix=1)
    assert anatomy.layout(1, inserted=3) == Grid(2, 4, prefix=4)
    assert features.patches.shape == (1, 8, 48)
    assert features.levels[0].shape == (1, 48, 2, 4)


@torch.no_grad()
def test_the_grids_of_swins_stages() -> None:
    """36 x 28 pixels are 9 x 7 patches; each later stage halves the grid and rounds up."""
    swin = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=32,
        window_size=4,
        embed_dim=24,
        depths=(1, 2, 1),
        num_heads=(2, 2, 2),
        num_classes=0,
        strict_img_size=False,
    ).eval()
    anatomy = dissect(swin)
    features = anatomy.encode(torch.randn(1, 3, 36, 28))
    grids = [anatomy.layout(block.index) for block in anatomy.blocks]
    assert grids == [Grid(9, 7), Grid(5, 4), Grid(5, 4), Grid(3, 2)]
    assert features.layout == Grid(3, 2)
    assert features.patches.shape == (1, 6, 96)


class Inserter:
    """Puts tokens in behind the class token, or first."""

    def __init__(self, tokens_PD: Tensor, position: int) -> None:
        self.tokens_PD, self.position = tokens_PD, position

    def pipe(self, x: Tensor) -> Tensor:
        tokens = self.tokens_PD.expand(len(x), -1, -1)
        return torch.cat([x[:, : self.position], tokens, x[:, self.position :]], dim=1)


@torch.no_grad()
def test_inserted_tokens_find_room_after_block_0(model: nn.Module, images: Tensor) -> None:
    """The patches see them, in their own places; without them nothing has changed."""
    anatomy = dissect(model)
    if "insertion" not in anatomy.provides:
        assert "windows" in anatomy.unfit["insertion"]
        return
    bare = anatomy.encode(images)
    position = 0 if anatomy.class_token is None else 1
    inserter = Inserter(torch.randn(3, model.embed_dim), position)
    room = anatomy.make_room(1, 3)
    assert torch.equal(anatomy.encode(images).patches, bare.patches)
    undo = anatomy.blocks[0].site("block.out").port.install(inserter.pipe)
    features = anatomy.encode(images, inserted=3, levels=[0, 1])
    assert features.prompts.shape == (2, 3, model.embed_dim)
    assert features.patches.shape == bare.patches.shape
    assert features.layout.prefix == anatomy.prefix + 3
    assert (features.patches - bare.patches).abs().max() > 1e-3
    assert features.levels[1].shape[-2:] == (features.layout.height, features.layout.width)
    for taken in reversed([*room, *undo]):
        taken.remove()
    assert torch.equal(anatomy.encode(images).patches, bare.patches)
    assert not any(isinstance(v, MethodType) for m in model.modules() for v in vars(m).values())


@pytest.mark.parametrize(
    "name", ["eva02_functional", "eva02_split", "dinov3", "perception_encoder"]
)
@torch.no_grad()
def test_rotation_stays_with_the_patches(name: str, make: Make) -> None:
    """Inserted tokens are not rotated: as if the attention module had a longer prefix."""
    model = make(name)
    attn = model.blocks[1].attn
    rope = model.rope.get_embed(shape=model.patch_embed.grid_size)
    x = torch.randn(2, 3 + attn.num_prefix_tokens + rope.shape[-2], model.embed_dim)
    attn.num_prefix_tokens += 3
    expected = attn(x, rope=rope)
    attn.num_prefix_tokens -= 3
    dissect(model).make_room(1, 3)
    torch.testing.assert_close(attn(x, rope=rope), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["beit", "beit_shared_bias"])
@torch.no_grad()
def test_relative_bias_stays_with_class_token_and_patches(name: str, make: Make) -> None:
    """4 patches, 2 inserted tokens: rows and columns 1 and 2 of the bias are zero."""
    model = make(name)
    attn, x = model.blocks[0].attn, torch.randn(1, 7, model.embed_dim)
    shared = model.rel_pos_bias() if model.rel_pos_bias is not None else None
    own = attn._get_rel_pos_bias()[0] + (0 if shared is None else shared)
    bias, kept = torch.zeros(attn.num_heads, 7, 7), [0, 3, 4, 5, 6]
    for row, i in enumerate(kept):
        for column, j in enumerate(kept):
            bias[:, i, j] = own[:, row, column]
    fused = torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
    qkv = (x @ attn.qkv.weight.T + fused).view(1, 7, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
    scores = qkv[0] @ qkv[1].mT / qkv.shape[-1] ** 0.5 + bias
    expected = attn.proj((scores.softmax(-1) @ qkv[2]).transpose(1, 2).flatten(2))
    dissect(model).make_room(0, 2)
    actual = attn(x, shared_rel_pos_bias=shared)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "vit_relpos_small_patch16_224", "levit_128s"])
def test_other_architectures_are_refused_in_words(name: str) -> None:
    with pytest.raises(AnatomyError, match=r"cannot be adapted; supported are timm's `VisionTr"):
        dissect(timm.create_model(name, num_classes=0))


def test_other_blocks_are_refused_in_words() -> None:
    from timm.models.vision_transformer import ParallelScalingBlock

    small = {"embed_dim": 48, "num_heads": 3, "depth": 1}
    model = timm.create_model("vit_tiny_patch16_224", block_fn=ParallelScalingBlock, **small)
    with pytest.raises(AnatomyError, match=r"blocks of kind `ParallelScalingBlock` cannot"):
        dissect(model)
    dropping = timm.create_model("vit_tiny_patch16_224", patch_drop_rate=0.5, **small)
    with pytest.raises(AnatomyError, match="`patch_drop_rate` to 0"):
        dissect(dropping)
