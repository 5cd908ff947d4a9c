"""How many tensors the networks have, their levels, statistics and tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import onlay
from onlay.anatomy import Placement
from onlay.anatomy.attachments import Attachments
from onlay.bundle.reading import read_manifest, read_tensors
from onlay.host import PluginHost
from onlay.tasks.classification import ClassificationHead
from onlay.tasks.config import ClassificationConfig
from onlay_pointcloud.backbones.build import adopt, build
from onlay_pointcloud.backbones.config import (
    PointBertConfig,
    PointMaeConfig,
    PublishedBackbone,
    ReConAsMaeConfig,
    ReConConfig,
)
from onlay_pointcloud.network.point_mae import PointMae

MAE_HEAD = {"hidden": (256, 256), "hidden_norm": "batch", "dropout": 0.5}
BERT_HEAD = {"hidden": (256,), "dropout": 0.5}

Shapes = Callable[[str], dict[str, tuple[int, ...]]]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def published(config: type[PublishedBackbone]) -> Any:
    return build(config(pretrained=False, npoints=2048, groups=128))  # type: ignore[call-arg]


def head_for(built: Any, layers: dict[str, Any], classes: int) -> ClassificationHead:
    config = ClassificationConfig(**layers)
    return ClassificationHead(config, built.anatomy.pooled_width, [str(i) for i in range(classes)])


@pytest.mark.parametrize(
    ("config", "listing", "layers", "counts"),
    [
        (PointMaeConfig, "mae_ft", MAE_HEAD, {15: 22_093_327, 40: 22_099_752}),
        (PointBertConfig, "bert_ft", BERT_HEAD, {15: 22_059_535}),
        (ReConConfig, "recon_ft", MAE_HEAD, {15: 43_571_215, 40: 43_577_640}),
    ],
)
def test_published_networks_have_the_tensors_of_their_authors(
    config: type[PublishedBackbone],
    listing: str,
    layers: dict[str, Any],
    counts: dict[int, int],
    listed: Shapes,
) -> None:
    """Names and shapes of the backbone; shapes, in order, of the head; parameters of both."""
    built = published(config)
    theirs = listed(listing)
    head_names = [name for name in theirs if name.startswith("cls_head_finetune.")]
    classes = theirs[head_names[-1]][0]
    own = {name: tuple(t.shape) for name, t in built.module.state_dict().items()}
    assert own == {name: shape for name, shape in theirs.items() if name not in head_names}
    ours = [tuple(t.shape) for t in head_for(built, layers, classes).state_dict().values()]
    assert ours == [theirs[name] for name in head_names]
    assert {n: size(built.module) + size(head_for(built, layers, n)) for n in counts} == counts


def test_parts_of_point_mae_count_as_measured() -> None:
    """The mini-PointNet, position embedding, one block, and the whole without a head, also where
    ReCon's weights are to go."""
    model = published(PointMaeConfig).module
    assert size(model.encoder) == 494_464
    assert size(model.pos_embed) == 50_048
    assert size(model.blocks.blocks[0]) == 1_773_312
    assert size(model) == size(published(ReConAsMaeConfig).module) == 21_825_792


@torch.no_grad()
def test_further_columns_are_not_the_encoders(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    model = small()
    wider = torch.cat([clouds, torch.full((2, 64, 1), 7.0)], dim=-1)
    assert torch.equal(model(wider), model(clouds))
    anatomy = adopt(model).anatomy  # type: ignore[union-attr]
    assert anatomy.encode(wider).inputs is wider


@torch.no_grad()
def test_levels_are_the_blocks_groups_after_the_last_norm(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    anatomy = adopt(small()).anatomy  # type: ignore[union-attr]
    features = anatomy.encode(clouds, levels=(0, 2))
    assert [level.shape for level in features.levels] == [(2, 48, 16)] * 2
    assert torch.equal(features.levels[1], features.patches.transpose(1, 2))
    assert not torch.equal(features.levels[0], features.levels[1])


@pytest.mark.parametrize("method", ["linear", "full"])
@pytest.mark.parametrize("freeze_bn", [True, False])
def test_statistics_drift_in_copies_or_not_at_all(
    small: Callable[..., PointMae], clouds: Tensor, host: PluginHost, method: str, freeze_bn: bool
) -> None:
    """A frozen backbone keeps its statistics unless asked; full fine-tuning always moves copies."""
    network = small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        output = network(clouds)
    built = adopt(network)
    assert built is not None
    built.anatomy.freeze_bn = freeze_bn
    model = onlay.adapt(built, method, num_classes=3, host=host).train()
    model.loss((clouds, torch.tensor([0, 2]))).backward()
    kept = model.trained_state()
    if method == "full":  # positions of tokens decay, tokens do not
        assert model.no_weight_decay() == {"adapter.thawed.cls_token"}
    path = "adapter.thawed.encoder.first_conv.1.running_mean"
    drifts = method == "full" or not freeze_bn
    assert (path in kept) == drifts
    if drifts:
        own = "encoder.first_conv.1.running_mean"
        assert (kept[path] - before[own]).abs().max() > 1e-4
        assert kept["adapter.thawed.encoder.second_conv.1.num_batches_tracked"].item() == 1 + int(
            before["encoder.second_conv.1.num_batches_tracked"]
        )
    model.detach()
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    with torch.no_grad():
        assert torch.equal(network.eval()(clouds), output)


def test_drifted_statistics_come_back_with_the_bundle(
    small: Callable[..., PointMae], clouds: Tensor, host: PluginHost, tmp_path: Any
) -> None:
    network = small()
    built = adopt(network)
    assert built is not None
    built.anatomy.freeze_bn = False
    model = onlay.adapt(built, "linear", num_classes=3, host=host)
    for _ in range(3):
        model.train()(clouds)
    with torch.no_grad():
        logits = model.eval()(clouds)
        bundle = model.save_pretrained(tmp_path / "bundle")
        model.detach()
        fresh = adopt(network)
        assert fresh is not None
        fresh.anatomy.freeze_bn = False
        again = onlay.adapt(fresh, "linear", num_classes=3, host=host)
        again.load_trained_state(read_tensors(bundle, read_manifest(bundle)))
        assert torch.equal(again.eval()(clouds), logits)


@torch.no_grad()
def test_inserted_tokens_lie_between_the_learned_ones_and_the_groups(
    small: Callable[..., PointMae], clouds: Tensor
) -> None:
    """They get no position, and `Features` says which they are, the newest first."""

    class Constant(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.full((1, 1, 48), value))

        def forward(self) -> Tensor:
            return self.token

    network = small()
    built = adopt(network)
    assert built is not None
    place = Placement(built.anatomy)
    for block, value in zip(place.blocks, (1.0, 2.0, 3.0), strict=True):
        place.insert(block, Constant(value))
    seen: list[Tensor] = []
    network.norm.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    attachments = Attachments.of(network)
    attachments.add("default", place.adapter)
    features = built.anatomy.encode(clouds, inserted=3)
    assert seen[0].shape == (2, 1 + 3 + 16, 48)
    assert torch.equal(seen[0][:, 1], torch.full((2, 48), 3.0))  # passed no block
    assert features.prompts.shape == (2, 3, 48)
    assert features.patches.shape == (2, 16, 48)
    assert features.layout.prefix == 4
