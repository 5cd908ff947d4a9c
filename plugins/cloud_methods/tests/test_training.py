"""What is trained: parts and classes of points, statistics that move once a step, the memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import onlay
from onlay.data import Splits
from onlay.descriptors import resolve
from onlay.testing import tiny_points
from onlay_cloud_methods.idpt import Generator
from onlay_cloud_methods.memory import Memory
from onlay_cloud_methods.stag import Lowered

HOST = onlay.PluginHost.discover()
SMALL: dict[str, dict[str, Any]] = {
    "idpt": {"neighbours": 4},
    "pointgst": {"rank": 4, "chunk": 5},
    "stag": {"width": 4, "neighbours": 4},
    "ppt": {"bottleneck": 4},
    "point_peft": {"rank": 2, "memory_rank": 2, "bank": 8, "neighbours": 4},
}


@pytest.mark.parametrize("task", ["part_segmentation", "point_segmentation"])
@pytest.mark.parametrize("method", SMALL)
def test_points_have_classes_too(method: str, task: str) -> None:
    """Every parameter of the method has a part in what is said of each point."""
    pytest.importorskip("onlay_pointcloud", reason="these tasks come with onlay-pointcloud")
    from onlay_pointcloud.network.point_mae import PointMae

    sizes: dict[str, Any] = {"width": 24, "embed": 24, "depth": 4, "hidden": (8, 8, 16)}
    network = PointMae(groups=12, group_size=4, heads=2, **sizes)
    config = {"name": method, **SMALL[method]}
    anatomy = onlay.adapt(network, "linear", num_classes=2, name="bare").anatomy
    labels, inputs, targets, *_ = resolve(HOST.find("task", task).example)(anatomy, 2)
    model = onlay.adapt(network, config, task=task, labels=labels)
    model.train().loss((inputs, targets)).backward()
    still = [n for n, p in model.trained_parameters().items() if p.grad is None]
    assert [name for name in still if "cls" not in name and "norm" not in name] == []


def test_statistics_move_once_a_step_also_where_blocks_are_computed_twice() -> None:
    moved = []
    for again in (False, True):
        torch.manual_seed(0)
        config = {"name": "idpt", "neighbours": 4}
        model = onlay.adapt(tiny_points(), config, num_classes=2, verify=False).train()
        model.set_grad_checkpointing(again)
        inputs = torch.randn(4, 48, 3, generator=torch.Generator().manual_seed(1))
        model.loss((inputs, torch.tensor([0, 1, 0, 1]))).backward()
        (generator,) = [m for m in model.adapter.modules() if isinstance(m, Generator)]
        moved.append(generator.norm.running_mean)
        assert generator.norm.num_batches_tracked == 1
    assert torch.equal(*moved)


def test_the_side_network_is_the_same_where_blocks_are_computed_twice() -> None:
    """Also twice in a row: what it collects begins anew in every pass."""
    found = []
    for again in (False, True):
        torch.manual_seed(0)
        config = {"name": "stag", "width": 4, "neighbours": 4}
        model = onlay.adapt(tiny_points(depth=4), config, num_classes=2, verify=False).train()
        model.set_grad_checkpointing(again)
        inputs = torch.randn(4, 48, 3, generator=torch.Generator().manual_seed(1))
        for _ in range(2):
            model.zero_grad()
            model.loss((inputs, torch.tensor([0, 1, 0, 1]))).backward()
            (down,) = {m.down for m in model.adapter.modules() if isinstance(m, Lowered)}
            found.append(down.weight.grad.clone())
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-5, atol=1e-7)


def test_a_memory_is_filled_at_even_steps_and_says_when_it_is_empty() -> None:
    config = {"name": "point_peft", **SMALL["point_peft"]}
    model = onlay.adapt(tiny_points(), config, num_classes=2, verify=False)
    (memory,) = [m for m in model.adapter.modules() if isinstance(m, Memory)]
    assert model.figures().values == {"point_peft/memory": 0}
    assert "call `model.prepare(splits)`" in model.figures().warnings[0]
    items: Any = [(torch.full((48, 3), float(n + 1)) + torch.rand(48, 3), 0) for n in range(16)]
    splits = Splits(train=items, validation=None, test=None, labels=("a", "b"), preprocessing={})
    model.prepare(splits)
    assert (model.figures().values["point_peft/memory"], model.figures().warnings) == (8, ())
    model.prepare(Splits(**vars(splits) | {"train": items[::2]}))  # the same clouds
    first = memory.bank.clone()
    model.prepare(splits)
    assert torch.equal(first, memory.bank)
    own = memory.bank[3:4]
    own_again, mean, *nearest = memory(own)[0]
    assert torch.equal(own_again, own[0])
    assert torch.equal(nearest[0], own[0])  # nothing is nearer than the cloud itself
    alike = torch.cosine_similarity(own, memory.bank).sort(descending=True)
    expected = (alike.values / 0.1).softmax(0) @ memory.bank[alike.indices]
    torch.testing.assert_close(mean, expected)
