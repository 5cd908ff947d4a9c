"""Export: scale-and-shift folds away, adapters and prompts stay, the outputs are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.errors import CannotFold
from onlay.model.program import export
from onlay_dapt.adapter import DynamicAdapter, InternalPrompt
from onlay_dapt.scale_and_shift import ScaleAndShift


def rewrites(model: Any) -> list[str]:
    return [path for path, pipe in model.adapter.pipes.items() if len(pipe.rewrites)]


@pytest.mark.parametrize("negative", [False, True])
def test_scale_and_shift_folds_except_negative_gammas_before_a_maximum(
    points: Any, adapt: Any, clouds: Tensor, randomize: Any, negative: bool
) -> None:
    model = adapt(points())
    randomize(model)
    with torch.no_grad():
        gamma = model.adapter.embed_out.rewrites[0].gamma
        gamma.abs_()
        if negative:
            gamma[5] = -0.3
        merged = model.merge(partial=True)
        assert rewrites(merged) == (["embed.out"] if negative else [])
        torch.testing.assert_close(merged(clouds), model(clouds), atol=1e-5, rtol=1e-5)
    assert merged.merge_change < 1e-5
    left = [type(m) for m in merged.adapter.modules()]
    assert (left.count(DynamicAdapter), left.count(InternalPrompt)) == (2, 2)
    assert left.count(ScaleAndShift) == 2 + negative  # the prompts' own
    reasons = {refusal.path: refusal.reason for refusal in merged.merge_refusals}
    assert reasons["blocks.1.mlp.out"] == "its scale differs from token to token"
    assert "no weight" in reasons["blocks.0.block.out"]
    assert ("embed.out" in reasons) == negative
    assert merged.backbone.blocks.blocks[0].attn.qkv.bias is not None


def test_without_prompts_the_scale_is_the_reason(points: Any, adapt: Any) -> None:
    model = adapt(points(), pool="cls+max", prompts=False)
    with pytest.raises(CannotFold, match=r"at `blocks\.0\.mlp\.out`.*differs from token to token"):
        model.merge()


def test_images_fold_likewise(image_backbone: Any, adapt: Any, images: Tensor, randomize: Any):
    model = adapt(image_backbone(qkv_bias=False))
    randomize(model)
    with torch.no_grad():
        merged = model.merge(partial=True)
        assert rewrites(merged) == []
        torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)


def test_the_program_folds_scale_and_shift_and_answers_the_same(
    points: Any, adapt: Any, clouds: Tensor, randomize: Any, tmp_path: Path
) -> None:
    model = adapt(points(depth=1))
    randomize(model)
    with torch.no_grad():
        model.adapter.embed_out.rewrites[0].gamma.abs_()
        export(model.merge(partial=True), tmp_path / "model.pt2")
        program = torch.export.load(tmp_path / "model.pt2")
        assert not [name for name, _ in program.named_parameters() if "rewrites" in name]
        for batch in (1, 3):
            given = model.anatomy.example(batch)
            found, expected = program.module()(given), model(given)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
