"""What the sites of a block mean, and what can be folded there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onlay.anatomy import Affine, Block, BuiltBackbone, Placement, Site
from onlay.anatomy.attachments import Attachments
from onlay.anatomy.folding import fold
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import encoded, piped, trace
from onlay.testing.checking import require
from onlay.testing.states import apart

FOLDED = 1e-4

ALONE = {
    **dict.fromkeys(("attn.in", "qkv.out"), "attn.out"),
    **dict.fromkeys(("mlp.in", "fc1.out", "fc2.in"), "mlp.out"),
}
"""Sites of a branch, and where the branch joins the residual stream."""
STREAM = {"block.in": ("attn.out", "mlp.out"), "mlp.res": ("mlp.out",)}
"""Sites of the residual stream, and the branches behind them."""


def check_branches_and_streams_are_told_apart(case: BackboneCase) -> None:
    """What changes at `attn.in`, `qkv.out`, `mlp.in`, `fc1.out` or `fc2.in` goes through attention
    or the MLP alone; what changes at `block.in` or `mlp.res` also goes past them."""
    inputs = case.inputs()
    tensors = trace(case.anatomy, inputs).tensors
    for block in case.ends:
        own = block.sites
        for name, end in ALONE.items():
            if name in own and end in own:
                same = _held(case, inputs, tensors, block, name, (end,))
                require(same, f"`{own[name].path}` acts past `{end}`, too")
        for name, ends in STREAM.items():
            if name in own and all(end in own for end in ends):
                same = _held(case, inputs, tensors, block, name, ends)
                require(not same, f"`{own[name].path}` acts through its branches alone")


def _held(
    case: BackboneCase,
    inputs: Tensor,
    tensors: dict[str, Tensor],
    block: Block,
    changed: str,
    held: tuple[str, ...],
) -> bool:
    """Whether `block.out` is as it was, after a change at one site, with others held."""
    seen: list[Tensor] = []

    def change(site: Site, x: Tensor) -> Tensor:
        if site.name == changed:
            return x + torch.linspace(-1, 2, x.numel()).view(x.shape)
        if site.name in held:
            return tensors[site.path]
        seen.append(x)
        return x

    sites = [block.site(name) for name in (changed, *held, "block.out")]
    with piped(sites, change):
        encoded(case.anatomy, inputs)
    return torch.equal(seen[0], tensors[block.site("block.out").path])


def check_folds_where_it_says(case: BackboneCase) -> None:
    """A scale and a shift at a site that has a `writer` or `readers` give the same features when
    they are folded into these, or folding is refused with a reason."""
    whole = list(case.anatomy.sites.values())
    sites = whole + [site for block in case.ends for site in block.sites.values()]
    paths = [site.path for site in sites if folds(site)]
    if moved(case, paths) > FOLDED:
        for path in paths:
            worst = moved(case, [path])
            require(worst <= FOLDED, f"folding at `{path}` moves features by {worst:.2g}")
        require(False, "folding at all sites at once moves features")


def folds(site: Site) -> bool:
    """Whether it says that something can be folded there."""
    return site.writer is not None or bool(site.readers)


def moved(case: BackboneCase, paths: list[str], built: BuiltBackbone | None = None) -> float:
    """How far features move when what is placed at these sites is folded, in a copy or `built`."""
    built = built or case.copied()
    place = Placement(built.anatomy)
    for site in list(built.anatomy.all_places()):
        if site.path in paths:
            place.rewrite(site, _ScaleShift(site.width))
    inputs = case.inputs()
    attachments = Attachments.of(built.module)
    attachments.add("folding", place.adapter)
    before = encoded(built.anatomy, inputs)
    attachments.activate(None)
    fold(place.adapter)
    place.adapter.prune()
    attachments.activate("folding")
    after = encoded(built.anatomy, inputs)
    return max(apart(after[name], before[name]) for name in before)


class _ScaleShift(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0.8, 1.2, width))
        self.shift = nn.Parameter(torch.linspace(-0.2, 0.3, width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift

    def affine(self) -> Affine:
        return Affine(self.scale, self.shift)
