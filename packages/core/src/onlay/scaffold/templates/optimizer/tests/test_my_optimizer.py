"""Steps on numbers worked out by hand, and what goes on after a stop."""

import copy

import pytest
import torch
from onlay import PluginHost
from onlay.config.train import TrainConfig

from onlay_my_optimizer import config, plugin
from onlay_my_optimizer.optimizer import SignOfMean, build


def made(
    parameter: torch.Tensor,
    momentum: float = 0.5,
) -> SignOfMean:
    groups = [{"params": [parameter], "weight_decay": 0.5}]
    train = TrainConfig(lr=0.1, weight_decay=0.0)
    settings = config.MyOptimizerConfig(momentum=momentum)
    return build(groups, train, settings)


def step(optimizer: SignOfMean, parameter: torch.Tensor, gradient: float) -> float:
    parameter.grad = torch.tensor([gradient])
    optimizer.step()
    return parameter.item()


def test_steps_have_one_size_and_follow_the_mean() -> None:
    parameter = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = made(parameter)
    # mean 3, decay 2 * 0.1 * 0.5: 2 - 0.1 - 0.1
    assert step(optimizer, parameter, 6.0) == pytest.approx(1.8)
    # mean (3 - 1) / 2 = 1, still up: 1.8 - 0.09 - 0.1
    assert step(optimizer, parameter, -1.0) == pytest.approx(1.61)


def test_it_goes_on_where_it_stopped() -> None:
    parameter = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = made(parameter)
    step(optimizer, parameter, 6.0)
    other = torch.nn.Parameter(parameter.detach().clone())
    again = made(other)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert step(again, other, -1.0) == step(optimizer, parameter, -1.0)


def test_it_is_registered() -> None:
    (found,) = plugin.register_optimizers()
    assert PluginHost.discover().optimizers[found.name] == found
