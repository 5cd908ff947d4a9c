"""A bundle of a small model."""

from __future__ import annotations

import pytest
import torch

import onlay
from onlay.host import PluginHost
from onlay.testing import tiny_backbone


@pytest.fixture(scope="module")
def host():
    return PluginHost.discover()


@pytest.fixture
def model(host):
    torch.manual_seed(0)
    model = onlay.adapt(tiny_backbone(), "bitfit", labels=["cat", "dog", "eel"], host=host).eval()
    with torch.no_grad():
        for parameter in model.trained_parameters().values():
            parameter.add_(0.1)
    return model


@pytest.fixture
def bundle(model, tmp_path):
    record = {"metrics": {"test.top1": 0.875}, "dataset": "pets", "split": "5e1f", "seed": 0}
    return model.save_pretrained(tmp_path / "bundle", record=record)
