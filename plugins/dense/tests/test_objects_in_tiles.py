"""Objects of tiles become those of the picture: by hand."""

from __future__ import annotations

import pytest
import torch

from onlay.task import Position
from onlay_dense.objects.answer import ObjectsAnswer
from onlay_dense.objects.joining import joined
from onlay_dense.objects.library import ap_metric
from onlay_dense.objects.report import counted
from onlay_image.data.tiles import Tiles

FACTS = {"mean": [0.0] * 3, "std": [1.0] * 3, "in_chans": 3, "img_size": [10, 10]}


def found(*objects: tuple[list[float], int, float]) -> dict[str, torch.Tensor]:
    boxes, labels, scores = zip(*objects, strict=True)
    return {
        "boxes": torch.tensor(boxes),
        "labels": torch.tensor(labels),
        "scores": torch.tensor(scores),
        "masks": torch.tensor(scores)[:, None, None].expand(-1, 2, 2),
        "size": torch.tensor([10, 10]),
    }


def test_each_object_is_told_once_by_the_tile_that_sees_all_of_it() -> None:
    """Two tiles of 10 x 10 that share 4 columns, 6 to 9: the border of their cores is at 8."""
    spec = {"img_size": [10, 10], "dynamic_img_size": False}
    pieces = Tiles(FACTS, spec, (10, 10), 4).cut(torch.zeros(3, 10, 16))
    left = found(
        ([1, 1, 4, 4], 0, 0.6),
        ([6.25, 1, 9.5, 4], 0, 0.7),  # its middle is at 7.875
        ([9, 5, 10, 8], 0, 0.95),  # cut off, surer than the whole one
    )
    right = found(
        ([0.5, 1, 3.5, 4], 0, 0.8),  # the second of the left tile; its middle is at 8
        ([3, 5, 7, 8], 0, 0.5),  # the third one, whole
        ([0.5, 1, 3.5, 4], 1, 0.4),  # of another class in the same place
    )
    told = joined([left, right], [piece.position for piece in pieces], 0.5)
    boxes = [[6.5, 1, 9.5, 4], [1, 1, 4, 4], [9, 5, 13, 8], [6.5, 1, 9.5, 4]]
    assert told["boxes"].tolist() == boxes
    torch.testing.assert_close(told["scores"], torch.tensor([0.8, 0.6, 0.5, 0.4]))
    assert told["labels"].tolist() == [0, 0, 0, 1]
    torch.testing.assert_close(told["masks"][:, 0, 0], told["scores"])
    assert told["size"].tolist() == [10, 16]


def test_what_is_found_beyond_the_picture_is_gone_and_a_scale_moves_boxes() -> None:
    """A picture of 20 x 30 that was seen as 10 x 10: 2 rows and 3 columns for each pixel."""
    given = found(([1, 1, 2, 2], 0, 0.9), ([8, 8, 11, 11], 0, 0.8), ([10, 1, 12, 3], 0, 0.7))
    told = joined([given], [Position((20, 30), scale=(2, 3))], 0.5)
    assert told["boxes"].tolist() == [[3, 2, 6, 4], [24, 16, 33, 22]]
    assert told["scores"].tolist() == [0.8999999761581421, 0.800000011920929]
    record = ObjectsAnswer.of(told, ("cell",), 0.5).record()
    assert [each["bbox"] for each in record["objects"]] == [[3, 2, 3, 2], [24, 16, 6, 4]]


def test_a_mask_is_pasted_into_all_of_its_box_and_the_box_ends_at_the_edge() -> None:
    """A picture of 10 x 40 in a tile of 10 x 64: of a box from 10 to 50 the object is the right
    half, from 30 on, of which 10 columns are seen, or the left one."""
    shares = torch.zeros(2, 28, 28)
    shares[0, :, 14:], shares[1, :, :14] = 1, 1
    given = found(([10, 0, 50, 10], 0, 0.9), ([10.0, 0, 50, 10], 1, 0.8))
    given["masks"], given["size"] = shares, torch.tensor([10, 64])
    told = joined([given], [Position((10, 40))], 0.5)
    answer = ObjectsAnswer.of(told, ("cell", "disc"), 0.5)
    pairs = zip(answer._masks(2), (range(30, 40), range(10, 30)), strict=True)
    for mask, columns in pairs:
        assert mask.any(0).nonzero().flatten().tolist() == [*columns]
    assert [each["bbox"] for each in answer.record()["objects"]] == [[10, 0, 30, 10]] * 2
    pytest.importorskip("torchmetrics")
    pytest.importorskip("faster_coco_eval")
    truth = torch.zeros(2, 10, 40, dtype=torch.uint8)
    truth[0, :, 30:], truth[1, :, 10:30] = 1, 1
    there = {"labels": torch.tensor([0, 1]), "masks": truth}
    there["boxes"] = torch.tensor([[10.0, 0, 40, 10]]).expand(2, 4)
    metric = ap_metric(("cell", "disc"), 100, masks=True)
    metric.update({k: [v] for k, v in told.items()}, {k: [v] for k, v in there.items()})
    numbers = metric.compute()
    assert numbers["box_ap"] == numbers["mask_ap"] == 1
    assert counted(told, there, 2, 0.5).tolist() == [[1, 1, 0], [1, 1, 0]]
