"""The ladder by its formula, and what it leaves alone."""

import pytest
import torch
from torch import Tensor

import onlay
from onlay.errors import AnatomyError
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone
from onlay.testing.pyramid import tiny_pyramid
from onlay_example_ladder.adapter import Rung

METHOD = {"name": "my_ladder", "reduction": 4}


@pytest.fixture
def model() -> AdaptedModel:
    """Two blocks of width 16, a ladder of width 4, with weights that do something."""
    torch.manual_seed(0)
    model = onlay.adapt(tiny_backbone(), METHOD, num_classes=3)
    with torch.no_grad():
        for parameter in model.adapter.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model.eval()


def test_a_rung_mixes_by_its_gate_and_lets_tokens_meet() -> None:
    rung, (x, h) = Rung(4, 2), (torch.randn(1, 3, 4), torch.randn(1, 3, 2))
    with torch.no_grad():
        rung.gate.fill_(-1.0986)  # sigmoid: a quarter
        rung.proj.weight.zero_(), rung.proj.bias.zero_()
        rung.mlp[2].weight.zero_(), rung.mlp[2].bias.zero_()
    torch.testing.assert_close(rung(x, h), rung.down(x) / 4 + 3 * h / 4, rtol=0, atol=1e-4)
    other = Rung(4, 2)
    moved = x + torch.tensor([0.0, 0.0, 1.0])[:, None]
    assert not torch.equal(other(x, h)[:, 0], other(moved, h)[:, 0])


def test_it_reads_every_block_and_is_added_behind_the_last_norm(model: AdaptedModel) -> None:
    seen: list[Tensor] = []
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda module, given, out: seen.append(out))
    block = model.backbone.blocks[0]
    block.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    images = model.anatomy.example(2)
    found = model.backbone(images)
    with model.disabled() as bare:
        expected = bare(images)
    first, *outputs = seen[:3]
    rungs = [m for m in model.adapter.modules() if isinstance(m, Rung)]
    down = model.adapter.get_submodule("tokens_in.carriers.0")
    up = model.adapter.get_submodule("norm_out.branches.0")
    h = down(first)
    for rung, out in zip(rungs, outputs, strict=True):
        h = rung(out, h)
    torch.testing.assert_close(found, expected + up(h))


def test_nothing_of_the_backbone_is_in_the_graph(model: AdaptedModel) -> None:
    seen: list[bool] = []
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda module, given, out: seen.append(out.requires_grad))
    model.train().loss((model.anatomy.example(2), torch.tensor([0, 1]))).backward()
    assert seen == [False, False]
    assert all(p.grad is not None for p in model.adapter.parameters())


def test_its_size_is_that_of_its_layers(model: AdaptedModel) -> None:
    # down 17 * 4; a rung: down 68, gate 1, norms 16, qkv 60, proj 20, mlp 40 + 36; up 5 * 16
    assert model.trainable_report().method == 68 + 2 * (68 + 1 + 16 + 60 + 20 + 76) + 80


def test_what_it_cannot_climb_is_refused_in_words() -> None:
    with pytest.raises(AnatomyError, match="one width and one number of tokens"):
        onlay.adapt(tiny_pyramid(), METHOD, num_classes=3)
    with pytest.raises(AnatomyError, match="`reduction` 3 does not divide the width 16"):
        onlay.adapt(tiny_backbone(), METHOD | {"reduction": 3}, num_classes=3)
