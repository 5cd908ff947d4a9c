"""Every site against the forward passes that `conftest` writes out from timm's submodules."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Anatomy, Site
from onlay_image.anatomy import dissect

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
def test_every_site_is_the_tensor_that_it_names(
    model: nn.Module, images: Tensor, reference: Callable[..., Any]
) -> None:
    anatomy = dissect(model)
    own = reference(model, identity)
    expected = own.run(images)
    spies, _ = spied(anatomy, identity)
    torch.testing.assert_close(model.forward_features(images), expected, atol=1e-4, rtol=1e-4)
    assert set(spies) == set(own.seen) - ({"tokens.in"} - set(spies))
    for path, spy in spies.items():
        assert spy.seen is not None, path
        assert spy.seen.shape[spy.site.axis] == spy.site.width, path
        torch.testing.assert_close(
            spy.seen, own.seen[path], atol=1e-4, rtol=1e-4, msg=lambda m, p=path: f"{p}: {m}"
        )


@torch.no_grad()
def test_a_rewrite_acts_at_its_site_and_nowhere_else(
    model: nn.Module, images: Tensor, reference: Callable[..., Any]
) -> None:
    anatomy = dissect(model)
    bare = model.forward_features(images)
    for site in anatomy.all_sites():
        edit = disturbed(site.path)
        expected = reference(model, edit).run(images)
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
    spread = {s.path: s.spread for s in anatomy.all_sites()}
    spied(anatomy, lambda path, x: x + spread[path](shifts[path]))
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
