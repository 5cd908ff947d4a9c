"""None"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import onlay
from onlay import PluginHost
from onlay.errors import AnatomyError
from onlay.features import Grid
from onlay.inspecting import Observation, Signal, titles
from onlay.pages.changes import CHANGE, changes
from onlay.pages.observing import observe
from onlay.testing import tiny_backbone

CHOICES = [[0, 0, 1], [3, 1, 2], [2, 2, 2], [1, 4, 5]]


def signal(values: list[list[int]], categories: int | None = 8, tokens: int = 0) -> Signal:
    grid = Grid(1, tokens or len(values))
    return Signal("expert", 3, torch.tensor(values).float(), categories, grid, "mlp.out")


def test_every_block_is_recorded_where_a_module_is_shared_too(seen: Observation) -> None:
    places = [(s.name, s.block, s.site, s.categories) for s in seen.signals if s.name != CHANGE]
    assert places == [
        (name, block, "mlp.out", categories)
        for block in (0, 1)
        for name, categories in (("expert", 8), ("strength", None))
    ]


def test_patches_are_the_last_tokens_behind_class_token_and_prompts(seen: Observation) -> None:
    experts = [s for s in seen.signals if s.name == "expert"]
    assert [tuple(s.values_TK.shape) for s in experts] == [(5, 3), (6, 3)]
    assert all(s.patches_NK.tolist() == CHOICES for s in experts)
    assert experts[1].values_TK[:2].tolist() == [[7, 7, 7], [7, 7, 7]]


def test_one_number_a_token_is_one_part(seen: Observation) -> None:
    assert seen.signals[3].patches_NK.tolist() == [[0.0], [0.5], [0.0], [1.0]]


def test_a_change_is_relative_to_the_bare_token_and_skips_what_was_put_in() -> None:
    bare = {0: torch.tensor([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])}
    adapted = {0: torch.tensor([[9.0, 9.0], [3.0, 4.0], [1.0, 2.0], [0.0, 0.0]])}
    ((block, change_T),) = changes(adapted, bare)
    assert (block, change_T.tolist()) == (0, [0.0, 0.5, 0.0])


def test_every_method_has_the_change_after_each_block() -> None:
    """2 is added to every feature of what the last block's MLP gives."""
    model = onlay.adapt(tiny_backbone(), "bitfit", labels=["a", "b"])
    image = torch.randn(1, 3, 8, 8)
    first = observe(model, Path("x"), image)
    assert [(s.name, s.block, s.categories) for s in first.signals] == [
        (CHANGE, 0, None), (CHANGE, 1, None),
    ]  # fmt: skip
    assert not any(signal.values_TK.any() for signal in first.signals)
    bias = model.trained_parameters()["adapter.thawed.blocks.1.mlp.fc2.bias"]
    with torch.no_grad():
        bias += 2.0
    early, late = observe(model, Path("x"), image).signals
    assert not early.values_TK.any()
    kept: list[torch.Tensor] = []
    last = model.anatomy.blocks[-1].module
    handle = last.register_forward_hook(lambda module, args, output: kept.append(output[0]))
    with model.disabled(), torch.no_grad():
        model.anatomy.encode(image)
    handle.remove()
    size_T = kept[0].norm(dim=-1)
    expected = 2.0 * kept[0].shape[-1] ** 0.5 / size_T
    torch.testing.assert_close(late.values_TK[:, 0], expected)
    assert not any(block.module._forward_hooks for block in model.anatomy.blocks)


def test_the_page_is_told_of_the_model(model: onlay.AdaptedModel) -> None:
    seen = observe(model, Path("x.dots"), torch.zeros(1, 3, 8, 8), {"run": "runs/x"})
    count = sum(p.numel() for p in model.trained_parameters().values())
    assert list(seen.about.items()) == [
        ("method", f"choosy, {count:,} trained parameters"),
        ("backbone", model.built.label),
        ("run", "runs/x"),
    ]


def test_nothing_is_recorded_later(model: onlay.AdaptedModel, seen: Observation) -> None:
    assert not any(m._forward_hooks for m in model.adapter.modules() if hasattr(m, "shown"))


def test_most_parts_decide_and_the_lowest_of_equals() -> None:
    most_N, agreement_N = signal(CHOICES).summary()
    assert most_N.tolist() == [0, 1, 2, 1]
    torch.testing.assert_close(agreement_N, torch.tensor([2.0, 1.0, 3.0, 1.0]) / 3)


def test_numbers_are_summed_up_by_their_mean() -> None:
    mean_N, agreement_N = signal([[1, 2, 6], [0, 0, 3]], categories=None).summary()
    assert (mean_N.tolist(), agreement_N.tolist()) == ([3, 1], [1, 1])


def test_usage_counts_every_part_of_the_patches() -> None:
    usage = 12 * signal(CHOICES).usage()
    torch.testing.assert_close(usage, torch.tensor([2.0, 3, 4, 1, 1, 1, 0, 0]))


def test_a_module_with_too_few_values_is_refused() -> None:
    with pytest.raises(AnatomyError, match="`expert` of block 3 has 4 values for 9 patches"):
        _ = signal(CHOICES, tokens=9).patches_NK


def test_blocks_with_two_signals_of_a_name_say_the_site() -> None:
    first = signal(CHOICES)
    other = Signal("expert", 3, first.values_TK, 8, first.layout, "attn.out")
    later = Signal("expert", 4, first.values_TK, 8, first.layout, "mlp.out")
    assert titles([other, first, later]) == ["block 3, attn.out", "block 3, mlp.out", "block 4"]


def test_a_picture_must_have_four_dimensions(
    host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onlay.adapt("dots", {"name": "choosy", "kernels": True}, labels=["a"], host=host)
    kernels = next(m for m in model.adapter.modules() if hasattr(m, "pictured"))
    monkeypatch.setattr(type(kernels), "forward", lambda self, x: x[:, 0])
    with pytest.raises(AnatomyError, match=r"`kernels` of block 0 has the shape \(1, 16\)"):
        observe(model, Path("x.dots"), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", ["strength", "kernels"])
def test_an_adapter_that_diverged_is_refused(
    name: str, host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onlay.adapt("dots", {"name": "choosy", "kernels": True}, labels=["a"], host=host)
    (kind,) = {
        type(module)
        for module in model.adapter.modules()
        if name in (getattr(module, "shown", ""), getattr(module, "pictured", ""))
    }
    made = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, x: made(self, x) * float("nan"))
    with pytest.raises(AnatomyError, match=f"`{name}` of block 0 is not a finite number"):
        observe(model, Path("x.dots"), torch.zeros(1, 3, 8, 8))


def test_pictures_are_recorded_beside_signals(host: PluginHost) -> None:
    method = {"name": "choosy", "kernels": True}
    model = onlay.adapt("dots", method, labels=["a", "b"], host=host)
    seen = observe(model, Path("x.dots"), torch.zeros(1, 3, 8, 8))
    places = [(p.name, p.block, p.site) for p in seen.pictures]
    assert places == [("kernels", 0, "mlp.out"), ("kernels", 1, "mlp.out")]
    assert [s.name for s in seen.signals] == ["expert", "strength"] * 2 + [CHANGE] * 2
    for picture in seen.pictures:
        unit = picture.values_nhw[0, 0, 0]
        assert unit != 0
        expected = unit * torch.arange(1.0, 7).view(2, 1, 3)
        torch.testing.assert_close(picture.values_nhw, expected)
    assert not any(m._forward_hooks for m in model.adapter.modules() if hasattr(m, "pictured"))
