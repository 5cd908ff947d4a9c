"""What heads of objects say: counts, records, files, maps, and the truth beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from onlay import PluginHost
from onlay.config import parse
from onlay.model.assemble import build_head
from onlay.task import Input
from onlay.testing import tiny_backbone
from onlay_dense.objects.answer import ObjectsAnswer
from onlay_dense.way_back import on_the_file
from onlay_image.data.reading import Reading

HOST = PluginHost.discover()


def head(task: str) -> Any:
    labels = ("nuclei", "cells")
    return build_head(parse("task", task, HOST), tiny_backbone(), labels, HOST)


def answer(**more: Any) -> ObjectsAnswer:
    shares = torch.zeros(3, 28, 28)
    shares[:, :, :14] = 1  # the left half of each box
    found = {
        "boxes": torch.tensor([[2, 2, 10, 10], [4, 0, 8, 4], [0, 0, 2, 2.0]]),
        "labels": torch.tensor([0, 1, 0]),
        "scores": torch.tensor([0.9, 0.6, 0.25]),
        "masks": shares,
        "size": torch.tensor([12, 16]),
    }
    return ObjectsAnswer.of(found | more, ("nuclei", "cells"), 0.5)


def test_an_answer_counts_what_is_sure_and_records_all():
    said = answer()
    assert said.line() == "1 nuclei, 1 cells"
    assert said.cells(2) == {
        "objects": "1 nuclei, 1 cells",
        "surest": "nuclei 90.0 %, cells 60.0 %",
    }
    assert said.row() == {"objects": 2, "number of nuclei": 1, "number of cells": 1}
    record = said.record()
    assert [each["bbox"] for each in record["objects"]] == [
        [2, 2, 8, 8],
        [4, 0, 4, 4],
        [0, 0, 2, 2],
    ]
    assert record["objects"][1]["category_id"] == 2
    assert len(said.record(top=1)["objects"]) == 1
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long(), "scores": torch.zeros(0)}
    assert answer(**none, masks=torch.zeros(0, 28, 28)).line() == "nothing"


def test_run_lengths_are_what_pycocotools_reads():
    mask = pytest.importorskip("pycocotools.mask")
    from onlay_dense.objects.rle import encoded

    generator = np.random.default_rng(0)
    for height, width, share in ((7, 5, 0.5), (90, 70, 0.02), (4, 300, 0.98), (3, 3, 0), (3, 3, 1)):
        drawn = generator.random((height, width)) < share
        assert (mask.decode(encoded(drawn)) == drawn).all()
        theirs = mask.encode(np.asfortranarray(drawn, np.uint8))["counts"].decode()
        assert encoded(drawn)["counts"] == theirs


def test_files_are_in_the_pixels_of_the_picture(tmp_path):
    Image.new("RGB", (64, 24), "white").save(tmp_path / "a.png")
    facts = parse("dataset", {"name": "image_folder", "path": tmp_path}, HOST).preprocess
    from onlay_image.data.preprocess import resolve

    spec = {"img_size": [12, 16], "mean": [0] * 3, "std": [1] * 3, "crop_pct": 1.0}
    prepared = resolve(facts, spec | {"interpolation": "bilinear"})
    seen = answer().with_input(Input(tmp_path / "a.png", torch.zeros(3, 12, 16), prepared))
    # 24 rows become 12, 64 columns 32, of which the middle 16 are left
    (results, overlay) = seen.write(tmp_path, "a")
    first = json.loads(results.read_text())[0]
    assert first["bbox"] == [2 * 2 + 16, 4, 16, 16]
    assert first["segmentation"]["size"] == [24, 64] == seen.record()["size"]
    pixels = np.array(Image.open(overlay))
    assert pixels.shape == (24, 64, 3)
    covered = (pixels != 255).any(2)
    assert covered[12, 22]
    assert not covered[12, 34]  # the right half of the box


@pytest.mark.parametrize("resize", ["crop", "squash_crop"])
@pytest.mark.parametrize(
    ("size", "img_size", "share"),
    [
        ((512, 512), (64, 128), 0.9),  # a quarter of the height is seen
        ((512, 512), (64, 256), 0.9),
        ((512, 512), (64, 64), 0.4),
        ((500, 1500), (64, 64), 0.9),
        ((333, 417), (60, 50), 0.7),
    ],
)
def test_a_crop_of_less_than_half_a_side_comes_back_to_its_place(
    tmp_path, size, img_size, share, resize
):
    """The picture's grey tells the column, or the row, of each pixel: the crop's own ends do."""
    from onlay_image.data.pictures import read_picture
    from onlay_image.data.preprocess import geometry

    facts = {"modality": "image", "img_size": [*img_size], "resize": resize, "crop_pct": share}
    facts |= {"interpolation": "bilinear", "mean": [0.0], "std": [1.0], "in_chans": 1}
    for axis, name in ((1, "across"), (0, "down")):
        ramp = np.arange(size[axis], dtype=np.float32) / size[axis]
        values = np.broadcast_to(ramp if axis else ramp[:, None], size)
        Image.fromarray(np.ascontiguousarray(values)).save(file := tmp_path / f"{name}.tif")
        given = Input(file, torch.zeros(3, *img_size), facts)
        way = on_the_file(given)
        (low, high) = way.boxes(torch.tensor([[0.0, 0, *reversed(img_size)]]))[0].view(2, 2)
        seen = geometry(facts)(read_picture(file, Reading(in_chans=1)))[0]
        line = (seen[0] if axis else seen[:, 0]) / 255 * size[axis] + 0.5
        step = float(line[-2] - line[1]) / (len(line) - 3)
        ends = float(line[1]) - 1.5 * step, float(line[-2]) + 1.5 * step
        found = [float(end[1 - axis]) for end in (low, high)]
        assert found == pytest.approx(ends, abs=0.1)


def test_a_padded_picture_keeps_the_places_of_its_masks(tmp_path):
    """24 x 64 pixels become 6 x 16 of 16 x 16; a box from row 2 to row 10 of these reaches into
    the padding, and of its lower half, from row 6 on, nothing is seen."""
    Image.new("RGB", (64, 24)).save(tmp_path / "a.png")
    facts = {"modality": "image", "img_size": [16, 16], "resize": "pad", "crop_pct": 1.0}
    facts |= {"interpolation": "bilinear", "mean": [0.0] * 3, "std": [1.0] * 3, "in_chans": 3}
    shares = torch.zeros(3, 28, 28)
    shares[0, 14:], shares[1, :14], shares[2] = 1, 1, 1
    boxes = torch.tensor([[4.0, 2, 8, 10]]).expand(3, 4)
    seen = answer(boxes=boxes, masks=shares, size=torch.tensor([16, 16]))
    record = seen.with_input(Input(tmp_path / "a.png", torch.zeros(3, 16, 16), facts)).record()
    assert [each["bbox"] for each in record["objects"]] == [[16, 8, 16, 16]] * 3
    masks = pytest.importorskip("pycocotools.mask")
    rows = [masks.decode(each["segmentation"]).any(1).nonzero()[0] for each in record["objects"]]
    assert [own.tolist() for own in rows] == [[], [*range(8, 24)], [*range(8, 24)]]


def test_what_is_drawn_tells_objects_that_touch_apart():
    (raster,) = answer().drawn()
    assert raster.labels == ("nothing", "edge of an object", "nuclei", "cells")
    assert len(raster.colours) == len({*raster.colours}) == 4
    assert raster.values_HW.shape == (12, 16)
    # the box from 2 to 10, its left half from 2 to 6
    assert raster.values_HW[5].tolist() == [0, 0, 1, 2, 2, 1] + [0] * 10
    assert (raster.values_HW[:, 4] > 0).nonzero()[:, 0].tolist() == [*range(10)]


def test_truth_is_seen_beside_the_answer():
    made = head("instances")
    mask = torch.zeros(2, 12, 16, dtype=torch.uint8)
    mask[0, 2:10, 2:5] = 1  # a column less than is found
    mask[1, 11, 15] = 1
    boxes = torch.tensor([[2, 2, 5, 10], [15, 11, 16, 12.0]])
    one = {"boxes": boxes, "labels": torch.tensor([0, 1]), "masks": mask}
    (truth,) = made.truths({name: [leaf] for name, leaf in one.items()})
    assert truth.line() == "1 nuclei, 1 cells"
    (drawn,) = truth.drawn()
    assert drawn.values_HW[11, 15] == 1
    (beside,) = answer().beside(truth)
    assert beside.labels == ("nothing", "found", "missed", "of nothing")
    assert beside.values_HW[5, :7].tolist() == [0, 0, 1, 1, 1, 3, 0]
    assert beside.values_HW[11, 15] == 2
    boxed = head("detection")
    (truth,) = boxed.truths({name: [leaf] for name, leaf in one.items()})
    seen = truth.with_input(Input(Path("a"), torch.zeros(3, 12, 16), {}))
    assert seen.drawn()[0].values_HW[2, 2:6].tolist() == [2, 2, 2, 0]
