"""The method in the documentation: a file that nobody packaged trains, saves, merges."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import onlay as library
from onlay import PluginHost
from onlay.testing import tiny_backbone

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "scale_and_shift.py"


@pytest.fixture
def model(monkeypatch):
    """Two blocks of width 16, adapted at two sites each, with weights that do something."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    host = PluginHost.discover(files=[EXAMPLE])
    model = library.adapt(tiny_backbone(), "scale_and_shift", num_classes=3, host=host)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.adapter.parameters():
            parameter += torch.randn_like(parameter) / 10
    yield model.eval()
    sys.modules.pop("scale_and_shift", None)


def test_it_trains_a_scale_and_a_shift_per_site(model):
    assert model.trainable_report().method == 2 * 2 * 2 * 16
    model.loss((model.anatomy.example(2), torch.tensor([0, 1]))).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.adapter.parameters())


def test_it_merges_without_a_line_of_its_own(model):
    inputs = model.anatomy.example(2)
    merged = model.merge()
    assert not list(merged.adapter.parameters())
    with torch.no_grad():
        torch.testing.assert_close(merged(inputs), model(inputs), rtol=1e-5, atol=1e-5)


def test_the_command_line_takes_the_file(onlay):
    shown = onlay("--plugin", str(EXAMPLE), "explain", "scale_and_shift")
    assert shown.exit_code == 0, shown.output
    assert "Where a block is adapted." in shown.stdout
    sys.modules.pop("scale_and_shift", None)
