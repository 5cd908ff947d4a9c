"""COCO's 12 numbers of boxes and of masks, by faster-coco-eval; need `torchmetrics`.

Shapes: n objects of a picture, H and W its pixels; T thresholds of overlap, R recalls, K classes,
A ranges of area, M numbers of detections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed
from torchmetrics import Metric

from onlay_dense.objects.library import evaluator
from onlay_dense.objects.masks import pasted, within
from onlay_dense.objects.targets import chosen, each_of, seen

Record = dict[str, Any]
KINDS = {"box": "bbox", "mask": "segm"}
AREAS = ("small", "medium", "large")
"""Below 32 x 32 pixels of the picture as the backbone is given it, below 96 x 96, and beyond."""


class ObjectsAP(Metric):
    """Average precisions and recalls over all pictures, those of other processes too, in the order
    in which one process would have seen them.

    `box_ap` is the mean over overlaps from 0.5 to 0.95, `box_ap50` and `box_ap75` are at one;
    `box_ap_small`, `box_ap_medium` and `box_ap_large` are of objects of one size; `box_ar1`,
    `box_ar10` and `box_ar300` are the recalls of the surest detections of a picture, and
    `box_ar_small` and so on; likewise `mask_ap`. A number of a size of which there is no object is
    left out; without any object at all the others are no numbers (NaN).
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0

    def __init__(self, labels: Sequence[str], detections: int, kinds: Sequence[str]) -> None:
        super().__init__(sync_on_compute=False)  # what was seen is no tensors: see `_gathered`
        self.labels, self.limits, self.kinds = tuple(labels), [1, 10, detections], tuple(kinds)
        self.seen: list[Record] = []

    def update(self, output: Mapping[str, Any], targets: Mapping[str, Any]) -> None:
        """As a head of objects has them; masks in boxes, or (n, H, W) as targets have them."""
        pairs = zip(each_of(output), each_of(targets), strict=True)
        self.seen += [self._record(*pair) for pair in pairs]

    def reset(self) -> None:
        """Forget all."""
        super().reset()
        self.seen = []

    def compute(self) -> dict[str, Tensor]:
        """Every number by its name, from 0 to 1."""
        records, found = _gathered(self.seen), {}
        for kind in self.kinds:
            numbers = _numbers(
                _evaluated(records, kind, len(self.labels), self.limits), self.limits
            )
            found |= {f"{kind}_{name}": torch.tensor(n) for name, n in numbers.items()}
        return found

    def _record(self, found: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Record:
        """Of one picture what is found and what there is, as annotations of COCO's files."""
        height, width = map(int, found["size"].tolist())
        size = height, width
        masks = masked = None
        target = chosen(target, seen(target))
        if "mask" in self.kinds:
            masks = pasted(found["masks"].float(), found["boxes"].float(), size)
            masked = iter(target["masks"].bool().cpu())
        crowd = target.get("crowd", torch.zeros(len(target["labels"])))
        there = _annotations(target["boxes"], target["labels"], masked, iscrowd=crowd.int())
        boxes = within(found["boxes"], size)
        ours = _annotations(boxes, found["labels"], masks, score=found["scores"])
        return {"size": size, "found": ours, "there": there}


def _annotations(
    boxes: Tensor, labels: Tensor, masks: Iterator[Tensor] | None, **more: Tensor
) -> list[Record]:
    made: list[Record] = []
    lists = {name: values.cpu().tolist() for name, values in more.items()}
    for n, (box, label) in enumerate(zip(boxes.double().tolist(), labels.tolist(), strict=True)):
        own: Record = {name: values[n] for name, values in lists.items()}
        left, top, right, bottom = box
        own["bbox"], own["category_id"] = [left, top, right - left, bottom - top], label + 1
        own["area"] = own["bbox"][2] * own["bbox"][3]
        if masks is not None:
            tool = evaluator("average precision").mask
            own["segmentation"] = tool.encode(np.asfortranarray(next(masks).numpy(), np.uint8))
            own["mask_area"] = float(tool.area(own["segmentation"]))
        made.append(own)
    return made


def _gathered(own: list[Record]) -> list[Record]:
    """Of all processes, which take the pictures in turn."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return own
    shares: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(shares, own)
    return [record for record in chain.from_iterable(zip_longest(*shares)) if record is not None]


def _evaluated(
    records: Sequence[Record], kind: str, classes: int, limits: Sequence[int]
) -> dict[str, np.ndarray]:
    """`precision` (T, R, K, A, M) and `recall` (T, K, A, M), -1 where there is nothing to find.

    The area of what there is is that of its mask, where it has one, for boxes too, as in COCO's own
    files; of what is found that of the box or the mask that is judged.
    """
    core = evaluator("average precision")
    there = core.COCO(_file(records, "there", classes, masks=True))
    found = core.COCO(_file(records, "found", classes, masks=kind == "mask"))
    judge = core.COCOeval_faster(
        there, found, KINDS[kind], print_function=lambda *words: None, extra_calc=False
    )
    judge.params.maxDets = list(limits)
    judge.evaluate()
    judge.accumulate()
    return judge.eval


def _file(records: Sequence[Record], part: str, classes: int, *, masks: bool) -> Record:
    notes: list[Record] = []
    for image, record in enumerate(records, 1):
        for own in record[part]:
            area = own.get("mask_area", own["area"]) if masks else own["area"]
            facts = {"id": len(notes) + 1, "image_id": image, "area": area, "iscrowd": 0}
            notes.append(facts | {k: v for k, v in own.items() if k not in ("area", "mask_area")})
    sizes = [record["size"] for record in records]
    images = [{"id": n, "height": h, "width": w} for n, (h, w) in enumerate(sizes, 1)]
    categories = [{"id": n + 1, "name": str(n)} for n in range(classes)]
    return {"images": images, "annotations": notes, "categories": categories}


def _numbers(found: Mapping[str, np.ndarray], limits: Sequence[int]) -> dict[str, float]:
    precision_TRKAM, recall_TKAM = found["precision"], found["recall"]
    whole = precision_TRKAM[:, :, :, 0, -1]
    numbers = {"ap": _mean(whole), "ap50": _mean(whole[0]), "ap75": _mean(whole[5])}
    recalls = [_mean(recall_TKAM[:, :, 0, n]) for n in range(len(limits))]
    numbers |= {f"ar{limit}": recall for limit, recall in zip(limits, recalls, strict=True)}
    for area, name in enumerate(AREAS, 1):
        sized = {f"ap_{name}": precision_TRKAM[:, :, :, area, -1]}
        sized[f"ar_{name}"] = recall_TKAM[:, :, area, -1]
        numbers |= {key: _mean(each) for key, each in sized.items() if (each > -1).any()}
    return numbers


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(np.mean(known)) if len(known) else float("nan")
