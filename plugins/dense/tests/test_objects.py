"""Tasks `instances` and `detection`: what their heads learn from, give and say."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from onlay import PluginHost, adapt
from onlay.config import parse
from onlay.errors import ConfigError
from onlay.model.assemble import build_head
from onlay.model.report import parts_of
from onlay.testing import tiny_backbone, tiny_pyramid
from onlay_dense.objects.anchors import Anchors, region_pool
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


@pytest.mark.skipif(not hasattr(torch.compiler, "is_exporting"), reason="torch 2.7 says it first")
def test_what_is_no_program_of_one_graph_is_refused_in_a_sentence():
    model = adapt(tiny_backbone(), "linear", task=INSTANCES, labels=("cell",), host=HOST).eval()
    with pytest.raises(ConfigError, match="depends on the picture: export a model of task"):
        torch.export.export(model, (torch.randn(2, 3, 8, 8),), strict=False)
