"""What folds into a weight must be all that its layer computes with."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from onlay.errors import CannotFold


class Lent(nn.Module):
    """As peft's layers are: the weight of a layer inside, beside which there is more."""

    def __init__(self, layer):
        super().__init__()
        self.base_layer, self.more = layer, nn.Linear(16, len(layer.weight))
        self.in_features, self.out_features = layer.in_features, layer.out_features

    @property
    def weight(self):
        return self.base_layer.weight

    @property
    def bias(self):
        return self.base_layer.bias

    def forward(self, x):
        return self.base_layer(x) + self.more(x)


class Halved(nn.Linear):
    def forward(self, input):
        return super().forward(input) / 2


class OnlyNamed(nn.Linear):
    """A kind of its own that computes nothing else."""


def kind_of(kind):
    def make(layer):
        other = kind(layer.in_features, layer.out_features)
        other.load_state_dict(layer.state_dict())
        return other

    return make


def patched(layer):
    layer.forward = lambda x: nn.Linear.forward(layer, x) / 2
    return layer


def former_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return weight_norm(layer)


COMPUTED = {
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    "pruned bias": lambda layer: prune.l1_unstructured(layer, "bias", 0.5),
    "weight norm": parametrizations.weight_norm,
    "former weight norm": former_weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "former spectral norm": spectral_norm,
    "lent": Lent,
    "another kind": kind_of(Halved),
    "patched": patched,
}


def with_layer(built, make):
    mlp = built.module.blocks[0].mlp
    old = mlp.fc1
    new = make(old)
    mlp.fc1 = new
    for site in built.anatomy.blocks[0].sites.values():  # as if dissected like that
        for target in [site.writer, *site.readers]:
            if getattr(target, "module", None) is old:
                target.module = new
        if getattr(site.port, "module", None) is old:
            site.port.module = new
    built.module.eval()
    return built


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("verb", ["rewrite", "branch", "before"])
def test_what_is_not_all_of_a_layer_takes_nothing_up(built, images, adapt_with, pieces, name, verb):
    def attach(place):
        before, behind = (place.blocks[0].site(site) for site in ("mlp.in", "fc1.out"))
        if verb == "rewrite":
            place.rewrite(behind, pieces["ScaleShift"](behind.width))
        elif verb == "branch":
            place.branch(before, behind, pieces["LowRank"](16, behind.width))
        else:
            place.rewrite(before, pieces["Matrix"](16))

    model = adapt_with(with_layer(built, COMPUTED[name]), attach).eval()
    with pytest.raises(CannotFold, match=r"layer `blocks\.0\.mlp\.fc1` \(`\w+`\) has a"):
        model.merge()
    merged = model.merge(partial=True)
    assert len(merged.merge_refusals) == 1
    assert not merged.folded
    assert torch.equal(merged(images), model(images))


def test_a_kind_that_computes_nothing_else_folds(built, images, adapt_with, pieces):
    built = with_layer(built, kind_of(OnlyNamed))
    site = built.anatomy.blocks[0].site("fc1.out")
    model = adapt_with(built, lambda p: p.rewrite(site, pieces["ScaleShift"](site.width))).eval()
    merged = model.merge()
    assert merged.folded
    torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)


def test_a_copy_that_computes_something_else_is_refused(built, adapt_with, pieces):
    """Another block calls the layer, too, and the adapter hangs on one."""
    first, second = (block.mlp for block in built.module.blocks[:2])
    second.fc1.weight = first.fc1.weight
    site = built.anatomy.blocks[0].site("fc1.out")
    model = adapt_with(built, lambda p: p.rewrite(site, pieces["ScaleShift"](site.width)))
    with pytest.raises(CannotFold, match=r"outputs differ by up to \d.* a weight that other"):
        model.merge()


def test_what_trains_in_a_computed_weight_cannot_be_copied(built, images, adapt_with):
    built = with_layer(built, COMPUTED["pruned"])
    model = adapt_with(built, lambda p: p.thaw(built.module.blocks[0].mlp.fc1), verify=False)
    model(images)
    with pytest.raises(CannotFold, match="keeps a weight that it computes"):
        model.merge()
