"""What `onlay inspect` records of an adapter: kernels as pictures, and how much tokens change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay.features import Grid
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay_iconformer.shown import Change, Kernels


def handles(module: nn.Module, seen: list[Tensor]) -> Any:
    return module.register_forward_hook(lambda _, __, output: seen.append(output))


def test_change_by_hand() -> None:
    """(3, 4) added to (0, 10) is a half; nothing added, and something added to nothing."""
    change, seen = Change(), []
    added = torch.tensor([[[3.0, 4], [0, 0], [3, 4]]])
    x = torch.tensor([[[0.0, 10], [1, 1], [0, 0]]])
    handle = handles(change, seen)
    found = change(added, x)
    assert found.shape == (1, 3, 1)
    assert found[0, :2, 0].tolist() == [0.5, 0]
    assert found.isfinite().all()
    handle.remove()


def test_change_is_computed_only_while_somebody_looks(monkeypatch: Any) -> None:
    change, added, x = Change(), torch.randn(1, 2, 3), torch.randn(1, 2, 3)
    asked: list[Tensor] = []
    norm = Tensor.norm

    def counted(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        asked.append(tensor)
        return norm(tensor, *args, **kwargs)

    monkeypatch.setattr(Tensor, "norm", counted)
    change(added, x)
    assert not asked
    handle = handles(change, [])
    change(added, x)
    assert len(asked) == 2
    handle.remove()
    change(added, x)
    assert len(asked) == 2


def test_an_adapter_gives_the_same_while_it_is_looked_at(alone: Any) -> None:
    adapter, x = alone(Grid(2, 3, prefix=1)), torch.randn(2, 7, 5).double()
    plain, kernels, changes = adapter(x), [], []
    hooks = [handles(adapter.kernels, kernels), handles(adapter.change, changes)]
    assert torch.equal(adapter(x), plain)
    assert kernels[0].shape == (2, 4, 3, 3)
    expected = plain.square().sum(-1).sqrt() / x.square().sum(-1).sqrt()
    torch.testing.assert_close(changes[0].squeeze(-1), expected)
    for hook in hooks:
        hook.remove()


def test_kernels_are_pictures() -> None:
    """Row by row of a map's; of a cloud's one row, also where the taps make a square."""
    assert Kernels.pictured == "kernels"
    taps = torch.arange(18.0).view(1, 2, 9)
    found = Kernels()(taps, (5, 7))
    assert found[0, 1].tolist() == [[9, 10, 11], [12, 13, 14], [15, 16, 17]]
    assert Kernels()(taps, None).shape == (1, 2, 1, 9)
    assert Kernels()(taps[..., :5], None).shape == (1, 2, 1, 5)
    assert Kernels()(torch.zeros(3, 4, 25), (5, 7)).shape == (3, 4, 5, 5)


def test_what_is_recorded_of_an_image(
    vit: Any, adapt: Any, adapters: Any, images: Tensor, randomize: Any
) -> None:
    """For each block four kernels of three by three, and a number for each token."""
    model = randomize(adapt(vit()))
    seen = observe(model, Path("picture.png"), images[:1])
    assert [(s.name, s.block) for s in seen.signals] == [
        (name, block) for name in (Change.shown, CHANGE) for block in (0, 1)
    ]
    assert all(s.values_TK.shape == (7, 1) for s in seen.signals)
    assert all(s.categories is None and (s.values_TK > 0).all() for s in seen.signals)
    assert [(p.name, p.block) for p in seen.pictures] == [("kernels", 0), ("kernels", 1)]
    other = observe(model, Path("other.png"), images[1:])
    for one, two in zip(seen.pictures, other.pictures, strict=True):
        assert one.values_nhw.shape == (4, 3, 3)
        assert not torch.isclose(one.values_nhw, two.values_nhw).all()
    assert not any(a.change._forward_hooks or a.kernels._forward_hooks for a in adapters(model))


@pytest.mark.parametrize("kind", ["PointMae", "ReCon"])
def test_what_is_recorded_of_a_cloud(
    kind: str, points: Any, adapt: Any, clouds: Tensor, randomize: Any
) -> None:
    model = randomize(adapt(points(kind), neighbours=5))
    seen = observe(model, Path("cloud.npy"), clouds[:1])
    assert [tuple(p.values_nhw.shape) for p in seen.pictures] == [(4, 1, 5), (4, 1, 5)]
    assert [tuple(s.patches_NK.shape) for s in seen.signals] == [(16, 1)] * 4


def test_what_is_recorded_of_swin(timm_model: Any, adapt: Any, randomize: Any) -> None:
    """On maps of 8 x 8 and 4 x 4."""
    net = timm_model("swin_tiny_patch4_window7_224")
    for placement in ("parallel_ffn", "after_attn"):
        model = randomize(adapt(net, placement=placement))
        seen = observe(model, Path("picture.png"), torch.randn(1, 3, 32, 32))
        assert [s.patches_NK.shape[0] for s in seen.signals] == [64, 16, 16] * 2
        assert all(p.values_nhw.shape == (4, 3, 3) for p in seen.pictures)
        model.detach()
