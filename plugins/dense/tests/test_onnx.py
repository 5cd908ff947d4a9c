"""Masks and depths as ONNX files, run by ONNX's own reference, for a batch of any size."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from onlay import adapt
from onlay.testing import tiny_backbone

DPT = {"name": "dpt", "width": 4, "channels": [4, 4, 4, 4]}
LABELS = {"segmentation": ["sky", "road"], "depth": ["depth"]}


@pytest.mark.parametrize(
    ("task", "decoder"), [("segmentation", "linear"), ("segmentation", DPT), ("depth", "linear")]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@torch.no_grad()
def test_the_file_gives_the_models_answer(task: str, decoder: Any) -> None:
    onnx = pytest.importorskip("onnx", reason="writes and runs the file")
    pytest.importorskip("onnxscript", reason="`torch.onnx.export` builds the graph with it")
    from onnx.reference import ReferenceEvaluator

    settings = {"name": task, "decoder": decoder}
    model = adapt(tiny_backbone(), "linear", task=settings, labels=LABELS[task], verify=False)
    images = torch.randn(3, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export(model.eval(), (images,), dynamic_shapes=shapes, strict=False)
    written: Any = torch.onnx.export(program, dynamo=True, verbose=False)
    onnx.checker.check_model(written.model_proto)
    evaluator, (given,) = ReferenceEvaluator(written.model_proto), written.model_proto.graph.input
    for batch in (3, 1):
        (told,) = evaluator.run(None, {given.name: images[:batch].numpy()})
        torch.testing.assert_close(
            torch.from_numpy(told), model(images[:batch]), rtol=1e-5, atol=1e-5
        )
