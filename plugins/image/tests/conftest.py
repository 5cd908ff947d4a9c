"""Tiny models of every supported kind, and forward passes of them written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from timm.layers import apply_rot_embed_cat
from timm.models.swin_transformer import window_partition, window_reverse
from torch import Tensor, nn
from torch.nn import functional as F

Edit = Callable[[str, Tensor], Tensor]

SMALL = {"embed_dim": 48, "num_heads": 3, "depth": 2, "img_size": 32, "num_classes": 5}
SWIN = {"embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 5}

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("vit_tiny_patch16_224", SMALL),
    "vit_biasless_qkv": ("vit_tiny_patch16_224", SMALL | {"qkv_bias": False}),
    "vit_qk_norm": ("vit_tiny_patch16_224", SMALL | {"qk_norm": True}),
    "deit_distilled": ("deit_tiny_distilled_patch16_224", SMALL),
    "deit3": ("deit3_small_patch16_224", SMALL),
    "reg4_gap": ("vit_medium_patch16_reg4_gap_256", SMALL),
    "siglip": ("vit_base_patch16_siglip_224", SMALL),
    "dinov2": ("vit_small_patch14_dinov2", SMALL | {"img_size": 28}),
    "dinov2_reg4": ("vit_small_patch14_reg4_dinov2", SMALL | {"img_size": 28}),
    "clip": ("vit_base_patch16_clip_224", SMALL),
    "beit": ("beit_base_patch16_224", SMALL),
    "beitv2": ("beitv2_base_patch16_224", SMALL),
    "beit_shared_bias": ("beit_base_patch16_224", SMALL | {"use_shared_rel_pos_bias": True}),
    "eva01": ("eva_giant_patch14_224", SMALL | {"img_size": 28}),
    "eva02_functional": ("eva02_tiny_patch14_224", SMALL | {"img_size": 28}),
    "eva02_split": ("eva02_base_patch14_224", SMALL | {"img_size": 28}),
    "dinov3": ("vit_small_patch16_dinov3", SMALL),
    "dinov3_qkvb": ("vit_small_patch16_dinov3_qkvb", SMALL),
    "perception_encoder": ("vit_pe_core_tiny_patch16_384", SMALL | {"global_pool": "avg"}),
    "swin": ("swin_tiny_patch4_window7_224", SWIN | {"img_size": 32, "window_size": 4}),
    "swin_padded": ("swin_tiny_patch4_window7_224", SWIN | {"img_size": 40, "window_size": 4}),
    "swinv2": ("swinv2_tiny_window8_256", SWIN | {"img_size": 32, "window_size": 4}),
    "swinv2_padded": ("swinv2_tiny_window8_256", SWIN | {"img_size": 40, "window_size": 4}),
}


def tiny(name: str, **kwargs: Any) -> nn.Module:
    """The model in evaluation mode; scales far from 0, so that everything matters."""
    torch.manual_seed(0)
    timm_name, own = ARCHITECTURES[name]
    model = timm.create_model(timm_name, **(own | kwargs)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.add_(1)
    return model


@pytest.fixture
def make() -> Callable[..., nn.Module]:
    """`make(name, **kwargs)`: one of `ARCHITECTURES` by its name here."""
    return tiny


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> nn.Module:
    """Each of `ARCHITECTURES` in turn."""
    return tiny(request.param)


@pytest.fixture
def images(model: nn.Module) -> torch.Tensor:
    """Two images of the size that `model` expects."""
    return torch.randn(
        2, 3, *model.patch_embed.img_size, generator=torch.Generator().manual_seed(1)
    )


@pytest.fixture
def reference() -> type[Reference]:
    """`reference(model, edit).run(images)`: the model's features, computed without its blocks."""
    return Reference


class Reference:
    """A forward pass that shows every site's tensor to `edit` and notes what it was before."""

    def __init__(self, model: nn.Module, edit: Edit) -> None:
        self.model, self.edit, self.seen = model, edit, dict[str, Tensor]()

    def at(self, path: str, x: Tensor) -> Tensor:
        self.seen[path] = x
        return self.edit(path, x)

    def run(self, images: Tensor) -> Tensor:
        hierarchical = hasattr(self.model, "layers")
        return self.swin(images) if hierarchical else self.sequence(images)

    def sequence(self, images: Tensor) -> Tensor:
        model = self.model
        embedded = model.patch_embed(self.at("input", images))
        x, rope = self.tokens(self.at("embed.out", embedded))
        x = self.at("tokens.in", getattr(model, "norm_pre", nn.Identity())(x))
        shared = getattr(model, "rel_pos_bias", None)
        for index, block in enumerate(model.blocks):
            bias = 0 if shared is None else shared()
            if getattr(block.attn, "relative_position_bias_table", None) is not None:
                bias = bias + block.attn._get_rel_pos_bias()
            x = self.block(f"blocks.{index}.", block, x, rope, bias)
        return self.at("norm.out", model.norm(x))

    def tokens(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        model = self.model
        if hasattr(model, "_pos_embed"):
            made = model._pos_embed(x)
            return made if isinstance(made, tuple) else (made, None)
        x = torch.cat([model.cls_token.expand(len(x), -1, -1), x], dim=1)
        return (x if model.pos_embed is None else x + model.pos_embed), None

    def block(self, at: str, block: Any, x: Tensor, rope: Tensor | None, bias: Any) -> Tensor:
        x = self.at(at + "block.in", x)
        read = self.at(at + "attn.in", block.norm1(x))
        out = self.attention(at, block.attn, read, rope, bias)
        x = x + scale(block, 1) * self.at(at + "attn.out", out)
        x = self.at(at + "mlp.res", x)
        x = x + scale(block, 2) * self.mlp(at, block.mlp, self.at(at + "mlp.in", block.norm2(x)))
        return self.at(at + "block.out", x)

    def attention(self, at: str, attn: Any, x: Tensor, rope: Tensor | None, bias: Any) -> Tensor:
        qkv = self.at(at + "qkv.out", project(attn, x))
        q, k, v = qkv.unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = getattr(attn, "q_norm", nn.Identity())(q), getattr(attn, "k_norm", nn.Identity())(k)
        if rope is not None:
            first, half = attn.num_prefix_tokens, getattr(attn, "rotate_half", False)
            q, k = (
                torch.cat(
                    [t[:, :, :first], apply_rot_embed_cat(t[:, :, first:], rope, half=half)], 2
                )
                for t in (q, k)
            )
        weights = (q @ k.mT / q.shape[-1] ** 0.5 + bias).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        return attn.proj(getattr(attn, "norm", nn.Identity())(mixed))

    def mlp(self, at: str, mlp: Any, x: Tensor) -> Tensor:
        if hasattr(mlp, "fc1_g"):
            both = self.at(at + "fc1.out", torch.cat([mlp.fc1_g(x), mlp.fc1_x(x)], dim=-1))
            gate, value = both.chunk(2, dim=-1)
            hidden = mlp.act(gate) * value
        else:
            hidden = self.at(at + "fc1.out", mlp.fc1(x))
            if mlp.fc2.in_features < mlp.fc1.out_features:
                gate, value = hidden.chunk(2, dim=-1)
                hidden = mlp.act(gate) * value
            else:
                hidden = mlp.act(hidden)
        return self.at(at + "mlp.out", mlp.fc2(self.at(at + "fc2.in", mlp.norm(hidden))))

    def swin(self, images: Tensor) -> Tensor:
        model, index = self.model, 0
        step = self.swin_v2 if type(model).__name__.endswith("V2") else self.swin_v1
        x = self.at("embed.out", model.patch_embed(self.at("input", images)))
        for layer in model.layers:
            x = layer.downsample(x)
            for block in layer.blocks:
                x = step(f"blocks.{index}.", block, x)
                index += 1
        return self.at("norm.out", model.norm(x))

    def swin_v1(self, at: str, block: Any, x: Tensor) -> Tensor:
        x = self.at(at + "block.in", x)
        out = self.windows(at, block, self.at(at + "attn.in", block.norm1(x)))
        shape = x.shape
        x = self.at(at + "mlp.res", (x + self.at(at + "attn.out", out)).flatten(1, 2))
        x = x + self.mlp(at, block.mlp, self.at(at + "mlp.in", block.norm2(x)))
        return self.at(at + "block.out", x.reshape(shape))

    def swin_v2(self, at: str, block: Any, x: Tensor) -> Tensor:
        x = self.at(at + "block.in", x)
        out = self.windows(at, block, self.at(at + "attn.in", x))
        shape = x.shape
        x = (x + block.norm1(self.at(at + "attn.out", out))).flatten(1, 2)
        x = self.at(at + "mlp.res", x)
        x = x + block.norm2(self.mlp(at, block.mlp, self.at(at + "mlp.in", x)))
        return self.at(at + "block.out", x.reshape(shape))

    def windows(self, at: str, block: Any, x: Tensor) -> Tensor:
        """q, k and v are made on the map; the padding's are those of zeros."""
        size, attn, (height, width) = block.window_size, block.attn, x.shape[1:3]
        qkv = self.at(at + "qkv.out", project(attn, x))
        tall, wide = (-(-s // w) * w for s, w in zip(x.shape[1:3], size, strict=True))
        whole = project(attn, x.new_zeros(len(x), tall, wide, x.shape[-1]))
        whole[:, :height, :width] = qkv.roll([-s for s in block.shift_size], (1, 2))
        parts = window_partition(whole, size).flatten(1, 2)
        q, k, v = parts.unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
        scores, bias = window_scores(attn, q, k)
        scores = scores + bias
        if block.attn_mask is not None:
            count = len(block.attn_mask)
            scores = scores.unflatten(0, (-1, count)) + block.attn_mask[:, None]
            scores = scores.flatten(0, 1)
        out = attn.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        out = window_reverse(out.unflatten(1, size), size, tall, wide)[:, :height, :width]
        return out.roll(block.shift_size, (1, 2))


def scale(block: Any, which: int) -> Any:
    gamma = getattr(block, f"gamma_{which}", None)
    if gamma is None:
        gamma = getattr(getattr(block, f"ls{which}", None), "gamma", None)
    return 1.0 if gamma is None else gamma


def project(attn: Any, x: Tensor) -> Tensor:
    if attn.qkv is None:
        return torch.cat([attn.q_proj(x), attn.k_proj(x), attn.v_proj(x)], dim=-1)
    bias = attn.qkv.bias
    if getattr(attn, "q_bias", None) is not None:
        bias = torch.cat([attn.q_bias, torch.zeros_like(attn.q_bias), attn.v_bias])
    return F.linear(x, attn.qkv.weight, bias)


def window_scores(attn: Any, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    if not hasattr(attn, "logit_scale"):
        return q @ k.mT / q.shape[-1] ** 0.5, attn._get_rel_pos_bias()
    cosine = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT
    table = attn.cpb_mlp(attn.relative_coords_table).flatten(0, -2)
    area = attn.window_size[0] * attn.window_size[1]
    bias = table[attn.relative_position_index.flatten()].view(area, area, -1).permute(2, 0, 1)
    return cosine * attn.logit_scale.clamp(max=4.6051702).exp(), 16 * bias.sigmoid()
