"""Folding adapters into frozen weights, generic over methods."""

from __future__ import annotations

import pytest
import torch

from onlay.errors import CannotFold
from onlay.testing import tiny_backbone


def merged_equals(model, images, tolerance=1e-5):
    model.eval()
    merged = model.merge()
    with torch.no_grad():
        torch.testing.assert_close(merged(images), model(images), atol=tolerance, rtol=tolerance)
    assert not dict(merged.adapter.named_parameters())
    assert not merged.adapter.pipes
    assert merged.merge_change < tolerance
    return merged


@pytest.mark.parametrize("piece", ["ScaleShift", "Matrix"])
@pytest.mark.parametrize("site", ["attn.in", "qkv.out", "attn.out", "mlp.in", "fc1.out", "mlp.out"])
def test_affine_rewrites_fold_exactly(built, images, adapt_with, pieces, piece, site):
    def attach(place):
        for i, block in enumerate(place.blocks):
            place.rewrite(block.site(site), pieces[piece](block.site(site).width, seed=i))

    merged_equals(adapt_with(built, attach), images)


def test_every_site_at_once(built, images, adapt_with, pieces):
    """A scale before a matrix at one site, and a LoRA along the next map: the order of folding
    matters."""

    def attach(place):
        for i, block in enumerate(place.blocks):
            for site in ("attn.in", "mlp.in"):
                place.rewrite(block.site(site), pieces["ScaleShift"](16, i))
                place.rewrite(block.site(site), pieces["Matrix"](16, i + 5))
            for site in ("qkv.out", "attn.out", "fc1.out", "mlp.out"):
                place.rewrite(block.site(site), pieces["ScaleShift"](block.site(site).width, i))
            place.branch(
                block.site("attn.in"), block.site("qkv.out"), pieces["LowRank"](16, 48, seed=i)
            )
            place.branch(
                block.site("mlp.in"), block.site("fc1.out"), pieces["LowRank"](16, 32, seed=i)
            )
        place.rewrite(place.site("norm.out"), pieces["ScaleShift"](16, 9))

    merged_equals(adapt_with(built, attach), images, tolerance=5e-5)


def test_fold_creates_a_bias_where_there_was_none(images, adapt_with, pieces):
    built = tiny_backbone(qkv_bias=False)
    model = adapt_with(
        built, lambda p: p.rewrite(p.blocks[0].site("attn.in"), pieces["Matrix"](16))
    )
    merged = merged_equals(model, images)
    assert merged.backbone.blocks[0].attn.qkv.bias is not None
    assert built.module.blocks[0].attn.qkv.bias is None


def test_merge_by_hand(built, adapt_with, pieces):
    """mlp.in, x' = M x + b before fc1: W' = W M, c' = c + W b."""
    piece = pieces["Matrix"](16)
    model = adapt_with(built, lambda p: p.rewrite(p.blocks[1].site("mlp.in"), piece))
    fc1 = built.module.blocks[1].mlp.fc1
    matrix = torch.eye(16) + piece.matrix
    folded = model.merge().backbone.blocks[1].mlp.fc1
    torch.testing.assert_close(folded.weight, fc1.weight @ matrix)
    torch.testing.assert_close(folded.bias, fc1.bias + fc1.weight @ piece.bias)


def test_merge_leaves_the_model_as_it_is_and_folds_thawed_copies(built, images, adapt_with, pieces):
    def attach(place):
        place.rewrite(place.blocks[0].site("mlp.out"), pieces["ScaleShift"](16))
        place.thaw(place.blocks[1].module.norm1)

    model = adapt_with(built, attach)
    with torch.no_grad():
        model.adapter.thawed.blocks._modules["1"].norm1.weight.add_(0.5)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    merged_equals(model, images)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_what_cannot_be_folded_refuses_with_its_reason(built, adapt_with, pieces):
    def attach(place):
        block = place.blocks[0]
        place.branch(block.site("mlp.in"), block.site("mlp.out"), pieces["Gated"](16))

    with pytest.raises(CannotFold, match=r"`blocks.0.mlp.out`: `Gated` is not affine"):
        adapt_with(built, attach).merge()


def test_an_adapter_in_sequence_refuses(built, adapt_with, pieces):
    def attach(place):
        site = place.blocks[0].site("mlp.out")
        place.branch(site, site, pieces["LowRank"](16, 16))

    with pytest.raises(CannotFold, match="it is added to what it reads; a rewrite would fold"):
        adapt_with(built, attach).merge()


def test_residual_rewrites_and_insertions_refuse(built, adapt_with, pieces):
    def attach(place):
        place.rewrite(place.blocks[0].site("mlp.res"), pieces["ScaleShift"](16))

    with pytest.raises(CannotFold, match="no linear map alone"):
        adapt_with(built, attach).merge()
    other = adapt_with(
        tiny_backbone(),
        lambda p: p.insert(p.blocks[0], pieces["Mean"](16), source=p.blocks[0].site("mlp.res")),
    )
    with pytest.raises(CannotFold, match="inserted tokens are no weight"):
        other.merge()


def test_partial_merge_folds_what_it_can_around_what_stays(built, images, adapt_with, pieces):
    """DAPT's case: scale and shift fold into norm and fc2, the gated branch between them stays."""

    def attach(place):
        block = place.blocks[0]
        place.rewrite(block.site("mlp.in"), pieces["ScaleShift"](16, 1))
        place.rewrite(block.site("mlp.out"), pieces["ScaleShift"](16, 2))
        place.branch(block.site("mlp.in"), block.site("mlp.out"), pieces["Gated"](16))

    model = adapt_with(built, attach).eval()
    merged = model.merge(partial=True)
    torch.testing.assert_close(merged(images), model(images), atol=1e-5, rtol=1e-5)
    assert [str(r) for r in merged.merge_refusals] == ["`blocks.0.mlp.out`: `Gated` is not affine"]
    assert sum(p.numel() for p in merged.adapter.parameters()) == 16 * 2 + 2 + 2 * 16 + 16


def test_a_matrix_stays_where_a_branch_that_stays_reads_the_same_tensor(
    built, images, adapt_with, pieces
):
    """Folding it into fc1 would take it away from the branch."""

    def attach(place):
        block = place.blocks[0]
        place.rewrite(block.site("mlp.in"), pieces["Matrix"](16, 1))
        place.branch(block.site("mlp.in"), block.site("mlp.out"), pieces["Gated"](16))

    model = adapt_with(built, attach).eval()
    merged = model.merge(partial=True)
    torch.testing.assert_close(merged(images), model(images))
    assert {r.path for r in merged.merge_refusals} == {"blocks.0.mlp.in", "blocks.0.mlp.out"}


def test_bfloat16_weights_are_merged_in_float32_and_cast_last(built, adapt_with, pieces):
    piece = pieces["Matrix"](16)
    model = adapt_with(built, lambda p: p.rewrite(p.blocks[0].site("mlp.in"), piece))
    model.to(torch.bfloat16)
    fc1 = model.backbone.blocks[0].mlp.fc1
    exact = fc1.weight.float() @ (torch.eye(16) + piece.matrix.float())
    folded = model.merge().backbone.blocks[0].mlp.fc1.weight
    assert folded.dtype == torch.bfloat16
    assert torch.equal(folded, exact.to(torch.bfloat16))
