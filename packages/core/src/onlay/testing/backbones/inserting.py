"""Tokens that adapters put in, and keys and values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from onlay.anatomy import Block, BuiltBackbone, Placement, Site
from onlay.anatomy.attachments import Attachments
from onlay.features import Features
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import Trace, encoded, outputs_of, piped, trace
from onlay.testing.checking import require
from onlay.testing.states import apart

CLOSE = 1e-5


class Tokens(nn.Module):
    """Learned tokens (count, D)."""

    def __init__(self, count: int, width: int, seed: int) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.tokens = nn.Parameter(torch.randn(count, width, generator=g))

    def forward(self) -> Tensor:
        return self.tokens


def no_insertion(case: BackboneCase) -> str:
    return "" if "insertion" in case.said else "it does not provide `insertion`"


def check_inserted_tokens_come_out_as_prompts(case: BackboneCase) -> None:
    """Tokens that are put in behind the last block come out as `prompts`, the newest first, and
    leave patches and class token bit for bit as they are."""
    built = case.copied()
    bare = encoded(built.anatomy, case.inputs())
    last = built.anatomy.blocks[-1]
    pieces = [Tokens(2, last.width, 0), Tokens(1, last.width, 1)]
    with _inserted(built, last, pieces), torch.enable_grad():
        features = built.anatomy.encode(case.inputs(), inserted=3)
    for name in bare.keys() & {"patches", "cls"}:
        require(torch.equal(outputs_of(features)[name], bare[name]), f"`{name}` changed")
    shape = (*bare["patches"].shape[:1], 3, bare["patches"].shape[2])
    found = tuple(features.prompts.shape)
    require(found == shape, f"`prompts` is {found} and should be {shape}")
    for place, own in enumerate((pieces[1], pieces[0], pieces[0])):
        _comes_from(features, place, own, pieces)


def _comes_from(features: Features, place: int, own: Tokens, pieces: list[Tokens]) -> None:
    weights = torch.linspace(-1, 2, features.prompts.shape[-1])
    total = (features.prompts[:, place] * weights).sum()
    all_tokens = [piece.tokens for piece in pieces]
    found = torch.autograd.grad(total, all_tokens, allow_unused=True, retain_graph=True)
    moved = [
        piece for piece, g in zip(pieces, found, strict=True) if g is not None and bool(g.any())
    ]
    require(moved == [own], f"prompt {place} is not the token that was put in there")


def check_later_blocks_see_inserted_tokens(case: BackboneCase) -> None:
    """Behind the block where tokens are put in, every block is given that many more, the layout
    counts them in its prefix, and the patches, as many as before, attend to them."""
    built = case.copied()
    anatomy, inputs = built.anatomy, case.inputs()
    bare, first = trace(anatomy, inputs), anatomy.blocks[0]
    with _inserted(built, first, [Tokens(3, first.width, 0)]):
        seen = trace(anatomy, inputs, inserted=3)
    assert seen.features is not None
    assert bare.features is not None
    for block in anatomy.blocks[1:]:
        before, after = (t.tensors[f"> {block.index}"].shape[1] for t in (bare, seen))
        require(after == before + 3, f"block {block.index} is given {after} tokens, not 3 more")
        layout = anatomy.layout(block.index, inserted=3)
        places = layout.prefix + layout.count
        require(places == after, f"block {block.index}: {places} places for {after} tokens")
    own, patches = bare.features.patches, seen.features.patches
    require(patches.shape == own.shape, f"`patches` becomes {tuple(patches.shape)}")
    require(bool(patches.isfinite().all()), "`patches` is not finite")
    if len(anatomy.blocks) > 1:
        require(not torch.equal(patches, own), "no patch attends to the inserted tokens")
    prefix = seen.features.layout.prefix - bare.features.layout.prefix
    require(prefix == 3, f"the layout of the features counts {prefix} of 3 tokens")


def check_inserted_tokens_leave_again(case: BackboneCase) -> None:
    """Behind the last block that may see them inserted tokens are gone: later blocks are given as
    many tokens as without, and make of these what the bare network makes of them."""
    built = case.copied()
    anatomy, inputs = built.anatomy, case.inputs()
    entry = anatomy.sites.get("tokens.in", anatomy.blocks[0])
    first = anatomy.blocks[0 if isinstance(entry, Site) else min(1, len(anatomy.blocks) - 1)]
    if isinstance(entry, Block) and entry is first:
        return  # a single block, and no site before it
    bare = trace(anatomy, inputs)
    place = Placement(anatomy)
    place.insert(entry, Tokens(3, first.width, 0), count=3, until=first)
    with _attached(built, place):
        seen = trace(anatomy, inputs)
    assert seen.features is not None
    for block in anatomy.blocks[first.index + 1 :]:
        before, after = (t.tensors[f"> {block.index}"].shape[1] for t in (bare, seen))
        require(after == before, f"block {block.index} is given {after} tokens, not {before}")
    found = seen.features.prompts.shape[1]
    require(not found, f"`prompts` has {found} tokens that have left")
    _goes_on_bare(case, first, seen)


def _goes_on_bare(case: BackboneCase, block: Block, seen: Trace) -> None:
    """Behind a block the network computes what it does by itself."""
    left = seen.tensors[f"< {block.index}"]
    own = case.anatomy.blocks[block.index].site("block.out")
    with piped([own], lambda site, x: left):
        expected = encoded(case.anatomy, case.inputs())
    assert seen.features is not None
    for name, tensor in outputs_of(seen.features).items():
        worst = apart(tensor, expected[name]) if expected[name].numel() else 0.0
        require(worst <= CLOSE, f"`{name}` moves by {worst:.2g} behind the block that they left")


def no_extension(case: BackboneCase) -> str:
    return "" if "extension" in case.said else "it does not provide `extension`"


def check_keys_and_values_belong_to_no_token(case: BackboneCase) -> None:
    """Keys and values that are put into a block's attention leave the tokens as many as they are,
    act on them, each and whatever their order, and have no place among them."""
    built, inputs = case.copied(), case.inputs()
    bare = encoded(built.anatomy, inputs)
    for number in sorted({0, len(built.anatomy.blocks) - 1}):
        block = built.anatomy.blocks[number]
        rows = Tokens(3, 2 * block.site("qkv.out").width // 3, 0)
        found = _extended(built, block, rows, inputs)
        for name, tensor in found.items():
            require(tensor.shape == bare[name].shape, f"`{name}` becomes {tuple(tensor.shape)}")
        require(not torch.equal(found["patches"], bare["patches"]), f"block {number} ignores them")
        rows.tokens.data = rows.tokens.data.flip(0)
        turned = _extended(built, block, rows, inputs)
        worst = max(apart(turned[name], found[name]) for name in found)
        require(worst <= CLOSE, f"block {number}: their order moves features by {worst:.2g}")


def _extended(
    built: BuiltBackbone, block: Block, rows: Tokens, inputs: Tensor
) -> dict[str, Tensor]:
    place = Placement(built.anatomy)
    place.extend(block, rows, count=len(rows.tokens))
    with _attached(built, place):
        return encoded(built.anatomy, inputs)


@contextmanager
def _inserted(built: BuiltBackbone, block: Block, pieces: list[Tokens]) -> Iterator[None]:
    place = Placement(built.anatomy)
    for piece in pieces:
        place.insert(block, piece, count=len(piece.tokens))
    with _attached(built, place):
        yield


@contextmanager
def _attached(built: BuiltBackbone, place: Placement) -> Iterator[None]:
    attachments = Attachments.of(built.module)
    attachments.add("inserted", place.adapter)
    try:
        yield
    finally:
        attachments.remove("inserted", built.module)
