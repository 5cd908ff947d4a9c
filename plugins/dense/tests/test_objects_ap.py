"""Average precisions against pycocotools, in any batches and over processes."""

from __future__ import annotations

import contextlib
import io
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch

from onlay.errors import OnlayError
from onlay.machine.system import CAN_FORK, ended, forked
from onlay_dense.objects import library
from onlay_dense.objects.masks import pasted

pytest.importorskip("faster_coco_eval")
torchmetrics = pytest.importorskip("torchmetrics")

CLASSES = ("cell", "nucleus", "absent")
PICTURES = 30
NAMES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
NAMES += ("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large")


@cache
def pictures() -> tuple[list[Any], list[Any]]:
    """What is found and what there is, of pictures from 60 to 260 pixels; ties of scores, crowds,
    pictures without objects and without detections."""
    chance = torch.Generator().manual_seed(0)
    found, there = [], []
    for number in range(PICTURES):
        size = torch.randint(60, 260, (2,), generator=chance)
        objects = 0 if number % 10 == 3 else 8
        true = _boxes(size, objects, chance)
        masks = torch.zeros(objects, *size.tolist(), dtype=torch.uint8)
        for mask, (left, top, right, bottom) in zip(masks, true.int().tolist(), strict=True):
            mask[top:bottom, left:right] = 1
            mask[top : (top + bottom) // 2, left : (left + right) // 2] = 0
        labels = torch.randint(2, (objects,), generator=chance)
        crowd = torch.rand(objects, generator=chance) < 0.1
        there.append({"boxes": true, "labels": labels, "masks": masks, "crowd": crowd})
        near = true + 3 * torch.randn(true.shape, generator=chance)
        boxes = torch.cat([near, _boxes(size, 0 if number % 10 == 7 else 12, chance)])
        boxes = boxes.clamp(min=0).minimum(size.flip(0).repeat(2).float())
        boxes[:, 2:] = boxes[:, 2:].maximum(boxes[:, :2] + 1).minimum(size.flip(0).float())
        scores = (torch.rand(len(boxes), generator=chance) * 20).round() / 20
        guess = torch.cat([labels, torch.randint(3, (len(boxes) - objects,), generator=chance)])
        shares = torch.rand(len(boxes), 28, 28, generator=chance) * 0.4 + 0.55
        shares[:, :14, :14] -= torch.rand(len(boxes), 1, 1, generator=chance)
        found.append({"boxes": boxes, "labels": guess, "scores": scores, "masks": shares})
        found[-1]["size"] = size
    return found, there


def _boxes(size: torch.Tensor, count: int, chance: torch.Generator) -> torch.Tensor:
    corner = torch.rand(count, 2, generator=chance) * (size.flip(0) - 20)
    extent = 4 + torch.rand(count, 2, generator=chance) * (size.flip(0) - corner - 5)
    return torch.cat([corner, corner + extent], 1).round()


def batch(items: list[Any]) -> dict[str, Any]:
    return {name: [each[name] for each in items] for name in items[0]}


def measured(step: int, detections: int = 100, which: range = range(PICTURES)) -> dict[str, float]:
    metric, (found, there) = library.ap_metric(CLASSES, detections, masks=True), pictures()
    for start in range(0, len(which), step):
        own = which[start : start + step]
        metric.update(batch([found[n] for n in own]), batch([there[n] for n in own]))
    return {name: value.item() for name, value in metric.compute().items()}


def by_pycocotools(kind: str) -> dict[str, float]:
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools import mask as tool
    from pycocotools.cocoeval import COCOeval

    found, there = pictures()
    notes: list[Any] = []
    results: list[Any] = []
    for image, (ours, true) in enumerate(zip(found, there, strict=True), 1):
        for box, label, mask, crowd in zip(*true.values(), strict=True):
            rle = tool.encode(np.asfortranarray(mask.numpy()))
            facts = {"id": len(notes) + 1, "iscrowd": int(crowd), "area": float(tool.area(rle))}
            notes.append(facts | _note(image, box, label) | {"segmentation": rle})
        size = tuple(ours["size"].tolist())
        drawn = pasted(ours["masks"], ours["boxes"], size)
        for box, label, score, mask in zip(
            ours["boxes"], ours["labels"], ours["scores"], drawn, strict=True
        ):
            own = _note(image, box, label) | {"score": score.item()}
            if kind == "segm":
                own["segmentation"] = tool.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
                del own["bbox"]
            results.append(own)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": [
                {"id": n, "height": int(ours["size"][0]), "width": int(ours["size"][1])}
                for n, ours in enumerate(found, 1)
            ],
            "annotations": notes,
            "categories": [{"id": n + 1} for n in range(3)],
        }
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(results), kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return dict(zip(NAMES, judge.stats.tolist(), strict=True))


def _note(image: int, box: torch.Tensor, label: torch.Tensor) -> dict[str, Any]:
    left, top, right, bottom = box.double().tolist()
    corner = [left, top, right - left, bottom - top]
    return {"image_id": image, "category_id": int(label) + 1, "bbox": corner}


@pytest.mark.parametrize(("kind", "theirs"), [("box", "bbox"), ("mask", "segm")])
def test_twelve_numbers_are_those_of_pycocotools(kind, theirs):
    told = measured(PICTURES)
    expected = by_pycocotools(theirs)
    ours = {name: told[f"{kind}_{name}"] for name in NAMES}
    assert {name: abs(ours[name] - np.float32(expected[name])) for name in NAMES} == dict.fromkeys(
        NAMES, 0
    )
    assert 0.05 < expected["ap"] < 0.95


def test_batches_change_no_number_and_more_detections_are_taken():
    assert measured(1) == measured(7) == measured(PICTURES)
    more = measured(7, detections=300)
    assert {"box_ar300", "mask_ar300"} <= more.keys()
    few = measured(7, detections=11)
    assert few["box_ar11"] < more["box_ar300"]


def test_sizes_without_objects_are_left_out_and_nothing_at_all_is_no_number():
    metric = library.ap_metric(CLASSES, 100, masks=False)
    one = {"boxes": torch.tensor([[0, 0, 9, 9.0]]), "labels": torch.tensor([0])}
    found = one | {"scores": torch.tensor([0.5]), "size": torch.tensor([40, 40])}
    metric.update(batch([found]), batch([one]))
    told = {name: value.item() for name, value in metric.compute().items()}
    assert told == {f"box_{n}": 1 for n in NAMES if not n.endswith(("medium", "large"))}
    metric.reset()
    metric.update(batch([found]), batch([{name: leaf[:0] for name, leaf in one.items()}]))
    assert metric.compute()["box_ap"].isnan()


@pytest.mark.skipif(not CAN_FORK, reason="processes are made by fork")
def test_two_processes_find_what_one_does(tmp_path):
    def work(rank: int) -> None:
        torch.set_num_threads(1)
        store = torch.distributed.FileStore(str(tmp_path / "store"), 2)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
        told = measured(3, which=range(rank, PICTURES, 2))
        torch.distributed.destroy_process_group()
        torch.save(told, tmp_path / f"{rank}.pt")

    children = [forked(partial(work, rank)) for rank in range(2)]
    assert all([ended(child, 60) for child in children])  # noqa: C419 (both are waited for)
    alone = measured(PICTURES)
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == alone


def test_what_is_missing_is_said_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faster_coco_eval", None)
    with pytest.raises(
        OnlayError, match=r"average precision needs `onlay-dense\[detect\]`"
    ) as said:
        library.ap_metric(CLASSES, 100, masks=True)
    assert "pip install" in str(said.value)
