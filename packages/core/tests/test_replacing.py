"""A module in the place of a frozen layer, beside a layer whose weight is changed by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from onlay.anatomy import Affine, Site
from onlay.anatomy.folding import fold
from onlay.anatomy.targets import ModuleTarget
from onlay.errors import AnatomyError, CannotFold
from onlay.testing import tiny_backbone


class Scaled(nn.Module):
    """(s W) x + c for a frozen layer W x + c: no rewrite of an input or an output is that."""

    def __init__(self, map):
        super().__init__()
        vars(self)["frozen"] = map.twin()
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, len(map.module.weight)))

    def forward(self, x):
        return nn.functional.linear(x, self.scale[:, None] * self.frozen.weight, self.frozen.bias)

    def affine(self):
        return Affine(self.scale[:, None] * self.frozen.weight.flatten(1), self.frozen.bias)


class Doubled(nn.Module):
    """Calls the frozen layer itself, through its twin."""

    unfoldable = "it is doubled anew at every call"

    def __init__(self, map):
        super().__init__()
        vars(self)["frozen"] = map.twin()
        self.by = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return self.by * self.frozen(x)


def replace(site, kind):
    """What a method does: `replace(site, kind)(place)` for every block."""

    def attach(place):
        for block in place.blocks:
            for map in place.maps(block.site(site)):
                place.replace(map, kind(map))

    return attach


def layer(backbone, site, index):
    block = backbone.blocks[index]
    layers = {"qkv.out": block.attn.qkv, "attn.out": block.attn.proj}
    return {**layers, "fc1.out": block.mlp.fc1, "mlp.out": block.mlp.fc2}[site]


@pytest.mark.parametrize("site", ["qkv.out", "attn.out", "fc1.out", "mlp.out"])
def test_stands_in_for_the_layer_that_writes_a_site(built, images, adapt_with, site):
    by_hand = tiny_backbone().module
    with torch.no_grad():
        for index in range(2):
            weight = layer(by_hand, site, index).weight
            weight.mul_(torch.linspace(0.5, 1.5, len(weight))[:, None])
    model = adapt_with(built, replace(site, Scaled))
    torch.testing.assert_close(model.backbone(images), by_hand(images))
    assert model.adapter.sites == [f"blocks.0.{site}", f"blocks.1.{site}"]


def test_a_twin_calls_the_frozen_layer_and_hooks_of_others_see_one_call(built, images, adapt_with):
    seen = []
    fc2 = built.module.blocks[0].mlp.fc2
    handle = fc2.register_forward_hook(lambda *call: seen.append(call[2]))
    model = adapt_with(built, replace("mlp.out", Doubled))
    seen.clear()
    model.backbone(images)
    assert len(seen) == 1
    handle.remove()
    by_hand = tiny_backbone().module
    with torch.no_grad():
        for block in by_hand.blocks:
            block.mlp.fc2.weight.mul_(2), block.mlp.fc2.bias.mul_(2)
    torch.testing.assert_close(model.backbone(images), by_hand(images))


def test_holds_no_frozen_tensor_and_names_the_layer(built, adapt_with):
    model = adapt_with(built, replace("qkv.out", Scaled))
    names = [name for name in model.trained_state() if name.startswith("adapter.")]
    assert names == [f"adapter.replaced.blocks.{i}.attn.qkv.scale" for i in range(2)]
    assert list(model.backbone.state_dict()) == list(tiny_backbone().module.state_dict())


def test_detach_restores_bit_for_bit(built, images, adapt_with):
    bare, attributes = built.module(images), set(vars(built.module.blocks[0].attn.qkv))
    model = adapt_with(built, replace("qkv.out", Scaled))
    assert not torch.equal(model.backbone(images), bare)
    with model.disabled() as backbone:
        assert torch.equal(backbone(images), bare)
    assert torch.equal(model.detach()(images), bare)
    assert set(vars(built.module.blocks[0].attn.qkv)) == attributes


def test_copies_and_moves_with_the_model(built, images, adapt_with):
    model = adapt_with(built, replace("mlp.out", Doubled)).eval()
    before = model(images)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.backbone.blocks[0].mlp.fc2.weight.zero_()
        assert torch.equal(model(images), before)
        assert not torch.equal(twin(images), before)
    wide = model.double()
    torch.testing.assert_close(wide(images.double()).float(), before)


def test_folds_into_the_layer(built, images, adapt_with):
    model = adapt_with(built, replace("fc1.out", Scaled)).eval()
    merged = model.merge()
    assert not list(merged.adapter.parameters())
    torch.testing.assert_close(merged(images), model(images))


def test_what_cannot_fold_says_why_and_keeps_the_rest(built, images, adapt_with, pieces):
    def attach(place):
        replace("mlp.out", Doubled)(place)
        place.rewrite(place.blocks[0].site("mlp.in"), pieces["ScaleShift"](16))

    model = adapt_with(built, attach).eval()
    with pytest.raises(CannotFold, match=r"`blocks\.0\.mlp\.fc2`: it is doubled anew"):
        model.merge()
    partly = model.merge(partial=True)
    assert torch.equal(partly(images), model(images))
    assert {r.path for r in partly.merge_refusals} >= {"blocks.1.mlp.fc2", "blocks.0.mlp.in"}


def test_a_bias_that_the_network_adds_by_itself_stays_one(built, adapt_with):
    """As in BEiT: the layer has no bias, the network adds one; folding changes the weight alone."""

    class Apart(ModuleTarget):
        def read(self):
            return super().read()[0], torch.full((48,), 0.25)

        def write(self, weight, shift):
            self.written = weight, shift

    attn = built.module.blocks[0].attn
    attn.qkv.bias = None
    target = Apart(attn.qkv)
    site = built.anatomy.blocks[0].sites["qkv.out"]
    vars(site)["writer"] = target

    def attach(place):
        (map,) = place.maps(site)
        place.replace(map, Scaled(map))

    model = adapt_with(built, attach)
    model.attachments.activate(None)
    assert fold(model.adapter) == []
    weight, shift = target.written
    expected = torch.linspace(0.5, 1.5, 48)[:, None] * attn.qkv.weight
    torch.testing.assert_close(weight, expected)
    assert torch.equal(shift, torch.full((48,), 0.25))


def test_a_layer_that_is_never_called_is_told(built, images, adapt_with):
    attn = built.module.blocks[1].attn
    idle = nn.Linear(16, 16)
    attn.add_module("idle", idle)
    site = Site("attn.out", "blocks.1.attn.out", 16, None, writer=ModuleTarget(idle))

    def attach(place):
        (map,) = place.maps(site)
        place.replace(map, Scaled(map))

    with pytest.raises(AnatomyError, match=r"`blocks\.1\.attn\.idle` would do nothing"):
        adapt_with(built, attach)


@pytest.mark.parametrize("site", ["attn.in", "mlp.res", "block.out"])
def test_a_site_that_no_layer_writes_is_refused(built, adapt_with, site):
    with pytest.raises(AnatomyError, match=rf"no linear .* alone writes `blocks\.0\.{site}`"):
        adapt_with(built, replace(site, Scaled))


def test_one_module_for_each_layer(built, adapt_with):
    def attach(place):
        (map,) = place.maps(place.blocks[0].site("mlp.out"))
        place.replace(map, Scaled(map))
        place.replace(map, Doubled(map))

    with pytest.raises(AnatomyError, match=r"`blocks\.0\.mlp\.fc2` is replaced already"):
        adapt_with(built, attach)
