"""Programs of `torch.export` and ONNX take any batch and compute what the model does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.testing import tiny_backbone

BATCHES = (1, 2, 7)


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


def convolutions(exported: Any) -> int:
    called = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    return sum("conv" in name for name in called)


@pytest.fixture(scope="module")
def made(adapt: Any, randomize: Any) -> tuple[Any, Any]:
    """A model with the defaults, on one block, and its program; images are (B, 3, 8, 12)."""
    model = randomize(adapt(tiny_backbone(depth=1)))
    return model, program(model, drawn(3, 3, 8, 12))


def test_an_image_model(made: Any) -> None:
    """Its one convolution is the patch embedding: none has as many groups as the batch samples."""
    model, exported = made
    assert convolutions(exported) == 1
    check(exported.module(), model, 3, 8, 12)


def test_with_everything_else(adapt: Any, randomize: Any) -> None:
    fields = {
        "generator": "conv_pool", "kernel_norm": "filter", "kernel_size": 5,
        "prefix_tokens": "centre_tap", "learnable_scale": True, "placement": "after_attn",
    }  # fmt: skip
    model = randomize(adapt(tiny_backbone(depth=1), **fields))
    exported = program(model, drawn(3, 3, 8, 12))
    assert convolutions(exported) == 2  # and the generator's own
    check(exported.module(), model, 3, 8, 12)


@pytest.mark.filterwarnings("error:The tensor attribute:UserWarning")
def test_clouds(points: Any, adapt: Any, randomize: Any) -> None:
    """Neighbours are found in the program, and making it leaves nothing behind in the model."""
    model = randomize(adapt(points(depth=1, groups=4), neighbours=3, kernel_norm="filter"))
    before = model(drawn(2, 64, 3)).detach()
    check(program(model, drawn(3, 64, 3)).module(), model, 64, 3)
    assert torch.equal(model(drawn(2, 64, 3)), before)


def test_onnx(made: Any) -> None:
    """Run by ONNX's own reference."""
    onnx = pytest.importorskip("onnx", reason="writes and runs the file")
    pytest.importorskip("onnxscript", reason="`torch.onnx.export` builds the graph with it")
    from onnx.reference import ReferenceEvaluator

    model, exported = made
    written: Any = torch.onnx.export(exported, dynamo=True, verbose=False)
    proto = written.model_proto
    onnx.checker.check_model(proto)
    evaluator, (given,) = ReferenceEvaluator(proto), proto.graph.input
    assert given.type.tensor_type.shape.dim[0].dim_param

    def run(images: Tensor) -> Tensor:
        (logits,) = evaluator.run(None, {given.name: images.numpy()})
        return torch.from_numpy(logits)

    check(run, model, 3, 8, 12)
