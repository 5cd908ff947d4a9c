"""Batch norm over rows of points: `nn.BatchNorm1d`, with sums that do not drift."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from onlay_pointcloud.network.mini_pointnet import MiniPointNet
from onlay_pointcloud.network.row_norm import RowNorm
from onlay_pointcloud.tasks.decoder import Classifier, Propagation


def pair(channels: int = 5, **settings: float | None) -> tuple[RowNorm, nn.BatchNorm1d]:
    """Both kinds, with the same tensors."""
    torch.manual_seed(0)
    ours, torchs = RowNorm(channels, **settings), nn.BatchNorm1d(channels, **settings)
    nn.init.uniform_(ours.weight, 0.5, 1.5)
    nn.init.normal_(ours.bias)
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


def far_from_zero(rows: int, channels: int) -> Tensor:
    """Deviation 0.3 around means of about 2, as first layers give them."""
    g = torch.Generator().manual_seed(1)
    spread = 0.3 * torch.randn(rows, channels, generator=g)
    return spread + 2 * torch.randn(channels, generator=g)


def test_many_rows_are_as_exact_as_few() -> None:
    """Rows added one after the other leave 1.5e-4 here."""
    norm, _ = pair(64)
    x = far_from_zero(65_536, 64)
    exact = copy.deepcopy(norm).double()
    expected = exact(x.double())
    assert (norm(x).double() - expected).abs().max() < 1e-5
    assert (norm.running_mean.double() - exact.running_mean).abs().max() < 1e-6
    assert (norm.running_var.double() - exact.running_var).abs().max() < 1e-6


def test_gradients_over_many_rows_are_exact() -> None:
    norm, _ = pair(32)
    x = far_from_zero(65_536, 32).requires_grad_()
    wide, exact = x.detach().double().requires_grad_(), copy.deepcopy(norm).double()
    upward = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    norm(x).backward(upward)
    exact(wide).backward(upward.double())
    pairs = [(x, wide), (norm.weight, exact.weight), (norm.bias, exact.bias)]
    for ours, expected in pairs:
        size = expected.grad.abs().max()
        assert (ours.grad.double() - expected.grad).abs().max() < 5e-6 * size


def test_the_group_encoder_is_as_exact_as_the_authors_layout() -> None:
    """Against float64, beside convolutions and batch norms over (M, C, K)."""
    torch.manual_seed(0)
    encoder, patches = MiniPointNet(48, (32, 64, 96)).train(), 0.2 * torch.randn(16, 64, 32, 3)

    def as_the_authors(net: MiniPointNet, x: Tensor) -> Tensor:
        x = _channels(net.first_conv, x.flatten(0, 1).transpose(1, 2).contiguous())
        x = torch.cat([x.amax(2, keepdim=True).expand_as(x), x], dim=1)
        return _channels(net.second_conv, x).amax(2).view(16, 64, -1)

    with torch.no_grad():
        exact = as_the_authors(copy.deepcopy(encoder).double(), patches.double())
        theirs = (as_the_authors(encoder, patches) - exact).abs().max()
        assert (encoder(patches) - exact).abs().max() < 3 * theirs


def _channels(layers: nn.Sequential, x_MCK: Tensor) -> Tensor:
    enter, norm, act, leave = layers
    return leave(act(nn.BatchNorm1d.forward(norm, enter(x_MCK))))


@pytest.mark.parametrize("momentum", [0.1, None])
def test_statistics_move_as_torchs_do(momentum: float | None) -> None:
    ours, torchs = pair(momentum=momentum)
    for batch in torch.randn(3, 70, 5).unbind():
        torch.testing.assert_close(ours(batch), torchs(batch))
    for name, tensor in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor)
    x = torch.randn(4, 5)
    ours.load_state_dict(torchs.state_dict())
    assert torch.equal(ours.eval()(x), torchs.eval()(x))
    with pytest.raises(ValueError, match="more than 1 value"):
        ours.train()(x[:1])


def test_its_gradient_is_that_of_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onlay_pointcloud.network.row_norm.PIECE", 10)  # two rows, and one left
    norm, _ = pair()
    norm.double()
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype: torch.dtype) -> None:
    """A sum of 4,096 rows of 40 is no number of float16."""
    norm, torchs = pair()
    x = (40 + torch.randn(4096, 5)).to(dtype)
    y = norm.to(dtype)(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), torchs(x.float()), atol=0.05, rtol=0.02)


def test_whatever_normalises_rows_of_points_is_one() -> None:
    for network in (MiniPointNet(), Propagation(3, 4), Classifier(8, 2, 0.5)):
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
        assert len(norms) == 2
        assert all(type(norm) is RowNorm for norm in norms)
