"""Programs of `torch.export` and ONNX take any batch and compute what the model does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

BATCHES = (1, 2, 7)
SWIN = "swin_tiny_patch4_window7_224"


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(shape[0]))


def program(model: Any, example: Tensor) -> Any:
    batch = torch.export.Dim("batch", min=1, max=64)
    with torch.no_grad():
        return torch.export.export(model, (example,), dynamic_shapes=({0: batch},))


def check(run: Any, model: Any, *shape: int) -> None:
    for batch in BATCHES:
        inputs = drawn(batch, *shape)
        with torch.no_grad():
            torch.testing.assert_close(run(inputs), model(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"generator": "conv_pool", "kernel_norm": "filter", "kernel_size": 5},
        {"generator": "se", "prefix_tokens": "centre_tap", "learnable_scale": True},
    ],
    ids=["linear", "conv_pool", "se"],
)
def test_an_image_model(fields: Any, vit: Any, adapt: Any, randomize: Any) -> None:
    model = randomize(adapt(vit(depth=1), **fields))
    exported = program(model, drawn(3, 3, 8, 12))
    called = [str(n.target) for n in exported.graph.nodes if n.op == "call_function"]
    convolutions = [name for name in called if "conv" in name]
    # of the patch embedding, and of that generator: none of as many groups as samples
    assert len(convolutions) == (2 if fields.get("generator") == "conv_pool" else 1)
    check(exported.module(), model, 3, 8, 12)


def test_swin(timm_model: Any, adapt: Any, randomize: Any) -> None:
    """From rows to a map."""
    model = randomize(adapt(timm_model(SWIN, depths=(1,), num_heads=(2,))))
    check(program(model, drawn(3, 3, 32, 32)).module(), model, 3, 32, 32)


def test_a_program_for_clouds(points: Any, adapt: Any, randomize: Any, tmp_path: Path) -> None:
    """Neighbours are found in it; and the model itself is none the worse."""
    model = randomize(adapt(points(depth=1, groups=4), neighbours=3))
    from inlay_pointcloud.export import export

    before = model(drawn(2, 64, 3)).detach()
    export(model.merge(partial=True).eval(), tmp_path / "model.pt2")
    check(torch.export.load(tmp_path / "model.pt2").module(), model, 64, 3)
    assert torch.equal(model(drawn(2, 64, 3)), before)


def test_onnx(vit: Any, adapt: Any, randomize: Any) -> None:
    """Run by ONNX's own reference."""
    onnx = pytest.importorskip("onnx", reason="writes and runs the file")
    pytest.importorskip("onnxscript", reason="`torch.onnx.export` builds the graph with it")
    from onnx.reference import ReferenceEvaluator

    model = randomize(adapt(vit(depth=1)))
    batch = torch.export.Dim("batch", min=1, max=64)
    written = torch.onnx.export(
        model, (drawn(3, 3, 8, 12),), dynamo=True, dynamic_shapes=({0: batch},), verbose=False
    )
    proto = written.model_proto
    onnx.checker.check_model(proto)
    evaluator, (given,) = ReferenceEvaluator(proto), proto.graph.input
    assert given.type.tensor_type.shape.dim[0].dim_param

    def run(images: Tensor) -> Tensor:
        (logits,) = evaluator.run(None, {given.name: images.numpy()})
        return torch.from_numpy(logits)

    check(run, model, 3, 8, 12)
