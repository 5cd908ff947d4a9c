"""LoRA by its formula: what it adds, how it starts, what it merges into."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import onlay
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone
from onlay_example_lora import adapter


@pytest.fixture
def model() -> AdaptedModel:
    """Two blocks of width 16, rank 2, alpha 6: the update is multiplied by 3."""
    torch.manual_seed(0)
    lora = {"name": "my_lora", "rank": 2, "alpha": 6}
    return onlay.adapt(tiny_backbone(), lora, num_classes=3)


def train(model: AdaptedModel, steps: int) -> None:
    batch = (model.anatomy.example(3), torch.tensor([0, 1, 2]))
    optimizer = torch.optim.SGD(model.trained_parameters().values(), lr=1.0)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()


def test_the_method_is_at_most_forty_lines() -> None:
    assert len(Path(adapter.__file__).read_text().splitlines()) <= 40


def test_it_adds_rank_times_inputs_and_outputs_to_every_block(model: AdaptedModel) -> None:
    assert model.trainable_report().method == 2 * 2 * (16 + 48)


def test_it_starts_as_the_frozen_backbone(model: AdaptedModel) -> None:
    inputs = model.anatomy.example(2)
    adapted = model.anatomy.encode(inputs).patches
    with model.disabled():
        assert torch.equal(model.anatomy.encode(inputs).patches, adapted)


def test_the_first_step_moves_b_and_the_second_moves_a(model: AdaptedModel) -> None:
    start = {name: p.detach().clone() for name, p in model.adapter.named_parameters()}
    train(model, steps=1)
    moved = {n for n, p in model.adapter.named_parameters() if not torch.equal(p, start[n])}
    assert moved == {name for name in start if name.endswith(".up")}
    train(model, steps=1)
    assert all(not torch.equal(p, start[n]) for n, p in model.adapter.named_parameters())


def test_merging_writes_w_plus_three_times_b_a(model: AdaptedModel) -> None:
    train(model, steps=3)
    before = {name: t.clone() for name, t in model.backbone.state_dict().items()}
    merged = model.eval().merge()
    branch = model.adapter.get_submodule("blocks.1.qkv_out.branches.0")
    expected = before["blocks.1.attn.qkv.weight"] + 3 * branch.up @ branch.down
    torch.testing.assert_close(merged.backbone.blocks[1].attn.qkv.weight, expected)
    assert not list(merged.adapter.parameters())
    assert merged.merge_change < 1e-5
    assert all(torch.equal(t, before[n]) for n, t in model.backbone.state_dict().items())


def test_it_is_saved_and_loaded(model: AdaptedModel, tmp_path: Path) -> None:
    train(model, steps=2)
    folder = model.eval().save_pretrained(tmp_path / "bundle")
    again = onlay.load(folder, backbone=tiny_backbone())
    inputs = model.anatomy.example(2)
    assert torch.equal(again(inputs), model(inputs))
