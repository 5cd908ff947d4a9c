from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from onlay.config.train import TrainConfig
from onlay.host import PluginHost
from onlay_train.ema import Average


class Pretender:
    """All that the parameter groups ask of a model."""

    def __init__(self) -> None:
        self.parameters = {
            "adapter.up.weight": nn.Parameter(torch.ones(2, 3)),
            "adapter.scale": nn.Parameter(torch.ones(3)),
            "adapter.token.bias": nn.Parameter(torch.ones(1, 3)),
            "head.fc.weight": nn.Parameter(torch.ones(4, 3)),
            "head.fc.bias": nn.Parameter(torch.ones(4)),
        }

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        return self.parameters


def test_biases_and_vectors_do_not_decay(host: PluginHost) -> None:
    model = Pretender()
    decayed, plain = host.make_param_groups(model, TrainConfig(weight_decay=0.1))
    names = {id(p): name for name, p in model.parameters.items()}
    assert [names[id(p)] for p in decayed["params"]] == ["adapter.up.weight", "head.fc.weight"]
    assert decayed["weight_decay"] == 0.1
    assert [names[id(p)] for p in plain["params"]] == [
        "adapter.scale",
        "adapter.token.bias",
        "head.fc.bias",
    ]
    assert plain["weight_decay"] == 0.0


def test_everything_decays_where_the_filter_is_off(host: PluginHost) -> None:
    config = TrainConfig(weight_decay=0.1, filter_bias_and_bn=False)
    (group,) = host.make_param_groups(Pretender(), config)
    assert (len(group["params"]), group["weight_decay"]) == (5, 0.1)


def test_the_first_step_of_adamw_by_hand(host: PluginHost) -> None:
    # the first step's direction is the gradient's sign; decay takes lr * weight_decay of the weight
    weight = nn.Parameter(torch.tensor([[2.0]]))
    config = TrainConfig(lr=0.1, weight_decay=0.5)
    groups = [{"params": [weight], "weight_decay": 0.5}]
    optimizer = host.make_optimizer(groups, config)
    weight.grad = torch.tensor([[-3.0]])
    optimizer.step()
    assert weight.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5) + 0.1, abs=1e-6)


def test_a_plugin_may_decide_the_optimizer(configure: Callable, host: PluginHost) -> None:
    import onlay

    class Deciding:
        @staticmethod
        @onlay.hookimpl
        def make_optimizer(groups: list, config: TrainConfig) -> torch.optim.Optimizer:
            return torch.optim.SGD(groups, lr=config.lr)

    host.add(Deciding(), name="deciding")
    groups = [{"params": [nn.Parameter(torch.ones(1))]}]
    assert isinstance(host.make_optimizer(groups, TrainConfig()), torch.optim.SGD)


def test_the_average_by_hand() -> None:
    live, counter = torch.tensor([1.0]), torch.tensor(3)
    average = Average({"w": live, "n": counter}, decay=0.9)
    live.fill_(2.0)
    counter.fill_(4)
    average.update()
    assert average.state["n"] == 4
    assert average.state["w"].item() == pytest.approx(1.1)
    with average.in_place():
        assert live.item() == pytest.approx(1.1)
    assert live.item() == 2.0
    average.update()
    assert average.state["w"].item() == pytest.approx(1.19)
    average.adopt()
    assert live.item() == pytest.approx(1.19)
