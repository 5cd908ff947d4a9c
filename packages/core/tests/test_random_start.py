"""Full fine-tuning may begin at random weights, which the caller's seed draws."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import onlay
from onlay.errors import AnatomyError
from onlay.host import PluginHost
from onlay.testing import tiny_backbone

SCRATCH = {"name": "full", "start": "random"}


def started(seed, built):
    torch.manual_seed(seed)
    return onlay.adapt(built, SCRATCH, num_classes=3, host=PluginHost.discover())


def init_weights(network):
    """What no layer draws."""
    for parameter in network.parameters():
        if parameter.isnan().any():
            nn.init.normal_(parameter)


def test_random_starts_differ_by_seed_alone_and_leave_the_backbone(monkeypatch):
    network = type(tiny_backbone().module)
    monkeypatch.setattr(network, "init_weights", init_weights, raising=False)
    built = tiny_backbone()
    before = {name: tensor.clone() for name, tensor in built.module.state_dict().items()}
    own = dict(started(0, built).adapter.thawed.named_parameters())
    again, other = (started(n, tiny_backbone()).adapter.thawed for n in (0, 1))
    assert own.keys() == dict(built.module.named_parameters()).keys()
    for name, parameter in own.items():
        assert torch.equal(parameter, again.get_parameter(name)), name
        drawn = not torch.equal(parameter, other.get_parameter(name))
        constant = bool((parameter == parameter.flatten()[0]).all())
        assert drawn != constant, name  # norms begin at ones, biases at zeros
    for swap in onlay.adapt(tiny_backbone(), "full", num_classes=3).adapter.swaps:
        assert torch.equal(swap.copy, before[swap.path])  # the usual start is the backbone's own


def test_what_nobody_says_how_to_draw_is_refused():
    with pytest.raises(AnatomyError, match="nothing in the network says how `cls_token` is drawn"):
        started(0, tiny_backbone())
