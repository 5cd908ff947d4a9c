"""What blocks of a scene say of their points is added up, and each point counts once."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from onlay.batches import rows
from onlay.machine.system import ended, forked

pytest.importorskip("torchmetrics", reason="metrics come with onlay-train")
from onlay_pointcloud.tasks.joined_points import PointMaps

LABELS = ("a", "b", "c")


def scenes() -> tuple[Tensor, dict[str, Tensor]]:
    """Two scenes of 30 and 20 points in 9 items of 8 points, some of them several times."""
    chance = np.random.default_rng(0)
    scene = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    points = np.stack(
        [chance.permutation(np.resize(np.arange((30, 20)[s]), 40))[:8] for s in scene]
    )
    points[:6].ravel()[:30], points[6:].ravel()[:20] = np.arange(30), np.arange(20)
    true = chance.integers(-1, 3, (2, 30))
    found = {
        "scene": scene, "items": np.where(scene == 0, 6, 4), "points": points,
        "classes": true[scene[:, None], points],
    }  # fmt: skip
    logits = torch.from_numpy(chance.normal(size=(10, 8, 3)))
    return logits, {name: torch.from_numpy(value) for name, value in found.items()}


def by_numpy(logits: Tensor, targets: dict[str, Tensor]) -> dict[str, float]:
    """Votes of every point in a dictionary, then intersections over unions."""
    votes: dict[tuple[int, int], Any] = {}
    true: dict[tuple[int, int], int] = {}
    for item, chances in enumerate(logits.softmax(-1).numpy()):
        for n, point in enumerate(targets["points"][item].tolist()):
            key = int(targets["scene"][item]), point
            votes[key] = votes.get(key, 0) + chances[n]
            true[key] = int(targets["classes"][item, n])
    kept = [(int(votes[k].argmax()), true[k]) for k in votes if true[k] >= 0]
    found, wanted = np.array(kept).T
    iou = [((found == c) & (wanted == c)).sum() / ((found == c) | (wanted == c)).sum()
           for c in range(3)]  # fmt: skip
    means = {"miou": np.mean(iou), "accuracy": (found == wanted).mean()}
    return means | {f"iou_{label}": iou[n] for n, label in enumerate(LABELS)}


def told(metric: PointMaps) -> dict[str, float]:
    found = {name: value.item() for name, value in metric.compute().items()}
    return {name: found[name] for name in ("miou", "accuracy", "iou_a", "iou_b", "iou_c")}


@pytest.mark.parametrize("batch", [1, 7, 10])
def test_every_point_counts_once_in_batches_of_any_size(batch: int) -> None:
    logits, targets = scenes()
    metric = PointMaps(LABELS)
    for _ in range(2):
        metric.reset()
        for start in range(0, 10, batch):
            part = slice(start, start + batch)
            metric.update(logits[part], rows(targets, part))
        assert told(metric) == pytest.approx(by_numpy(logits, targets), abs=1e-9)
    assert sum(map(len, metric.keys_V)) == 0, "scenes that are whole are counted and forgotten"


def test_votes_are_added_up_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onlay_pointcloud.tasks.joined_points.ALL_AT_ONCE", 10)
    logits, targets = scenes()
    metric = PointMaps(LABELS)
    for n in range(10):
        metric.update(logits[n : n + 1], rows(targets, slice(n, n + 1)))
        assert sum(map(len, metric.keys_V)) <= 30 + 8
    assert told(metric) == pytest.approx(by_numpy(logits, targets), abs=1e-9)


@pytest.mark.parametrize("items", [10, 1])
def test_processes_join_what_each_has_seen(tmp_path: Path, items: int) -> None:
    """Also where one has seen nothing at all."""
    logits, targets = scenes()
    logits, targets = logits[:items], rows(targets, slice(items))

    def work(rank: int) -> None:
        torch.set_num_threads(1)
        store = torch.distributed.FileStore(str(tmp_path / "store"), 2)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
        metric = PointMaps(LABELS)
        for n in range(rank, items, 2):
            metric.update(logits[n : n + 1], rows(targets, slice(n, n + 1)))
        found = told(metric) if items > 1 else metric.compute()["accuracy"].item()
        torch.distributed.destroy_process_group()
        torch.save(found, tmp_path / f"{rank}.pt")

    children = [forked(partial(work, rank)) for rank in range(2)]
    assert all([ended(child, 60) for child in children])  # noqa: C419 (both are waited for)
    alone = PointMaps(LABELS)
    alone.update(logits, targets)
    expected = told(alone) if items > 1 else alone.compute()["accuracy"].item()
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == pytest.approx(expected)
