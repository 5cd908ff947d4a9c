"""Gradients of whole models: recomputed, checkpointed, in reduced precision."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay_dapt.scale_and_shift import ScaleAndShift

TARGETS = torch.tensor([0, 1, 2])


def trained_gradients(model: Any, clouds: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    torch.manual_seed(0)
    model.loss((clouds, TARGETS)).backward()
    return {n: p.grad.clone() for n, p in model.trained_parameters().items()}


def test_gradients_are_those_of_the_plain_formulas(
    points: Any, adapt: Any, clouds: Tensor, randomize: Any, monkeypatch: Any
) -> None:
    model = adapt(points(drop_path=0.3), dropout=0.2).train()
    randomize(model)
    ours = trained_gradients(model, clouds)
    checkpointed = copy.deepcopy(model)
    checkpointed.set_grad_checkpointing()
    monkeypatch.setattr(ScaleAndShift, "_trains_eagerly", lambda self: False)
    monkeypatch.setattr("onlay_dapt.frugal.trains_eagerly", lambda: False)
    plain = trained_gradients(model, clouds)
    monkeypatch.undo()
    recomputed = trained_gradients(checkpointed, clouds)
    for name, gradient in ours.items():
        scale = plain[name].abs().max().item()
        torch.testing.assert_close(gradient, plain[name], atol=1e-5 * max(1, scale), rtol=1e-5)
        torch.testing.assert_close(gradient, recomputed[name], atol=1e-6, rtol=1e-6)


def test_autocast(points: Any, adapt: Any, clouds: Tensor, randomize: Any) -> None:
    model = adapt(points()).train()
    randomize(model)
    full = model.loss((clouds, TARGETS))
    with torch.autocast("cpu", torch.bfloat16):
        reduced = model.loss((clouds, TARGETS))
    reduced.backward()
    assert reduced.item() == pytest.approx(full.item(), rel=0.1)
    for name, p in model.trained_parameters().items():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
