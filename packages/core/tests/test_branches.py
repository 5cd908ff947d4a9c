"""Branches, on a backbone whose forward pass is written out by hand."""

from __future__ import annotations

import pytest
import torch
from plain_blocks import plain
from torch import nn
from torch.nn import functional as F

from onlay.anatomy import InputOf, Site
from onlay.anatomy.pipe import SitePipe
from onlay.anatomy.wires import Branch, Tap
from onlay.errors import AnatomyError


def test_branch_adds_after_the_rewrites_of_both_sites(built, images, adapt_with, pieces):
    """DAPT's order: the adapter reads the rewritten `mlp.in`; its sum comes after `mlp.out`'s
    rewrite."""
    first, second, side = (
        pieces["ScaleShift"](16, 1),
        pieces["ScaleShift"](16, 2),
        pieces["Gated"](16),
    )

    def attach(place):
        block = place.blocks[0]
        place.branch(block.site("mlp.in"), block.site("mlp.out"), side)
        place.rewrite(block.site("mlp.in"), first)
        place.rewrite(block.site("mlp.out"), second)

    read = {}

    def at(name, index, x):
        if (name, index) == ("mlp.in", 0):
            read["z"] = x = first(x)
        if (name, index) == ("mlp.out", 0):
            x = second(x) + side(read["z"])
        return x

    expected = plain(built.module, images, at)
    model = adapt_with(built, attach)
    torch.testing.assert_close(model.backbone(images), expected)


def test_a_branch_from_a_site_to_itself_is_an_adapter_in_sequence(
    built, images, adapt_with, pieces
):
    """Behind the MLP: f becomes f + side(f), after rewrites; tokens can be made of side(f)."""
    side, first, mean = pieces["Gated"](16), pieces["ScaleShift"](16), pieces["Mean"](16)
    made = {}

    def attach(place):
        site = place.blocks[1].site("mlp.out")
        branch = place.branch(site, site, side)
        place.rewrite(site, first)
        place.insert(place.blocks[1], mean, source=branch)

    def at(name, index, x):
        if (name, index) == ("mlp.out", 1):
            made["side"] = side(first(x))
            return first(x) + made["side"]
        return x

    expected = plain(built.module, images, at)
    features = adapt_with(built, attach).anatomy.encode(images, inserted=1)
    torch.testing.assert_close(features.patches, expected[:, 1:])
    token = F.layer_norm(mean(made["side"]), (16,))  # norm.out of a fresh norm
    torch.testing.assert_close(features.prompts, token)


@pytest.mark.parametrize(
    ("made", "given"), [((2, 3, 4, 5), (2, 12, 5)), ((2, 12, 5), (2, 3, 4, 5))]
)
def test_a_branch_may_lead_from_a_map_to_its_rows_or_back(made, given):
    """(B, H, W, D) and (B, H W, D) are the same tokens, row by row."""

    def site(name):
        return Site(name, f"blocks.0.{name}", 5, InputOf(nn.Identity()))

    x, added = torch.randn(given), torch.randn(made)
    source, target = site("mlp.res"), site("block.out")
    tap = Tap(source, target)
    pipe = SitePipe(target)
    pipe.incoming.append(Branch([tap], target, nn.Identity(), source))
    tap.hold(added)
    found = pipe(x)
    assert found.shape == given
    assert torch.equal(found.view(2, 12, 5), x.view(2, 12, 5) + added.view(2, 12, 5))


def test_a_branch_may_give_one_token_for_all(built, images, adapt_with, pieces):
    mean = pieces["Mean"](16)

    def attach(place):
        block = place.blocks[1]
        place.branch(block.site("mlp.in"), block.site("mlp.out"), mean)

    read = {}

    def at(name, index, x):
        if (name, index) == ("mlp.in", 1):
            read["z"] = x
        return x + mean(read["z"]) if (name, index) == ("mlp.out", 1) else x

    expected = plain(built.module, images, at)
    torch.testing.assert_close(adapt_with(built, attach).backbone(images), expected)


@pytest.mark.parametrize(("source", "target"), [("mlp.out", "mlp.in"), ("block.out", "block.in")])
def test_branch_backwards_is_refused(built, pieces, adapt_with, source, target):
    block = built.anatomy.blocks[0]
    with pytest.raises(AnatomyError, match="does not come before"):
        adapt_with(
            built, lambda p: p.branch(block.site(source), block.site(target), pieces["Gated"](16))
        )
