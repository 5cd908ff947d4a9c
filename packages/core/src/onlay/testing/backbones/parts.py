"""Parts of sites, and what the network is given."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from onlay.anatomy import Site
from onlay.errors import AnatomyError
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.streams import FOLDED, folds, moved
from onlay.testing.backbones.watching import encoded, piped, trace
from onlay.testing.checking import Broken, require
from onlay.testing.states import apart

CLOSE = 1e-5


def no_parts(case: BackboneCase) -> str:
    return "" if any(_divided(case)) else "none of its sites has parts"


def no_input(case: BackboneCase) -> str:
    return "" if "input" in case.anatomy.sites else "it has no site `input`"


def _divided(case: BackboneCase) -> Iterator[Site]:
    for block in case.ends:
        yield from (site for site in block.sites.values() if site.parts)


def check_parts_are_slices(case: BackboneCase) -> None:
    """The parts of a site (`q`, `k` and `v` of `qkv.out`) are together as wide as the whole, each
    is a slice of it bit for bit, and a change of one leaves the others as they were (to
    rounding)."""
    for whole in _divided(case):
        parts = [whole.part(name) for name in whole.parts]
        widths = [part.width for part in parts]
        same = sum(widths) == whole.width
        require(same, f"`{whole.path}` is {whole.width} wide and its parts are {widths}")
        before = _seen(case, [whole], None)[whole.path]
        for part in parts:
            seen = _seen(case, [part, whole], part)
            own = before[..., part.start : part.stop]
            require(torch.equal(seen[part.path], own), f"`{part.path}` is no slice of the whole")
            expected = before.clone()
            expected[..., part.start : part.stop] += 1
            close = apart(seen[whole.path], expected) <= CLOSE
            require(close, f"a change at `{part.path}` is another one of `{whole.path}`")


def _seen(case: BackboneCase, sites: list[Site], changed: Site | None) -> dict[str, Tensor]:
    """What passes there, after 1 was added at one of them."""
    seen: dict[str, Tensor] = {}

    def watch(site: Site, x: Tensor) -> Tensor:
        seen[site.path] = x
        return x + 1 if site is changed else x

    with piped(sites, watch):
        encoded(case.anatomy, case.inputs())
    return seen


def no_attention(case: BackboneCase) -> str:
    known = any(_attention(case))
    return "" if known else "no block has `attn.out` and `qkv.out` of the parts q, k and v"


def _attention(case: BackboneCase) -> Iterator[tuple[Site, Site]]:
    for block in case.ends:
        whole, out = block.sites.get("qkv.out"), block.sites.get("attn.out")
        if whole is not None and out is not None and {*whole.parts} == {"q", "k", "v"}:
            yield whole, out


def check_parts_are_called_what_they_are(case: BackboneCase) -> None:
    """Of q, k and v, v is the one by which the same change at all tokens moves what attention puts
    out by the same everywhere, and, where one of them leaves it as it is, that is k."""
    for whole, out in _attention(case):
        still, alike = set(), set()
        before = _put_out(case, whole, out, "")
        for name in whole.parts:
            moved_by = (_put_out(case, whole, out, name) - before).flatten(0, -2)
            size = moved_by.abs().max().item()
            if size <= CLOSE * max(before.abs().max().item(), 1):
                still.add(name)
            elif (moved_by - moved_by[0]).abs().max().item() <= 1e-3 * size:
                alike.add(name)
        for right, found in (("v", alike), ("k", still)):
            if len(found) == 1:
                (name,) = found
                require(name == right, f"what `{whole.path}` calls {name} is {right}")


def _put_out(case: BackboneCase, whole: Site, out: Site, name: str) -> Tensor:
    """What attention puts out, after one vector was added to a part of all tokens."""
    part = whole.part(name) if name else None
    chance = torch.Generator().manual_seed(0)
    shift = torch.randn(part.width if part else 1, generator=chance)
    seen: dict[str, Tensor] = {}

    def watch(site: Site, x: Tensor) -> Tensor:
        if site is part:
            return x + shift
        seen[site.path] = x
        return x

    with piped([out, *filter(None, [part])], watch):
        encoded(case.anatomy, case.inputs())
    return seen[out.path]


def check_parts_fold_alone(case: BackboneCase) -> None:
    """A scale and a shift at one part fold into the rows that write it, or folding is refused with
    a reason; the rows of the other parts stay bit for bit what they are."""
    for whole in _divided(case):
        for name in whole.parts if folds(whole) else ():
            part = whole.part(name)
            built = case.copied()
            own = next(s for s in built.anatomy.all_sites() if s.path == whole.path)
            before = _read(own)
            worst = moved(case, [part.path], built)
            require(worst <= FOLDED, f"folding at `{part.path}` moves features by {worst:.2g}")
            for tensor, former in zip(_read(own), before, strict=True):
                tensor[part.start : part.stop] = former[part.start : part.stop]
                same = torch.equal(tensor, former)
                require(same, f"folding at `{part.path}` changes rows of other parts")


def _read(site: Site) -> tuple[Tensor, Tensor]:
    if site.writer is None:
        raise Broken(f"`{site.path}` has no writer")
    return site.writer.read()


def check_input_is_what_the_network_is_given(case: BackboneCase) -> None:
    """At `input` passes what `prepared` gives, bit for bit, and what changes its shape there is
    refused in a sentence."""
    site, inputs = case.anatomy.sites["input"], case.anatomy.prepared(case.inputs())
    seen = trace(case.anatomy, inputs).tensors.get(site.path)
    given = inputs.narrow(site.axis, 0, min(site.width, inputs.shape[site.axis]))
    require(seen is not None and torch.equal(seen, given), "another tensor passes at `input`")
    across = 1 if site.axis == -1 else -1  # points by points, pixels by pixels
    try:
        with piped([site], lambda site, x: torch.cat([x, x], dim=across)):
            encoded(case.anatomy, inputs)
    except AnatomyError as error:
        require(len(str(error).split()) > 4, f"the refusal gives no reason: {error}")
    else:
        raise Broken("an input of another shape is taken at `input`")
