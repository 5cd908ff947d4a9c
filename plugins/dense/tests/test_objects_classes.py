"""The classes of objects by a second map, a third folder."""

from __future__ import annotations

import numpy as np
import pytest
from objects_on_disk import maps, read

from onlay.errors import ConfigError, DataError
from onlay_dense.data.samples import paint


def test_a_second_map_tells_the_class_of_most_pixels(tmp_path):
    """Object 1: 20 of 24 pixels are of class 5; object 2: half and half, the first one; object 3:
    most are void, the others 7; object 4: all void; what lies beside objects is of no matter."""
    objects, classes = np.zeros((2, 10, 14), np.uint16)
    objects[:2, :12], objects[4:6], objects[7, :5], objects[9, 9] = 1, 2, 3, 4
    classes[:2, :10], classes[:2, 10:12], classes[4], classes[5], classes[7, 4] = 5, 7, 7, 5, 7
    classes[0, 13] = 99
    settings = {"class_maps": "kinds", "values": {5: "cat", 7: "dog"}, "void": [0]}
    given = maps(tmp_path, objects, **settings)
    for number in range(3):
        paint(tmp_path / f"kinds/{number}.png", classes)
    splits = read("instance_folder", given)
    assert splits.labels == ("cat", "dog")
    assert splits.train[0][1]["labels"].tolist() == [0, 0, 1]
    boxes = splits.train[0][1]["boxes"].tolist()
    assert boxes[2] == [0, 14, 10, 16]  # its void pixels, too
    everything = read("instance_folder", given, "whole", ("dog", "cat")).everything
    assert everything[0][1]["labels"].tolist() == [1, 1, 0]
    for change, said in (
        (
            {"values": {5: "cat"}},
            r"has the number 7 \(row 0, column 10, in object 1\), which is no c",
        ),
        ({"divisor": 9}, "both say what the class of an object is"),
        ({"class_maps": None}, "`values` tells classes, which numbers hold with a `divisor`, or"),
        ({"class_maps": "sorts"}, "`images`, `instances`, `kinds`, and neither the two folders"),
    ):
        with pytest.raises((DataError, ConfigError), match=said):
            read("instance_folder", given | change)
    paint(tmp_path / "kinds/1.png", classes[:9])
    with pytest.raises(
        DataError, match=r"1.png` has 9 rows and 14 columns, and the map of objects"
    ):
        read("instance_folder", given)
    (tmp_path / "kinds/1.png").unlink()
    with pytest.raises(DataError, match=r"one image has no class_map \(`.*1.png`\)"):
        read("instance_folder", given)
