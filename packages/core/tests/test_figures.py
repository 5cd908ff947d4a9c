"""What modules tell of a training, and the example of the documentation that tells it."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import onlay
from onlay import PluginHost
from onlay.errors import PluginError
from onlay.figures import Figures, united
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "gated_low_rank.py"


class Told(nn.Module):
    """The identity, with figures."""

    def __init__(self, figures: Figures) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(16))
        self.told, self.asked = figures, 0

    def forward(self, x):
        return x * self.scale

    def figures(self) -> Figures:
        self.asked += 1
        return self.told


def test_figures_of_several_modules_are_united():
    parts = [
        Figures({"a/one": 1.0}, "first", ("hot",)),
        Figures(),
        Figures({"a/two": 2.0, "b/one": 3.0}, "second", ("cold", "dry")),
    ]
    assert united(parts) == Figures(
        {"a/one": 1.0, "a/two": 2.0, "b/one": 3.0}, "first  second", ("hot", "cold", "dry")
    )
    assert united([]) == Figures({}, "", ())


def test_a_name_that_two_modules_give_is_an_error_of_the_method():
    with pytest.raises(AssertionError, match="two modules of an adapter give the figure `a/x`"):
        united([Figures({"a/x": 1.0, "a/y": 1.0}), Figures({"a/x": 1.0})])


def test_a_name_without_its_method_is_refused():
    with pytest.raises(ValueError, match="named `method/figure`, and `loss` has no `/`"):
        Figures({"a/x": 1.0, "loss": 2.0})


def test_a_shared_module_is_asked_once(built, adapt_with):
    shared, own = Told(Figures({"t/shared": 0.25}, "quarter")), Told(Figures({"t/own": 4.0}))

    def attach(place):
        for block in place.blocks:
            place.rewrite(block.site("mlp.in"), shared)
        place.rewrite(place.blocks[1].site("attn.in"), own)

    model = adapt_with(built, attach)
    assert model.figures() == Figures({"t/shared": 0.25, "t/own": 4.0}, "quarter")
    assert (shared.asked, own.asked) == (1, 1)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"t/x": 1.0}, "`Told.figures` gives a `dict` and not a `Figures`"),
        (Figures({"t/x": 1.0}), "two modules of an adapter give the figure `t/x`"),
    ],
)
def test_figures_that_nobody_can_add_up_are_a_sentence(built, adapt_with, told, sentence):
    def attach(place):
        for block in place.blocks:
            place.rewrite(block.site("mlp.in"), Told(told))

    with pytest.raises(PluginError, match=sentence):
        adapt_with(built, attach).figures()


def test_figures_that_fail_are_a_sentence_that_names_the_class(built, adapt_with, monkeypatch):
    monkeypatch.setattr(Told, "figures", lambda self: Figures({"loss": 1.0}))
    model = adapt_with(
        built, lambda place: place.rewrite(place.blocks[0].site("mlp.in"), Told(Figures()))
    )
    with pytest.raises(PluginError, match=r"`Told.* failed: ValueError: a figure is named"):
        model.figures()


def test_a_method_without_figures_has_none(built, adapt_with, pieces):
    model = adapt_with(
        built, lambda place: place.rewrite(place.blocks[0].site("mlp.in"), pieces["Matrix"](16))
    )
    assert model.figures() == Figures()


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[AdaptedModel]:
    """The example on two blocks; every gate is a constant: 3/4 in block 0, 1/128 in block 1."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    host = PluginHost.discover(files=[EXAMPLE])
    torch.manual_seed(0)
    method = {"name": "gated_low_rank", "penalty": 0.5}
    model = onlay.adapt(tiny_backbone(), method, num_classes=3, host=host)
    for index, share in enumerate((3 / 4, 1 / 128)):
        branch = model.adapter.get_submodule(f"blocks.{index}.mlp_out.branches.0")
        nn.init.zeros_(branch.gate.weight)
        nn.init.constant_(branch.gate.bias, math.log(share / (1 - share)))
    yield model
    sys.modules.pop("gated_low_rank", None)


@pytest.mark.parametrize("recomputed", [False, True])
def test_the_example_adds_its_loss_and_tells_its_gates(gated: AdaptedModel, recomputed: bool):
    gated.set_grad_checkpointing(recomputed)
    batch = gated.anatomy.example(3), torch.tensor([0, 1, 2])
    gated.train()
    for _ in range(2):
        output = gated(batch[0])
        loss = gated.loss_of(output, batch[1])
        # penalty / 2 x (3/4 + 1/128), whatever the inputs
        extra = (loss - gated.head.loss(output, batch[1])).item()
        assert extra == pytest.approx(0.5 * (3 / 4 + 1 / 128), abs=1e-6)
        branch = gated.adapter.get_submodule("blocks.0.mlp_out.branches.0")
        kept = branch.open
        loss.backward()
        assert branch.open is kept  # and not that of the repetition, with its activations
    assert branch.calls == 2
    # up is zero, so the penalty alone moves the gate: twice 0.5 s (1 - s)
    assert branch.gate.bias.grad.item() == pytest.approx(2 * 0.5 * 3 / 16, rel=1e-5)
    figures = gated.figures()
    assert figures.values == {
        "gated_low_rank/open/block_00": pytest.approx(3 / 4),
        "gated_low_rank/open/block_01": pytest.approx(1 / 128),
    }
    assert figures.warnings == ("the gate of block 1 is closed",)


def test_the_example_counts_from_when_training_mode_is_entered(gated: AdaptedModel):
    inputs, branch = gated.anatomy.example(2), gated.adapter.get_submodule("blocks.0.mlp_out")
    gated.train()(inputs)
    nn.init.zeros_(branch.branches[0].gate.bias)  # from 3/4 to 1/2
    gated(inputs)
    gated.eval()(inputs)  # is not training, and forgets nothing
    assert gated.figures().values["gated_low_rank/open/block_00"] == pytest.approx(5 / 8)
    gated.train()
    assert gated.figures() == Figures()
    gated(inputs)
    assert gated.figures().values["gated_low_rank/open/block_00"] == pytest.approx(1 / 2)


def test_the_example_can_be_copied_after_training(gated: AdaptedModel):
    batch = gated.anatomy.example(3), torch.tensor([0, 1, 2])
    gated.train().loss(batch).backward()
    twin = copy.deepcopy(gated.eval())
    assert torch.equal(twin(batch[0]), gated(batch[0]))
