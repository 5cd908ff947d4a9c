"""What part segmentation says of a cloud: shares of points, in words, cells, rows and records."""

from __future__ import annotations

from pathlib import Path

import torch

from onlay.task import Input
from onlay_pointcloud.tasks.answer import PartsAnswer

CHAIR = PartsAnswer(("leg", "seat", "leg", "back"), {"leg": 0.5, "seat": 0.25, "back": 0.25})
CUP = PartsAnswer(("cup", "cup"), {"cup": 1.0})


def test_a_line_names_the_largest_parts() -> None:
    assert CHAIR.line() == "leg 50 %, seat 25 %, back 25 %"
    four = PartsAnswer((), {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1})
    assert four.line() == "a 40 %, b 30 %, c 20 % and 1 more"


def test_cells_and_rows_have_every_part_or_the_largest() -> None:
    assert CHAIR.cells() == {"part": "leg", "share": "50.0 %", "then": "seat 25.0 %, back 25.0 %"}
    assert CUP.cells() == {"part": "cup", "share": "100.0 %"}
    assert list(CHAIR.row()) == ["part", "share", "part_2", "share_2", "part_3", "share_3"]
    assert CHAIR.row(1) == {"part": "leg", "share": "0.500000"}


def test_the_record_has_every_point_once_the_input_is_seen() -> None:
    cloud = torch.tensor([[0.0, 0.5, 1.0, 7.0], [2.0, 0.0, 0.1, 7.0]])
    record = CUP.with_input(Input(Path("a.npy"), cloud, {})).record()
    assert record["points"] == ((0.0, 0.5, 1.0), (2.0, 0.0, 0.1))
    assert record["parts"] == ("cup", "cup")
    assert CHAIR.record(1)["shares"] == {"leg": 0.5}
