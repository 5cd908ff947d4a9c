"""Where a backbone's sites lie."""

from __future__ import annotations

from itertools import zip_longest

import torch
from torch import Tensor

from onlay.anatomy import BLOCK_SITES, MODEL_SITES, Block, Site
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import encoded, outputs_of, piped, trace, undone
from onlay.testing.checking import require
from onlay.testing.states import apart, listed, tree

CLOSE = 1e-5


def check_sites_are_named(case: BackboneCase) -> None:
    """Blocks are counted from 0 over all stages, each has at least `block.in` and `block.out`, and
    a site's path tells it from every other: `blocks.3.attn.in`, `embed.out`."""
    numbers = [block.index for block in case.anatomy.blocks]
    require(numbers == list(range(len(numbers))), f"the blocks are counted {numbers}")
    for name, site in case.anatomy.sites.items():
        require(name in MODEL_SITES, f"the whole has no site `{name}`")
        _is_called(site, name, name)
    for block in case.anatomy.blocks:
        lost = sorted({"block.in", "block.out"} - block.sites.keys())
        require(not lost, f"block {block.index} has no `{', '.join(lost)}`")
        for name, site in block.sites.items():
            require(name in BLOCK_SITES, f"a block has no site `{name}`")
            _is_called(site, name, f"blocks.{block.index}.{name}")


def _is_called(site: Site, name: str, path: str) -> None:
    require(site.name == name, f"the site `{name}` calls itself `{site.name}`")
    require(site.path == path, f"the site `{path}` has the path `{site.path}`")


def check_sites_are_met_in_order(case: BackboneCase) -> None:
    """In one forward pass every site is met once, those of a block between its entry and its exit,
    in the order in which data meets them."""
    met = trace(case.anatomy, case.inputs()).events
    here = met.index("> 0") if "> 0" in met else 0
    if met[here : here + 2] == ["> 0", "tokens.in"]:
        # both may be one place: the input of the first block's module
        met[here : here + 2] = ["tokens.in", "> 0"]
    expected = [name for name in MODEL_SITES[:-1] if name in case.anatomy.sites]
    for block in case.anatomy.blocks:
        own = [block.sites[name].path for name in BLOCK_SITES if name in block.sites]
        expected += [f"> {block.index}", *own, f"< {block.index}"]
    expected += [name for name in MODEL_SITES[-1:] if name in case.anatomy.sites]
    for got, wanted in zip_longest(met, expected):
        require(got == wanted, f"{_said(got)} where {_said(wanted)} should be")


def _said(event: str | None) -> str:
    if event is None:
        return "nothing is met"
    kind = {">": "the entry of block", "<": "the exit of block"}.get(event[0])
    return f"{kind} {event[2:]} is met" if kind else f"`{event}` is met"


def check_widths_are_those_of_the_tensors(case: BackboneCase) -> None:
    """A site's `width` is the last axis, or its `axis`, of what passes there, whose first axis is
    the batch; the residual stream is as wide as its block and its stage."""
    inputs = case.inputs()
    for path, tensor in trace(case.anatomy, inputs).tensors.items():
        require(len(tensor) == len(inputs), f"`{path}`: {tuple(tensor.shape)} has no batch first")
    tensors = trace(case.anatomy, inputs).tensors
    for site in case.anatomy.all_sites():
        if site.path in tensors:
            found = tensors[site.path].shape[site.axis]
            require(found == site.width, f"`{site.path}` says {site.width} and is {found} wide")
    for stage in case.anatomy.stages:
        for block in stage.blocks:
            _one_width(block, stage.width)


def _one_width(block: Block, width: int) -> None:
    for name in ("block.in", "block.out"):
        if name in block.sites:
            own = {block.sites[name].width, block.width, width}
            require(len(own) == 1, f"block {block.index}, its stage and `{name}`: {sorted(own)}")


def check_block_in_and_out_are_the_blocks_own(case: BackboneCase) -> None:
    """`block.in` is what the block's module is given and `block.out` what it returns, bit for
    bit."""
    tensors = trace(case.anatomy, case.inputs()).tensors
    for block in case.anatomy.blocks:
        for name, event in (("block.in", f"> {block.index}"), ("block.out", f"< {block.index}")):
            got, own = tensors.get(block.site(name).path), tensors.get(event)
            same = got is not None and own is not None and torch.equal(got, own)
            require(same, f"`{block.site(name).path}` is not what the block's module shows")


def check_passing_on_changes_nothing(case: BackboneCase) -> None:
    """Handing on what a site holds, itself or an equal copy, changes no feature by more than
    rounding."""
    inputs = case.inputs()
    before = encoded(case.anatomy, inputs)
    for how in (lambda site, x: x, lambda site, x: x.clone()):
        with piped(case.anatomy.all_sites(), how):
            after = encoded(case.anatomy, inputs)
        for name, tensor in before.items():
            worst = apart(after[name], tensor)
            require(worst <= CLOSE, f"`{name}` moves by {worst:.2g} of its size")


def check_every_site_acts_on_the_features(case: BackboneCase) -> None:
    """A change at any site changes the features: no site is a place that nobody reads."""
    shifts: dict[str, Tensor] = {}

    def shifted(site: Site, x: Tensor) -> Tensor:
        shifts[site.path] = x.new_zeros(site.width, requires_grad=True)
        return x + site.spread(shifts[site.path])

    with piped(case.anatomy.all_sites(), shifted), torch.enable_grad():
        outputs = outputs_of(case.anatomy.encode(case.inputs()))
        total = sum((_weighed(tensor) for tensor in outputs.values()), torch.zeros(()))
        found = torch.autograd.grad(total, list(shifts.values()), allow_unused=True)
    dead = [p for p, g in zip(shifts, found, strict=True) if g is None or not bool(g.any())]
    require(not dead, f"a change at {listed(dead)} changes nothing")


def _weighed(tensor: Tensor) -> Tensor:
    """A sum in which no two values weigh alike, so that norms do not cancel it."""
    return (tensor * torch.linspace(-1, 2, tensor.numel()).view(tensor.shape)).sum()


def check_ports_leave_nothing_behind(case: BackboneCase) -> None:
    """What ports, `follow` and `make_room` install is taken back without a trace in modules, hooks,
    attributes and tensors."""
    anatomy = case.anatomy
    before = tree(anatomy.model)
    undos = anatomy.follow()
    for site in anatomy.all_sites():
        undos += site.port.install(lambda x: x)
    if "insertion" in anatomy.provides:
        undos += anatomy.make_room(0, 2)
    undone(undos)
    after = tree(anatomy.model)
    odd = [name or "the network" for name in before | after if before.get(name) != after.get(name)]
    require(not odd, f"{listed(odd)} is left with other hooks, attributes or tensors")
