"""Layers that are exchanged under an adapter: nothing that it trained is dropped silently."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from onlay.anatomy import Affine
from onlay.errors import AnatomyError
from onlay.model.compiled import InTurn


class Shifted(nn.Module):
    def __init__(self, map):
        super().__init__()
        vars(self)["frozen"] = map.twin()
        self.by = nn.Parameter(torch.ones(len(map.module.weight)))

    def forward(self, x):
        return self.frozen(x) + self.by

    def affine(self):
        return Affine(None, self.frozen.bias + self.by)


class Around(nn.Module):
    """What wraps a block or a layer, as engines and compilers do."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, *args):
        return self.inner(*args)


def replaced(place):
    for block in place.blocks:
        for map in place.maps(block.site("mlp.out")):
            place.replace(map, Shifted(map))


def hooked(pieces):
    def attach(place):
        for block in place.blocks:
            place.rewrite(block.site("fc1.out"), pieces["ScaleShift"](block.site("fc1.out").width))

    return attach


@pytest.fixture(params=["fc2", "fc1"])
def layer(request):
    """The layer of block 1 that the adapter hangs on."""
    return request.param


@pytest.fixture
def model(built, adapt_with, pieces, layer):
    return adapt_with(built, replaced if layer == "fc2" else hooked(pieces)).eval()


def exchange(model, name, change=copy.deepcopy):
    """Gives the former one."""
    mlp = model.backbone.blocks[1].mlp
    former = getattr(mlp, name)
    fresh = nn.Linear(former.in_features, former.out_features) if change is None else change(former)
    setattr(mlp, name, fresh)
    return former


def test_an_exchanged_layer_is_told_until_it_is_back(model, images, layer):
    before = model(images)
    former = exchange(model, layer, None)
    for call in (model, model.features, InTurn(model, model._passed)):
        with pytest.raises(AnatomyError, match=rf"`blocks\.1\.mlp\.{layer}` would do nothing"):
            call(images)
    setattr(model.backbone.blocks[1].mlp, layer, former)
    assert torch.equal(model(images), before)


def test_an_exchanged_block_and_a_copy_are_told(model, images, layer):
    twin = copy.deepcopy(model)
    twin.backbone.blocks[1] = copy.deepcopy(built_bare(twin).blocks[0])
    with pytest.raises(AnatomyError, match=rf"`blocks\.1\.mlp\.{layer}` would do nothing"):
        twin(images)
    model(images)


def built_bare(model):
    with model.disabled() as backbone:
        return copy.deepcopy(backbone)


def test_what_was_exchanged_while_the_adapter_rested_is_told(model, images, layer):
    with model.disabled():
        exchange(model, layer, None)
    with pytest.raises(AnatomyError, match=r"exchange layers before `onlay\.adapt`"):
        model(images)


def test_what_is_wrapped_still_acts(model, images, layer):
    before = model(images)
    exchange(model, layer, Around)
    model.backbone.blocks[0] = Around(model.backbone.blocks[0])
    assert torch.equal(model(images), before)
    assert model.adapter.watched.intact()  # and no later call looks further


def test_a_successor_that_takes_the_hooks_over_counts(built, images, adapt_with, pieces):
    """As torch's own quantized layers do."""
    model = adapt_with(built, hooked(pieces)).eval()
    before = model(images)

    def successor(layer):
        other = nn.Linear(layer.in_features, layer.out_features)
        other.load_state_dict(layer.state_dict())
        for hook in layer._forward_hooks.values():
            other.register_forward_hook(hook)
        return other

    exchange(model, "fc1", successor)
    assert torch.equal(model(images), before)


@pytest.mark.filterwarnings("ignore")
def test_quantized_layers_do_not_drop_what_stands_for_them(built, images, adapt_with):
    model = adapt_with(built, replaced).eval()
    quantize = pytest.importorskip("torch.ao.quantization").quantize_dynamic
    with pytest.raises(AnatomyError, match=r"`blocks\.0\.mlp\.fc2`.* what `merge\(\)` gives"):
        quantize(model, {nn.Linear})(images)
    quantize(model.merge(), {nn.Linear})(images)


def test_what_does_not_hang_on_a_layer_may_be_exchanged(model, images, layer):
    attn = model.backbone.blocks[1].attn
    attn.proj = copy.deepcopy(attn.proj)
    model(images)


def test_a_thawed_layer_may_be_exchanged(built, images, adapt_with):
    """Its copies are the layer's own tensors, which a successor takes (`SyncBatchNorm`)."""
    model = adapt_with(built, lambda place: place.thaw(built.module.blocks[1].norm2)).eval()
    before, block = model(images), model.backbone.blocks[1]
    other = nn.LayerNorm(16, eps=block.norm2.eps)
    other._parameters.update(block.norm2._parameters)
    block.norm2 = other
    assert torch.equal(model(images), before)
