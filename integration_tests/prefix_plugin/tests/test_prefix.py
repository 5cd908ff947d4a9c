"""Prefix tuning by its formula: attention over more keys, worked out by hand."""

import pytest
import torch

import onlay
from onlay.errors import AnatomyError
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone
from onlay.testing.pyramid import tiny_pyramid


@pytest.fixture
def model() -> AdaptedModel:
    """One block of width 16 with two heads, and three rows."""
    torch.manual_seed(0)
    method = {"name": "my_prefix", "rows": 3}
    return onlay.adapt(tiny_backbone(depth=1), method, num_classes=2).eval()


def test_every_token_reads_the_rows_and_none_is_one(model: AdaptedModel) -> None:
    (rows,) = model.adapter.parameters()
    with torch.no_grad():
        rows.normal_()
    images = torch.randn(2, 3, 8, 12)
    found = model.backbone(images)
    with model.disabled() as bare:
        x = torch.cat([bare.cls_token.expand(2, -1, -1), bare.patches(images)], dim=1)
        (block,) = bare.blocks
        q, k, v = block.attn.qkv(block.norm1(x)).chunk(3, dim=-1)
        more_k, more_v = rows.expand(2, -1, -1).chunk(2, dim=-1)
        k, v = torch.cat([more_k, k], dim=1), torch.cat([more_v, v], dim=1)
        q, k, v = (z.unflatten(2, (2, 8)).transpose(1, 2) for z in (q, k, v))
        shares = (q @ k.transpose(-1, -2) / 8**0.5).softmax(dim=-1)
        x = x + block.attn.proj((shares @ v).transpose(1, 2).flatten(2))
        expected = bare.norm(x + block.mlp(block.norm2(x)))
    assert shares.shape == (2, 2, 7, 10)
    torch.testing.assert_close(found, expected)


def test_rows_are_two_thirds_of_what_makes_q_k_and_v(model: AdaptedModel) -> None:
    assert model.trainable_report().method == 3 * 2 * 16
    assert model.trainable_report().other == 0


def test_a_network_of_windows_is_refused_in_words() -> None:
    with pytest.raises(AnatomyError, match="`extension`"):
        onlay.adapt(tiny_pyramid(), "my_prefix", num_classes=2)
