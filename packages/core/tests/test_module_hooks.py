"""`views`, `loss`, `prepare`, `after_step` of a method's modules, and `forward_loss` of a head."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import BuiltBackbone
from onlay.batches import rows
from onlay.errors import AnatomyError
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import check_levels
from onlay.model.losses import check_losses
from onlay.model.unread import rest_unread
from onlay.testing.ranks import in_two_processes

Adapt = Callable[..., AdaptedModel]
TARGETS = torch.tensor([0, 2])


class TwoViews(nn.Module):
    """A second view of half the brightness must look like the first one."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.register_buffer("heard", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale

    def views(self, inputs: Tensor) -> Tensor:
        return torch.cat([inputs, inputs / 2])

    def loss(self, output: Tensor, targets: Tensor, head: Any) -> Tensor:
        first, second = output.chunk(2)
        return head.loss(first, targets) + (first - second).square().mean()

    def auxiliary_loss(self) -> Tensor:
        return self.scale.sum()  # 16 at the start

    def prepare(self, splits: Any) -> None:
        self.heard += splits

    def after_step(self, step: int, total: int) -> None:
        self.heard += torch.tensor([step, total])
        self.scale.mul_(2)  # without `no_grad` of its own


def placed(built: BuiltBackbone, adapt_with: Adapt, *modules: nn.Module) -> AdaptedModel:
    block = built.anatomy.blocks[0]
    return adapt_with(
        built, lambda place: [place.rewrite(block.site("mlp.in"), each) for each in modules]
    )


@pytest.fixture
def model(built: BuiltBackbone, adapt_with: Adapt) -> AdaptedModel:
    return placed(built, adapt_with, TwoViews())


def test_the_loss_of_two_views_by_hand(model: AdaptedModel, images: Tensor) -> None:
    logits, halved = model.eval()(images), model(images / 2)
    own = F.cross_entropy(logits, TARGETS)
    expected = own + (logits - halved).square().mean() + 16
    model.train()  # no dropout anywhere
    assert model(images, TARGETS).item() == pytest.approx(expected.item(), abs=1e-5)
    assert torch.equal(model.loss((images, TARGETS)), model(images, TARGETS))
    # the share is the task's part alone
    halves = model(images, TARGETS, share=0.5).item()
    assert halves == pytest.approx(16 + (expected.item() - 16) / 2, abs=1e-5)


def test_evaluation_has_one_view_and_the_task_s_loss(model: AdaptedModel, images: Tensor) -> None:
    logits = model.eval()(images)
    expected = F.cross_entropy(logits, TARGETS).item() + 16
    assert model(images, TARGETS).item() == pytest.approx(expected, abs=1e-5)
    assert model.loss_of(logits, TARGETS).item() == pytest.approx(expected, abs=1e-5)


def test_an_output_of_one_view_is_no_answer_in_training(
    model: AdaptedModel, images: Tensor
) -> None:
    output = model.train()(images)
    with pytest.raises(AnatomyError, match=r"several views.*call `model\(inputs, targets\)`"):
        model.loss_of(output, TARGETS)


def test_two_views_are_one_pass_under_ddp(
    built: BuiltBackbone, adapt_with: Adapt, images: Tensor
) -> None:
    model = placed(built, adapt_with, TwoViews())
    (ranks,) = in_two_processes({"it": (model, (images, TARGETS))}).values()
    for image, target in zip(images, TARGETS, strict=True):
        (model(image[None], target[None]) / 2).backward()
    for name, parameter in model.trained_parameters().items():
        for rank in ranks:
            assert torch.allclose(rank[name], parameter.grad, atol=1e-5), name


def test_modules_hear_of_data_and_of_steps(model: AdaptedModel) -> None:
    module = next(m for m in model.adapter.modules() if isinstance(m, TwoViews))
    model.head.prepare = lambda splits: None
    model.prepare(10)
    model.after_step(3, 40)
    assert module.heard.tolist() == [13, 50]
    assert module.scale.tolist() == [2] * 16
    assert "adapter.blocks.0.mlp_in.rewrites.0.heard" in model.trained_state()


def test_losses_that_nobody_could_add_up(built: BuiltBackbone, adapt_with: Adapt) -> None:
    twice = placed(built, adapt_with, TwoViews(), TwoViews())
    with pytest.raises(AnatomyError, match=r"^2 modules of `m` bring `loss`, and a batch has only"):
        check_losses(twice.adapter, "m")
    twice.detach()
    lacking = TwoViews()
    lacking.loss = None
    alone = placed(built, adapt_with, lacking)
    with pytest.raises(AnatomyError, match=r"brings `views` and none brings `loss\(output"):
        check_losses(alone.adapter, "m")


class Detector(nn.Module):
    """Its loss needs features and targets at once, and there is none of an output alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 1)

    def forward(self, features: Any) -> Tensor:
        return self.fc(features.patches).squeeze(-1)

    def forward_loss(self, features: Any, targets: Tensor) -> Tensor:
        found = self.fc(features.patches).squeeze(-1)  # (B, N)
        return (found[range(len(targets)), targets] - 1).square().mean()


def test_a_head_that_needs_features_and_targets(
    built: BuiltBackbone, adapt_with: Adapt, images: Tensor
) -> None:
    model = adapt_with(built, lambda place: None)
    model.head = Detector()
    output = model(images)
    expected = ((output[0, 0] - 1) ** 2 + (output[1, 2] - 1) ** 2) / 2
    assert model.loss((images, TARGETS)).item() == pytest.approx(expected.item(), abs=1e-6)
    with pytest.raises(AnatomyError, match="`forward_loss` needs features and targets at once"):
        model.loss_of(output, TARGETS)


def test_two_views_where_the_loss_is_of_features(
    built: BuiltBackbone, adapt_with: Adapt, images: Tensor
) -> None:
    """A method's `loss` is given features, which are cut as outputs are."""
    views = TwoViews()
    views.loss = lambda output, targets, head: 3 * head.loss(rows(output, slice(2, 4)), targets)
    model = placed(built, adapt_with, views)
    model.head = Detector()
    halved = model.eval()(images / 2)
    expected = 3 * ((halved[0, 0] - 1) ** 2 + (halved[1, 2] - 1) ** 2) / 2 + 16
    assert model.train().loss((images, TARGETS)).item() == pytest.approx(expected.item(), abs=1e-5)


class Maps(nn.Module):
    """A head that reads what the last block gives, before the last norm."""

    levels = (1,)

    def forward(self, features: Any) -> Tensor:
        return features.levels[0].sum()


def test_what_acts_behind_the_last_norm_rests_where_blocks_are_read(
    built: BuiltBackbone, adapt_with: Adapt
) -> None:
    def attach(place: Any) -> None:
        place.rewrite(place.blocks[0].site("mlp.in"), TwoViews())
        place.rewrite(place.site("norm.out"), TwoViews())

    model = adapt_with(built, attach)
    rest_unread(model)
    assert len([n for n in model.trained_parameters() if n.endswith("scale")]) == 2
    model.head = Maps()
    rest_unread(model)
    assert [*model.trained_parameters()] == ["adapter.blocks.0.mlp_in.rewrites.0.scale"]


def test_a_network_beside_the_backbone_is_not_seen_where_blocks_are_read(
    built: BuiltBackbone, adapt_with: Adapt
) -> None:
    def attach(place: Any) -> None:
        place.branch(place.blocks[0].site("block.out"), place.site("norm.out"), nn.Linear(16, 16))

    model, method = adapt_with(built, attach), SimpleNamespace(name="side")
    check_levels(model, method)
    model.head = Maps()
    with pytest.raises(AnatomyError, match=r"^`side` is a network beside the backbone"):
        check_levels(model, method)
