"""Every site against forward passes written out here from the submodules of timm's blocks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from timm.layers import apply_rot_embed_cat
from timm.models.swin_transformer import window_partition, window_reverse
from torch import Tensor, nn
from torch.nn import functional as F

from inlay.anatomy import Anatomy, Site
from inlay_image.anatomy import dissect

Edit = Callable[[str, Tensor], Tensor]


class Spy:
    """A pipe that keeps what it sees and hands on what `edit` makes of it."""

    def __init__(self, site: Site, edit: Edit) -> None:
        self.site, self.edit = site, edit
        self.seen: Tensor | None = None

    def pipe(self, x: Tensor) -> Tensor:
        self.seen = x
        return self.edit(self.site.path, x)


def identity(path: str, x: Tensor) -> Tensor:
    return x


def disturbed(target: str) -> Edit:
    """An edit that shrinks one site's tensor and adds a pattern to it."""

    def edit(path: str, x: Tensor) -> Tensor:
        if path != target:
            return x
        pattern = torch.linspace(-1, 1, x.numel() // len(x)).reshape(x.shape[1:])
        return 0.7 * x + pattern

    return edit


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
        x, rope = self.tokens(self.at("embed.out", model.patch_embed(images)))
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
            hidden = mlp.act(mlp.fc1_g(x)) * mlp.fc1_x(x)
        else:
            hidden = self.at(at + "fc1.out", mlp.fc1(x))
            if mlp.fc2.in_features < mlp.fc1.out_features:
                gate, value = hidden.chunk(2, dim=-1)
                hidden = mlp.act(gate) * value
            else:
                hidden = mlp.act(hidden)
        return self.at(at + "mlp.out", mlp.fc2(mlp.norm(hidden)))

    def swin(self, images: Tensor) -> Tensor:
        model, index = self.model, 0
        step = self.swin_v2 if type(model).__name__.endswith("V2") else self.swin_v1
        x = self.at("embed.out", model.patch_embed(images))
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


def spied(
    anatomy: Anatomy, edit: Edit, only: str | None = None
) -> tuple[dict[str, Spy], list[Any]]:
    spies = {s.path: Spy(s, edit) for s in anatomy.all_sites() if only in (None, s.path)}
    undos = [undo for spy in spies.values() for undo in spy.site.port.install(spy.pipe)]
    return spies, undos


def detach(undos: list[Any]) -> None:
    while undos:
        undos.pop().remove()


@torch.no_grad()
def test_every_site_is_the_tensor_that_it_names(model: nn.Module, images: Tensor) -> None:
    anatomy = dissect(model)
    reference = Reference(model, identity)
    expected = reference.run(images)
    spies, _ = spied(anatomy, identity)
    torch.testing.assert_close(model.forward_features(images), expected, atol=1e-4, rtol=1e-4)
    assert set(spies) == set(reference.seen) - ({"tokens.in"} - set(spies))
    for path, spy in spies.items():
        assert spy.seen is not None, path
        assert spy.seen.shape[-1] == spy.site.width, path
        torch.testing.assert_close(
            spy.seen, reference.seen[path], atol=1e-4, rtol=1e-4, msg=lambda m, p=path: f"{p}: {m}"
        )


@torch.no_grad()
def test_a_rewrite_acts_at_its_site_and_nowhere_else(model: nn.Module, images: Tensor) -> None:
    anatomy = dissect(model)
    bare = model.forward_features(images)
    for site in anatomy.all_sites():
        edit = disturbed(site.path)
        expected = Reference(model, edit).run(images)
        _, undos = spied(anatomy, edit, site.path)
        changed = model.forward_features(images)
        detach(undos)
        torch.testing.assert_close(
            changed, expected, atol=3e-4, rtol=3e-4, msg=lambda m, p=site.path: f"{p}: {m}"
        )
        assert (changed - bare).abs().max() > 1e-3, site.path


@torch.no_grad()
def test_idle_pipes_change_nothing_and_leave_nothing(model: nn.Module, images: Tensor) -> None:
    before, bare = structure(model), model(images)
    _, undos = spied(dissect(model), identity)
    torch.testing.assert_close(model(images), bare, atol=1e-6, rtol=1e-5)
    detach(undos)
    assert torch.equal(model(images), bare)
    assert structure(model) == before


def structure(model: nn.Module) -> dict[str, Any]:
    """Attributes, hooks and classes of every module, by identity."""
    return {
        name: {
            key: sorted(value) if "hooks" in key else id(value)
            for key, value in vars(module).items()
            if not key.startswith("_forward_hooks_") or value
        }
        for name, module in model.named_modules()
    }


@torch.no_grad()
def test_a_deep_copy_has_pipes_of_its_own(model: nn.Module, images: Tensor) -> None:
    spies, undos = spied(dissect(model), identity)
    twin, twin_spies, twin_undos = copy.deepcopy((model, spies, undos))
    bare = model(images)
    for spy in twin_spies.values():
        spy.edit, spy.seen = disturbed(spy.site.path), None
    for spy in spies.values():
        spy.seen = None
    assert not torch.allclose(twin(images), bare)
    assert all(spy.seen is None for spy in spies.values())
    assert all(spy.seen is not None for spy in twin_spies.values())
    assert torch.equal(model(images), bare)
    detach(twin_undos)
    detach(undos)
    assert torch.equal(twin(images), model(images))


def test_gradients_flow_through_every_site(model: nn.Module, images: Tensor) -> None:
    anatomy = dissect(model)
    model.requires_grad_(False)
    shifts = {s.path: torch.zeros(s.width, requires_grad=True) for s in anatomy.all_sites()}
    spied(anatomy, lambda path, x: x + shifts[path])
    model.forward_features(images).square().sum().backward()
    for path, shift in shifts.items():
        assert shift.grad is not None, path
        assert shift.grad.abs().max() > 0, path


@torch.no_grad()
def test_bfloat16_autocast(model: nn.Module, images: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        bare = model.forward_features(images)
        spied(dissect(model), lambda path, x: x * 1)
        piped = model.forward_features(images)
    assert piped.dtype == bare.dtype
    assert (piped - bare).abs().mean() < 0.1 * bare.abs().mean()


@pytest.mark.parametrize("name", ["beit", "beitv2", "eva02_functional", "eva02_split", "swinv2"])
@torch.no_grad()
def test_low_rank_at_qkv_acts_as_the_changed_weight_would(
    name: str, make: Callable[..., nn.Module]
) -> None:
    """These are the attention modules that never call `qkv`, or have none."""
    model = make(name)
    changed, anatomy = copy.deepcopy(model), dissect(model)
    images = torch.randn(2, 3, *model.patch_embed.img_size)
    for block, other in zip(anatomy.blocks, dissect(changed).blocks, strict=True):
        source, target = block.site("attn.in"), block.site("qkv.out")
        down, up = 0.1 * torch.randn(2, source.width), 0.1 * torch.randn(target.width, 2)
        tap = Spy(source, identity)
        source.port.install(tap.pipe)
        target.port.install(LowRank(tap, up @ down).pipe)
        writer = other.site("qkv.out").writer
        weight, shift = writer.read()
        writer.write(weight + up @ down, shift)
    bare = make(name)(images)
    torch.testing.assert_close(model(images), changed(images), atol=1e-5, rtol=1e-5)
    assert (model(images) - bare).abs().max() > 1e-3


class LowRank:
    def __init__(self, tap: Spy, weight: Tensor) -> None:
        self.tap, self.weight = tap, weight

    def pipe(self, x: Tensor) -> Tensor:
        return x + F.linear(self.tap.seen, self.weight)
