"""What DAPT tells of its training: how many tokens its adapters reach."""

from __future__ import annotations

import pytest
import torch

from onlay.figures import Figures
from onlay_dapt.token_scale import TokenScale


def test_the_share_of_tokens_that_get_anything():
    scale = TokenScale(3)
    assert scale.figures() == Figures()
    scale(torch.tensor([[[1.0], [-1.0], [0.0], [2.0]]]))  # two of four
    scale(torch.tensor([[[1.0], [1.0], [1.0], [1.0]]]))  # all
    found = scale.figures()
    assert found.values == {"dapt/reached/block_03": pytest.approx(0.75)}
    assert found.warnings == ()


def test_evaluation_and_a_new_epoch_do_not_count():
    scale = TokenScale(0)
    scale(torch.ones(1, 2, 1))
    scale.eval()(-torch.ones(1, 2, 1))
    assert scale.figures().values == {"dapt/reached/block_00": 1.0}
    assert scale.train().figures() == Figures()


def test_a_closed_block_is_a_warning():
    scale = TokenScale(7)
    scale(-torch.ones(2, 5, 1))
    (warning,) = scale.figures().warnings
    assert warning.startswith("the adapter of block 7 reaches 0.0 % of the tokens")


def test_every_block_of_a_model_tells(host, vit):
    import onlay

    model = onlay.adapt(vit(), {"name": "dapt", "rank": 2}, num_classes=3, host=host).train()
    model(model.anatomy.example(2))
    assert set(model.figures().values) == {"dapt/reached/block_00", "dapt/reached/block_01"}
