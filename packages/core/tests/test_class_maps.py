"""Metrics of maps of classes: against a few lines of numpy, in any batches, over processes."""

from functools import partial

import numpy as np
import pytest
import torch
from torchmetrics import MetricCollection

from onlay.errors import DataError
from onlay.machine.system import CAN_FORK, ended, forked
from onlay.tasks.class_map_metrics import ClassMaps
from onlay.tasks.class_maps import confusion

NAMES = tuple("abcdef")


def by_numpy(found, true, classes):
    """Of flat arrays, by definition; NaN where there is nothing."""
    found, true = found[true >= 0], true[true >= 0]
    iou, recall, frequency = [], [], []
    for c in range(classes):
        both, either = ((found == c) & (true == c)).sum(), ((found == c) | (true == c)).sum()
        iou.append(both / either if either else np.nan)
        recall.append(both / (true == c).sum() if (true == c).any() else np.nan)
        frequency.append((true == c).mean())
    means = {"miou": np.nanmean(iou), "accuracy": (found == true).mean()}
    means |= {"mean_class": np.nanmean(recall), "fw_iou": np.nansum(np.multiply(frequency, iou))}
    return means | {f"iou_{NAMES[c]}": iou[c] for c in range(classes)}


def random_case(seed):
    """Maps (B, H, W) with void places, and classes that are absent in truth, or altogether."""
    chance = np.random.default_rng(seed)
    classes = int(chance.integers(2, 7))
    shape = tuple(chance.integers(1, 8, 3))
    there, sayable = (chance.permutation(classes)[: chance.integers(1, classes + 1)] for _ in "ab")
    true, found = chance.choice(there, shape), chance.choice(sayable, shape)
    found = np.where(chance.random(shape) < 0.5, true, found)
    true[chance.random(shape) < chance.choice([0, 0.3, 0.9])] = -1
    true.flat[0] = there[0]
    return classes, torch.from_numpy(found), torch.from_numpy(true)


def test_scores_are_those_of_numpy_in_batches_of_any_size():
    for seed in range(200):
        classes, found, true = random_case(seed)
        metric = ClassMaps(NAMES[:classes])
        for one, other in zip(found.split(1 + seed % 3), true.split(1 + seed % 3), strict=True):
            metric.update(one, other)
        wanted = by_numpy(found.numpy().ravel(), true.numpy().ravel(), classes)
        wanted = {name: value for name, value in wanted.items() if not np.isnan(value)}
        told = {name: value.item() for name, value in metric.compute().items()}
        assert told == pytest.approx(wanted, abs=1e-9), seed


def test_logits_are_taken_at_their_largest_in_maps_and_clouds():
    logits_BCN = torch.tensor([[[1.0, 0.0, 3.0], [0.0, 2.0, 5.0]]])  # 0, 1, 1
    assert confusion(logits_BCN, torch.tensor([[0, 0, 1]]), 2).tolist() == [[1, 1], [0, 1]]
    assert confusion(logits_BCN[..., None], torch.tensor([[[0], [-1], [1]]]), 2).trace() == 2


def test_a_collection_tells_each_name_and_nothing_of_absent_classes():
    collection = MetricCollection({"maps": ClassMaps(["cat", "dog", "owl"])})
    collection.update(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]))
    told = {name: value.item() for name, value in collection.compute().items()}
    assert told == pytest.approx(
        {"miou": 0.25, "accuracy": 0.5, "mean_class": 0.5, "fw_iou": 0.5}
        | {"iou_cat": 0.5, "iou_dog": 0.0}
    )


def test_maps_without_any_class_are_no_failure():
    metric = ClassMaps(["cat", "dog"])
    metric.update(torch.zeros(1, 2, 2).long(), torch.full((1, 2, 2), -1))
    assert {name: value.item() for name, value in metric.compute().items()} == dict.fromkeys(
        ("miou", "accuracy", "mean_class", "fw_iou"), 0.0
    )


@pytest.mark.parametrize(
    ("found", "true", "said"),
    [
        ([[0, 1]], [[0, 5]], "a map holds 5, and the classes are 0 to 1"),
        ([[0, -1]], [[0, 1]], "a map holds -1"),
        ([[0, 1]], [[0]], r"\(1, 1\) are compared with \(1, 2\)"),
    ],
)
def test_what_is_no_class_is_refused(found, true, said):
    with pytest.raises(DataError, match=said):
        confusion(torch.tensor(found), torch.tensor(true), 2)


@pytest.mark.skipif(not CAN_FORK, reason="processes are made by fork")
def test_two_processes_find_what_one_does(tmp_path):
    _, found, true = random_case(3)
    found, true = found.flatten()[None].repeat(5, 1), true.flatten()[None].repeat(5, 1)

    def work(rank):
        torch.set_num_threads(1)
        store = torch.distributed.FileStore(str(tmp_path / "store"), 2)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
        metric = ClassMaps(NAMES)
        own = slice(0, 4) if rank else slice(4, 5)
        metric.update(found[own], true[own])
        told = metric.compute()
        torch.distributed.destroy_process_group()
        torch.save(told, tmp_path / f"{rank}.pt")

    children = [forked(partial(work, rank)) for rank in range(2)]
    assert all([ended(child, 60) for child in children])  # noqa: C419 (both are waited for)
    alone = ClassMaps(NAMES)
    alone.update(found, true)
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == alone.compute()
