"""Optimizers of timm, by name, with their own defaults, and exact over a checkpoint."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from timm.optim import create_optimizer_v2
from torch import nn

import onlay
from onlay.config.train import TrainConfig
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay_image.optimizers import build
from onlay_image.plugin import register_optimizers

NAMES = [each.name for each in register_optimizers()]


def made(name: str, weight: nn.Parameter, **settings: Any) -> torch.optim.Optimizer:
    config = TrainConfig(opt=name, lr=0.1, **settings)
    return build([{"params": [weight], "weight_decay": 0.5}], config, config.opt_kwargs)


def stepped(optimizer: torch.optim.Optimizer, weight: nn.Parameter, *seeds: int) -> None:
    for seed in seeds:
        weight.grad = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed))
        optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_every_one_steps_and_goes_on_exactly(name: str) -> None:
    one = nn.Parameter(torch.ones(2, 3))
    first = made(name, one)
    stepped(first, one, 0, 1)
    assert not torch.equal(one, torch.ones(2, 3))
    two = nn.Parameter(one.detach().clone())
    second = made(name, two)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    stepped(first, one, 2, 3)
    stepped(second, two, 2, 3)
    assert torch.equal(one, two)


def test_a_step_of_lion_by_hand() -> None:
    # the sign of the gradient, and lr * weight_decay of the weight
    weight = nn.Parameter(torch.full((2, 3), 2.0))
    lion = made("lion", weight)
    assert lion.param_groups[0]["betas"] == (0.9, 0.99)  # its own, not Adam's
    weight.grad = torch.full((2, 3), -3.0)
    lion.step()
    assert weight[0, 0].item() == pytest.approx(2 * (1 - 0.1 * 0.5) + 0.1)
    assert made("lion", weight, opt_betas=(0.8, 0.9)).param_groups[0]["betas"] == (0.8, 0.9)


def test_settings_that_it_has_not() -> None:
    """Nor what timm's factory takes beside the optimizer, which does nothing to groups."""
    weight = nn.Parameter(torch.ones(2, 3))
    for name in ("rho", "layer_decay", "filter_bias_and_bn", "momentum"):
        message = rf"`train.opt_kwargs.{name}`: `lion` has no such setting \(have: `betas`, "
        with pytest.raises(ConfigError, match=message):
            made("lion", weight, opt_kwargs={name: 0.5})
    with pytest.raises(ConfigError, match=r"does not suit `lion`: ValueError: Invalid beta"):
        made("lion", weight, opt_kwargs={"betas": (2.0, 0.9)})


def test_betas_of_another_number() -> None:
    weight = nn.Parameter(torch.ones(2, 3))
    assert made("adan", weight).param_groups[0]["betas"] == (0.98, 0.92, 0.99)
    with pytest.raises(ConfigError, match=r"two numbers, and `adan` takes 3: say `train\.opt_kw"):
        made("adan", weight, opt_betas=(0.5, 0.6))
    own = made("adan", weight, opt_betas=(0.5, 0.6), opt_kwargs={"betas": (0.5, 0.6, 0.7)})
    assert own.param_groups[0]["betas"] == (0.5, 0.6, 0.7)


@pytest.mark.parametrize(
    ("name", "sizes", "spared"),
    [
        ("vit_tiny_patch16_224", {"depth": 2}, {"cls_token", "pos_embed"}),
        (
            "swin_tiny_patch4_window7_224",
            {"depths": (1, 1), "num_heads": (2, 4), "embed_dim": 16},
            {f"layers.{n}.blocks.0.attn.relative_position_bias_table" for n in (0, 1)},
        ),
    ],
)
def test_full_fine_tuning_decays_what_timm_decays(
    name: str, sizes: dict[str, Any], spared: set[str]
) -> None:
    """With our loop, and where a user's own asks `timm.optim`."""
    pytest.importorskip("onlay_train", reason="groups of parameters come with onlay-train")
    model = onlay.adapt(timm.create_model(name, num_classes=0, **sizes), "full", num_classes=3)
    assert model.no_weight_decay() == {f"adapter.thawed.{own}" for own in spared}
    ours = PluginHost.discover().make_param_groups(model, TrainConfig(weight_decay=0.05))
    for group in create_optimizer_v2(model, "adamw", weight_decay=0.05).param_groups:
        (own,) = (each for each in ours if each["weight_decay"] == group["weight_decay"])
        assert {id(p) for p in own["params"]} == {id(p) for p in group["params"]}
