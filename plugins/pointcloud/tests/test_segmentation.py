"""None"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from part_labels import CATEGORIES, LABELS, Small, splits
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Placement
from onlay.anatomy.attachments import Attachments
from onlay.errors import AnatomyError, ConfigError, DataError
from onlay.features import Features, centres_of
from onlay.host import PluginHost
from onlay_pointcloud.backbones.build import adopt, build
from onlay_pointcloud.backbones.config import PointMaeConfig
from onlay_pointcloud.network.point_mae import PointMae
from onlay_pointcloud.tasks.config import PartSegmentationConfig
from onlay_pointcloud.tasks.decoder import pooled_prompts
from onlay_pointcloud.tasks.levels import thirds
from onlay_pointcloud.tasks.segmentation import PartSegmentationHead
from onlay_pointcloud.tasks.segmentation import build as build_head


def head_of(model: PointMae, **settings: Any) -> PartSegmentationHead:
    anatomy = adopt(model).anatomy  # type: ignore[union-attr]
    torch.manual_seed(1)
    head = build_head(PartSegmentationConfig(**{"categories": 2} | settings), anatomy, LABELS)
    for module in head.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    head.prepare(splits(CATEGORIES if head.category else None))
    return head.eval()


def encoded(model: PointMae, clouds: Tensor, head: PartSegmentationHead, **given: Any) -> Features:
    return adopt(model).anatomy.encode(clouds, levels=head.levels, **given)  # type: ignore[union-attr]


@pytest.fixture
def told(clouds: Tensor) -> Tensor:
    """(2, 64, 4): a mug and a rocket."""
    return torch.cat([clouds, torch.tensor([0.0, 1.0])[:, None, None].expand(2, 64, 1)], dim=-1)


def test_the_full_model_counts_as_the_authors_does(host: PluginHost) -> None:
    """5,238,706 in the decoder and 27,063,730 in all, without class token."""
    built = build(PointMaeConfig(pretrained=False, npoints=2048, groups=128, class_token=False))
    head = build_head(PartSegmentationConfig(), built.anatomy, [str(i) for i in range(50)])
    assert head.levels == (3, 7, 11)
    assert sum(p.numel() for p in head.parameters()) == 5_238_706
    assert sum(p.numel() for p in [*head.parameters(), *built.module.parameters()]) == 27_063_730
    prompts = PartSegmentationConfig(global_features="prompts")
    other = build_head(prompts, built.anatomy, [str(i) for i in range(50)])
    assert sum(p.numel() for p in other.parameters()) == 5_238_706


def expected(model: PointMae, head: PartSegmentationHead, cloud: Tensor, category: int) -> Tensor:
    """Logits (N, C) of one cloud as the spec has them: features interpolated, joined with xyz and
    with the repeated whole, multiplied by the whole matrices."""
    s = head.state_dict()
    features = encoded(model, cloud[None], head)
    joined = torch.cat([level[0] for level in features.levels])  # (J, G)
    centres_BG3 = centres_of(features.layout)
    assert centres_BG3 is not None
    centres = centres_BG3[0]

    def layer(x: Tensor, linear: str, norm: str, slope: float = 0.0) -> Tensor:
        x = F.linear(x, s[f"{linear}.weight"], s.get(f"{linear}.bias"))
        parts = (s[f"{norm}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        return F.leaky_relu(F.batch_norm(x, *parts), slope)

    rows = []
    for point in cloud[:, :3]:
        squared = (centres - point).square().sum(-1)
        near = squared.argsort()[:3]
        weights = 1 / (squared[near] + 1e-8)
        rows.append((joined[:, near] * weights / weights.sum()).sum(-1))
    x = torch.cat([cloud[:, :3], torch.stack(rows)], dim=1)
    x = layer(x, "propagation.enter", "propagation.enter_norm")
    x = layer(x, "propagation.leave", "propagation.leave_norm")
    code = F.one_hot(torch.tensor([category]), 2).float()
    code = layer(code, "category.embed", "category.norm", 0.2)[0]
    whole = torch.cat([joined.amax(1), joined.mean(1), code])
    x = torch.cat([x, whole.expand(len(x), -1)], dim=1)
    x = layer(x, "classifier.join", "classifier.join_norm")
    x = layer(x, "classifier.hidden", "classifier.hidden_norm")
    return F.linear(x, s["classifier.fc.weight"], s["classifier.fc.bias"])


@torch.no_grad()
def test_the_decoder_computes_what_is_written_of_it(small: Small, told: Tensor) -> None:
    model = small(class_token=False)
    head = head_of(model)
    logits = head(encoded(model, told, head))
    assert logits.shape == (2, 64, 5)
    for cloud, own, category in zip(told, logits, (0, 1), strict=True):
        assert (own - expected(model, head, cloud, category)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("depth", "levels"),
    [(12, (3, 7, 11)), (24, (7, 15, 23)), (4, (1, 2, 3)), (2, (0, 1)), (1, (0,))],
)
def test_levels_are_the_last_blocks_of_each_third(depth: int, levels: tuple[int, ...]) -> None:
    assert thirds(depth) == levels


@torch.no_grad()
def test_the_category_matters_and_without_one_the_likeliest_is_taken(
    small: Small, told: Tensor
) -> None:
    model = small()
    head = head_of(model)
    other = told.clone()
    other[..., 3] = 1 - other[..., 3]
    as_told, as_other = (head(encoded(model, x, head)) for x in (told, other))
    assert (as_told - as_other).abs().max() > 1e-2
    untold = head(encoded(model, told[..., :3], head))
    either = torch.stack([as_told, as_other]) - untold
    assert either.abs().amax((2, 3)).amin(0).max() < 1e-5, "each cloud is of one of the categories"
    head.train()
    with pytest.raises(DataError, match=r"no fourth column"):
        head(encoded(model, told[..., :3], head))


@torch.no_grad()
def test_data_without_categories(small: Small, told: Tensor) -> None:
    """No code and no restriction: the fourth column is not read, all parts are candidates."""
    model = small()
    head = head_of(model, categories=0)
    logits = head(encoded(model, told[..., :3], head))
    assert torch.equal(head(encoded(model, told, head)), logits)
    assert [p.parts[0] for p in head.predict(logits)] == [
        LABELS[i] for i in logits[:, 0].argmax(-1)
    ]


def test_prompts_stand_in_for_the_groups_dealt_by_age(small: Small, clouds: Tensor) -> None:
    """Newest first, 5 to 1: the oldest level gets 1 and 2, then 3 and 4, then 5."""
    newest_first = torch.tensor([5.0, 4, 3, 2, 1]).view(1, 5, 1)
    assert pooled_prompts(newest_first, 3).tolist() == [[2, 4, 5, 1.5, 3.5, 5]]
    model = small()
    head = head_of(model, categories=0, global_features="prompts")
    features = encoded(model, clouds, head)
    with pytest.raises(AnatomyError, match=r"at least 3 inserted tokens, .* the method inserts 0"):
        head(features)


class Summary(nn.Module):
    """A prompt from what enters the MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.mean(1, keepdim=True)


@pytest.mark.parametrize("class_token", [True, False])
def test_inserted_prompts_reach_the_decoder(small: Small, told: Tensor, class_token: bool) -> None:
    """Every adapter tensor gets a gradient, and groups are still the last tokens."""
    model = small(class_token=class_token)
    built = adopt(model)
    assert built is not None
    place = Placement(built.anatomy)
    for block in place.blocks:
        place.insert(block, Summary(block.width), source=block.site("mlp.in"))
    Attachments.of(model).add("default", place.adapter)
    head = head_of(model, global_features="prompts")
    features = built.anatomy.encode(told, inserted=3, levels=head.levels)
    assert [level.shape for level in features.levels] == [(2, 48, 16)] * 3
    head.loss(head(features), torch.zeros(2, 64, dtype=torch.int64)).backward()
    for name, parameter in place.adapter.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_loss_is_the_authors(small: Small) -> None:
    head = head_of(small())
    logits, targets = torch.randn(2, 7, 5), torch.randint(5, (2, 7))
    published = F.nll_loss(F.log_softmax(logits, -1).view(-1, 5), targets.view(-1))
    assert torch.equal(head.loss(logits, targets), published)


def test_parts_are_chosen_within_one_category(small: Small) -> None:
    """Mugs' parts have 0.64 and 0.6 of two points' probability, though the second point's single
    likeliest part is a rocket's."""
    head = head_of(small())
    chances = torch.tensor([[0.50, 0.14, 0.12, 0.12, 0.12], [0.32, 0.28, 0.40, 1e-6, 1e-6]])
    (answer,) = head.predict(chances.log()[None])
    assert answer.parts == ("Mug 0", "Mug 0")
    assert answer.shares == {"Mug 0": 1.0}
    rocket = torch.tensor(
        [[0.1, 0.1, 0.1, 0.1, 0.6], [0.3, 0.1, 0.1, 0.4, 0.1], [0, 0, 0, 0.9, 0.1]]
    )
    (answer,) = head.predict(rocket.log()[None])
    assert answer.parts == ("Rocket 2", "Rocket 1", "Rocket 1")
    assert list(answer.shares.items()) == [("Rocket 1", 2 / 3), ("Rocket 2", 1 / 3)]


def test_mistakes_are_one_sentence(small: Small) -> None:
    model = small()
    with pytest.raises(ConfigError, match=r"asks for block 3, and the backbone has 0 to 2"):
        head_of(model, levels=(1, 3))
    with pytest.raises(ValueError, match=r"from low to high"):
        PartSegmentationConfig(levels=(2, 1))
    head = head_of(model)
    with pytest.raises(ConfigError, match=r"is 2 and the data has no categories.*categories=0"):
        head.prepare(splits(None))
    with pytest.raises(ConfigError, match=r"is 2 and the data has 1 categories"):
        head.prepare(splits({"Mug": [0, 1]}))
    with pytest.raises(DataError, match=r"part `Rocket 2` is of no category"):
        head.prepare(splits({"Mug": [0, 1], "Rocket": [2, 3]}))
    pytest.importorskip("torchmetrics")
    fresh = build_head(head.config, adopt(model).anatomy, LABELS)  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match=r"call `model.prepare\(splits\)`"):
        fresh.metrics()
