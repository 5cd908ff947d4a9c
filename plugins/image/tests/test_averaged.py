"""Moving averages of an adapted model's weights: each tensor moves once a step, however many places
hold it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import onlay
from onlay.host import PluginHost

Make = Callable[..., nn.Module]
HOST = PluginHost.discover(only="image")


def of_torch(model: Any) -> tuple[nn.Module, Callable[[], None]]:
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    averaged.update_parameters(model)  # the first time it copies
    return averaged.module, partial(averaged.update_parameters, model)


def of_timm(model: Any, **kwargs: Any) -> tuple[nn.Module, Callable[[], None]]:
    averaged = ModelEmaV3(model, decay=0.75, **kwargs)
    return averaged.module, partial(averaged.update, model)


@pytest.mark.parametrize(
    ("average", "moves"),
    [(of_torch, 0.25), (partial(of_timm, exclude_buffers=True), 0.25), (of_timm, 0.4375)],
)
@torch.no_grad()
def test_a_thawed_copy_moves_once(average: Any, moves: float, make: Make) -> None:
    """By a quarter of what it is away; timm's, by names, which such a copy has two of, by 1/4 and
    1/4 of 3/4."""
    model = onlay.adapt(make("vit"), "full", num_classes=2, host=HOST)
    averaged, update = average(model)
    before = averaged.trained_parameters()["adapter.thawed.cls_token"].clone()
    for parameter in model.trained_parameters().values():
        parameter.add_(1)
    update()
    after = averaged.trained_parameters()["adapter.thawed.cls_token"]
    torch.testing.assert_close(after - before, torch.full_like(before, moves))


def test_only_the_model_itself_knows_its_parameters(make: Make) -> None:
    """While another adapter acts, a module around finds that one's copies in the backbone."""
    backbone = make("vit")
    other = onlay.adapt(backbone, "full", num_classes=2, name="other", host=HOST)
    model = onlay.adapt(backbone, "linear", num_classes=2, name="own", host=HOST)
    other(torch.randn(1, 3, 32, 32))
    foreign = {id(p) for p in other.adapter.parameters()}
    assert any(id(p) in foreign for p in nn.Sequential(model).parameters())
    assert not any(id(p) in foreign for p in model.trained_parameters().values())
