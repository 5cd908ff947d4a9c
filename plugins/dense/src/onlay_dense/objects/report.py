"""What objects tell of how they were judged.

Shapes: n objects found in a picture, m true ones, N pictures, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

from onlay.reports import PERCENT, Cell, Mistake, Report, Table
from onlay_dense.objects.masks import within
from onlay_dense.objects.targets import chosen, seen

OVERLAP = 0.5
"""Of two boxes, from which on the one is found by the other."""


def counted(
    found: Mapping[str, Tensor], target: Mapping[str, Tensor], classes: int, threshold: float
) -> Tensor:
    """Of one picture and each class how many objects there are, how many of them are found, and how
    many are found where there are none, (C, 3); of what is at least as sure as the threshold, the
    surest first. What lies in a crowd is not counted."""
    crowd = target.get("crowd", torch.zeros(len(target["labels"]))).bool()
    there = seen(target) & ~crowd.to(target["boxes"].device)
    true = {name: target[name][there].cpu() for name in ("boxes", "labels")}
    crowds = target["boxes"].cpu()[crowd.cpu()].float()
    told = {name: found[name].cpu() for name in ("boxes", "labels", "scores")}
    told["boxes"] = within(told["boxes"], tuple(found["size"].tolist()))
    told = chosen(told, (told["scores"] >= threshold) & ~_inside(told["boxes"].float(), crowds))
    hit_n = _hits(told, true)
    counts = (true["labels"], told["labels"][hit_n], told["labels"][~hit_n])
    return torch.stack([labels.long().bincount(minlength=classes) for labels in counts], 1)


def _hits(told: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> Tensor:
    """Which of them (n,) find a true one of their class that no surer one has found."""
    hit_n = torch.zeros(len(told["labels"]), dtype=torch.bool)
    overlaps_nm = box_iou(told["boxes"].float(), true["boxes"].float())
    overlaps_nm[told["labels"][:, None] != true["labels"][None]] = 0
    for n in range(len(hit_n) if overlaps_nm.shape[1] else 0):
        most, place = overlaps_nm[n].max(0)
        if most >= OVERLAP:
            hit_n[n], overlaps_nm[:, place] = True, 0
    return hit_n


def _inside(boxes_n4: Tensor, crowds_m4: Tensor) -> Tensor:
    """Which boxes (n,) lie in one of others by more than half."""
    low, high = (
        torch.maximum(boxes_n4[:, None, :2], crowds_m4[None, :, :2]),
        torch.minimum(boxes_n4[:, None, 2:], crowds_m4[None, :, 2:]),
    )
    shared_nm = (high - low).clamp(min=0).prod(-1)
    own_n1 = (boxes_n4[:, 2:] - boxes_n4[:, :2]).prod(-1)[:, None]
    return (shared_nm > own_n1 / 2).any(1)


def objects_report(counts_NC3: Tensor, labels: Sequence[str], threshold: float) -> Report:
    """Of each class how many objects there are and are found, and the pictures in which most are
    missed or are none."""
    sure = PERCENT.text(threshold, places=0)
    return Report(
        facts={
            "counted": f"objects that are at least {sure} sure, whose box overlaps that of a true"
            " one of the class by half"
        },
        tables=[_per_class(counts_NC3.sum(0), labels)],
        mistakes=_mistakes(counts_NC3, labels),
        mistakes_title="Pictures with most objects that are missed, or found where there are none",
    )


def _per_class(counts_C3: Tensor, labels: Sequence[str]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (label, _share(hit, hit + nothing), _share(hit, there), there, hit, there - hit, nothing)
        for label, (there, hit, nothing) in zip(labels, counts_C3.tolist(), strict=True)
    ]
    columns = ("class", "precision", "recall", "objects", "found", "missed", "of nothing")
    return Table("per_class", "Classes", columns, rows, frozenset(columns[1:3]))


def _share(part: int, whole: int) -> Cell:
    return part / whole if whole else "-"


def _mistakes(counts_NC3: Tensor, labels: Sequence[str]) -> list[Mistake]:
    there_NC, hit_NC, nothing_NC = counts_NC3.unbind(2)
    missed_N, nothing_N = (there_NC - hit_NC).sum(1), nothing_NC.sum(1)
    wrong_N = missed_N + nothing_N
    order = wrong_N.argsort(descending=True, stable=True).tolist()
    return [
        Mistake(
            index,
            _listed(hit_NC[index] + nothing_NC[index], labels),
            _listed(there_NC[index], labels),
            float(wrong_N[index]),
            f"{missed_N[index]} missed, {nothing_N[index]} of nothing",
        )
        for index in order
        if wrong_N[index]
    ]


def _listed(counts_C: Tensor, labels: Sequence[str]) -> str:
    """`12 nuclei, 3 cells`."""
    pairs = zip(counts_C.tolist(), labels, strict=True)
    return ", ".join(f"{count} {label}" for count, label in pairs if count) or "nothing"
