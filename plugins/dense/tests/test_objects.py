"""Tasks `instances` and `detection`: what their heads learn from, give and say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from onlay import PluginHost, adapt
from onlay.config import parse
from onlay.errors import ConfigError
from onlay.model.assemble import build_head
from onlay.model.report import parts_of
from onlay.task import Input
from onlay.testing import tiny_backbone, tiny_pyramid
from onlay_dense.objects.anchors import Anchors, region_pool
from onlay_dense.objects.answer import ObjectsAnswer
from onlay_dense.objects.example import squares
from onlay_dense.objects.targets import to_learn

HOST = PluginHost.discover()
SMALL = {"width": 8, "box_width": 16, "proposals": 32, "detections": 16}
INSTANCES = {"name": "instances", "mask_width": 8, **SMALL}


def head(built: Any, task: Any = INSTANCES, labels: Any = ("cell",)) -> Any:
    torch.manual_seed(0)
    return build_head(parse("task", task, HOST), built, labels, HOST)


def given(built: Any, made: Any, batch: int = 2) -> tuple[Any, Any]:
    _, inputs, targets = squares(built.anatomy, batch)
    targets["labels"] = [0 * labels for labels in targets["labels"]]
    return built.anatomy.encode(inputs, levels=made.levels), targets


@pytest.mark.parametrize("make", [tiny_backbone, tiny_pyramid])
def test_parts_are_told_apart(make):
    made = head(make())
    counts = parts_of(made)
    neck, decoder = (sum(p.numel() for p in m.parameters()) for m in (made.neck, made.decoder))
    assert counts == {"neck": neck, "decoder": decoder}
    last = sum(p.numel() for p in made.parameters()) - neck - decoder
    # class and box layers of 2 classes with the background; deconvolution and last layer of masks
    assert last == (16 * 2 + 2) + (16 * 8 + 8) + (8 * 8 * 4 + 8) + (8 * 2 + 2)
    # rpn 3x3 and 1x1 to 3 scores and 12 sides; two layers on 7x7 bins; four 3x3 of masks
    rpn = (8 * 8 * 9 + 8) + (8 * 3 + 3) + (8 * 12 + 12)
    assert decoder == rpn + (8 * 49 * 16 + 16) + (16 * 16 + 16) + 4 * (8 * 8 * 9 + 8)


@pytest.mark.parametrize("batch", [1, 2])
def test_pictures_without_objects_train_without_nan(batch):
    built = tiny_backbone()
    made = head(built).train()
    features, targets = given(built, made, batch)
    nothing = {name: [leaf[:0] for leaf in leaves] for name, leaves in targets.items()}
    loss = made.forward_loss(features, nothing)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


def test_boxes_without_extent_empty_masks_and_crowds_are_nothing_to_learn():
    objects = {
        "boxes": torch.tensor([[0, 0, 4, 4], [1, 1, 1, 3], [0, 0, 2, 2], [2, 2, 4, 4.0]]),
        "labels": torch.tensor([3, 1, 2, 0]),
        "masks": torch.ones(4, 4, 4, dtype=torch.uint8),
        "crowd": torch.tensor([False, False, False, True]),
    }
    objects["masks"][2] = 0
    kept = to_learn(objects, masks=True)
    assert kept["labels"].tolist() == [4]
    assert kept["boxes"].tolist() == [[0, 0, 4, 4]]
    del objects["masks"]
    assert to_learn(objects, masks=False)["labels"].tolist() == [4, 3]


def test_evaluation_has_the_same_loss_each_time_and_draws_no_random_number():
    built = tiny_backbone()
    made = head(built).eval()
    features, targets = given(built, made)
    before = torch.get_rng_state()
    with torch.no_grad():
        first, again = (made.forward_loss(features, targets) for _ in range(2))
    assert first == again
    assert torch.equal(torch.get_rng_state(), before)
    assert not made.decoder.proposals.training


def test_a_model_trains_under_autocast_with_recomputed_blocks():
    model = adapt(tiny_backbone(), method="full", task=INSTANCES, labels=["cell"])
    model.set_grad_checkpointing()
    _, inputs, targets = squares(model.anatomy, 1)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.train()(inputs, targets)
    loss.backward()
    assert loss.dtype == torch.float32
    grads = {n: p.grad for n, p in model.trained_parameters().items() if p.grad is not None}
    assert all(grad.isfinite().all() for grad in grads.values())
    assert any(name.startswith("adapter.") for name in grads)


def test_what_is_compiled_is_compiled_once():
    """Regions are other ones in each pass, and are looked at as they are."""
    model = adapt(tiny_backbone(), method="linear", task=INSTANCES, labels=["cell"]).train()
    _, inputs, targets = squares(model.anatomy, 2)
    targets["labels"] = [0 * labels for labels in targets["labels"]]
    torch.manual_seed(0)
    expected = [model(inputs, targets) for _ in range(2)]
    graphs = []
    model.compile(backend=lambda graph, given: graphs.append(graph) or graph.forward)
    torch.manual_seed(0)
    first = model(inputs, targets)
    count = len(graphs)
    assert torch.allclose(first, expected[0])
    assert torch.allclose(model(inputs, targets), expected[1])
    assert 0 < len(graphs) == count


def test_anchors_lie_at_strides_that_are_no_whole_numbers():
    maps = [torch.zeros(1, 8, 64, 48)]
    anchors = Anchors([3.5], 4.0, [1.0])(_Pictures(2), maps)
    middles = anchors[1].view(64, 48, 4).unflatten(2, (2, 2)).mean(2)
    assert len(anchors) == 2
    assert middles[63, 47].tolist() == [47 * 3.5, 63 * 3.5]
    assert (anchors[0][0, 2:] - anchors[0][0, :2]).tolist() == [14, 14]


class _Pictures:
    def __init__(self, count: int) -> None:
        self.image_sizes = [(224, 168)] * count


def test_regions_are_read_at_the_strides_that_the_maps_have():
    columns = torch.arange(64.0).expand(1, 1, 64, 64)
    pool = region_pool([3.5, 7.0], 7)
    found = pool(
        {"0": columns, "1": columns[..., ::2, ::2]}, [torch.tensor([[35.0, 0, 70, 35]])], []
    )
    # bins of 5 pixels, 1.43 places: the first one's middle is at 37.5 pixels, place 10.71
    assert found[0, 0, 0, 0].item() == pytest.approx(37.5 / 3.5, abs=1e-4)


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([7], "`task.levels` asks for block 7, and the backbone has 0 to 1"),
        ([0, 1], "names 2 blocks whose maps are of one size: name one"),
        ([], "asks for no block"),
    ],
)
def test_levels_that_make_no_pyramid_are_refused(levels, said):
    with pytest.raises(ConfigError, match=said):
        head(tiny_backbone(), {**INSTANCES, "levels": levels})


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


def test_what_is_drawn_tells_objects_that_touch_apart():
    (raster,) = answer().drawn()
    assert raster.labels == ("nothing", "edge of an object", "nuclei", "cells")
    assert raster.values_HW.shape == (12, 16)
    # the box from 2 to 10, its left half from 2 to 6
    assert raster.values_HW[5].tolist() == [0, 0, 1, 2, 2, 1] + [0] * 10
    assert (raster.values_HW[:, 4] > 0).nonzero()[:, 0].tolist() == [*range(10)]


def test_truth_is_seen_beside_the_answer():
    made = head(tiny_backbone(), labels=("nuclei", "cells"))
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
    boxed = head(tiny_backbone(), {**SMALL, "name": "detection"}, labels=("nuclei", "cells"))
    (truth,) = boxed.truths({name: [leaf] for name, leaf in one.items()})
    seen = truth.with_input(Input(Path("a"), torch.zeros(3, 12, 16), {}))
    assert seen.drawn()[0].values_HW[2, 2:6].tolist() == [2, 2, 2, 0]
