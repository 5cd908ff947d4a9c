"""Backbones with and without fused q, k and v."""

from __future__ import annotations

import pytest

from onlay.testing import tiny_backbone


@pytest.fixture(params=[True, False], ids=["bias", "biasless"])
def either(request):
    return tiny_backbone(qkv_bias=request.param)
