"""What objects' reports count, by hand."""

from __future__ import annotations

import torch

from onlay_dense.objects.report import counted, objects_report


def test_what_is_found_missed_and_of_nothing_is_counted_by_class() -> None:
    """Two cells and a disc; one cell is found twice, the disc as a cell, what is unsure or lies in
    the crowd is not counted."""
    target = {
        "boxes": torch.tensor([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [0, 50, 99, 99]]),
        "labels": torch.tensor([0, 0, 1, 0]),
        "crowd": torch.tensor([0, 0, 0, 1]),
    }
    boxes = [[0, 0, 10, 9], [0, 0, 10, 10], [40, 0, 50, 10], [5, 60, 9, 70], [20, 0, 30, 10]]
    found = {
        "boxes": torch.tensor(boxes).float(),
        "labels": torch.tensor([0, 0, 0, 0, 0]),
        "scores": torch.tensor([0.9, 0.8, 0.7, 0.6, 0.4]),
        "size": torch.tensor([99, 99]),
    }
    counts = counted(found, target, 2, 0.5)
    assert counts.tolist() == [[2, 1, 2], [1, 0, 0]]
    nothing = counted({k: v if k == "size" else v[:0] for k, v in found.items()}, target, 2, 0.5)
    assert nothing.tolist() == [[2, 0, 0], [1, 0, 0]]
    good = torch.tensor([[2, 2, 0], [1, 1, 0]])
    report = objects_report(torch.stack([good, nothing, counts]), ("cell", "disc"), 0.5)
    assert [(m.index, m.said, m.true, m.score_text) for m in report.mistakes] == [
        (2, "3 cell", "2 cell, 1 disc", "2 missed, 2 of nothing"),
        (1, "nothing", "2 cell, 1 disc", "3 missed, 0 of nothing"),
    ]
    assert report.tables[0].rows[0] == ("cell", 3 / 5, 3 / 6, 6, 3, 3, 2)
    assert report.tables[0].rows[1][:3] == ("disc", 1.0, 1 / 3)
