"""The one object that a method is handed: a backbone's places, and what it can do there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from onlay.anatomy.adapter import BATCH_NORMS, Adapter
from onlay.anatomy.last_blocks import earlier, held_to
from onlay.anatomy.order import (
    ADDED,
    CARRIED,
    moment,
    place_of,
    refuse_count,
    refuse_later,
    refuse_no_module,
)
from onlay.anatomy.parts import Anatomy, Block, Site, Stage
from onlay.anatomy.replacing import FrozenMap
from onlay.anatomy.slices import LayerRows
from onlay.anatomy.standing import Swap, show
from onlay.anatomy.targets import CalledTarget, Replaceable
from onlay.anatomy.tokens import Blank, Insertion, KeysAndValues, Stay
from onlay.anatomy.wires import Branch, Source, Tap, Wire
from onlay.errors import AnatomyError
from onlay.features import Layout


@dataclass(frozen=True)
class LayoutAt:
    """Calling it during a forward pass says where tokens lie at the entry of a block."""

    adapter: Adapter
    block: int

    def __call__(self) -> Layout:
        inserted = self.adapter.tokens_before(self.block)
        return self.adapter.anatomy.layout(self.block, inserted=inserted)


class Placement:
    """Places of one backbone, and the verbs `rewrite`, `branch`, `insert`, `thaw`; beside them
    `carry` and `extend`, and `replace` for methods that need the weights themselves."""

    def __init__(self, anatomy: Anatomy, last_blocks: int | None = None) -> None:
        self.anatomy = held_to(anatomy, last_blocks)
        self.adapter = Adapter(anatomy)
        self._last = last_blocks
        self._paths = {id(m): name for name, m in anatomy.model.named_modules()}

    @property
    def stages(self) -> Sequence[Stage]:
        return self.anatomy.stages

    @property
    def blocks(self) -> list[Block]:
        return self.anatomy.blocks

    @property
    def provides(self) -> frozenset[str]:
        return self.anatomy.provides

    def site(self, name: str) -> Site:
        """A site of the whole: `input`, `embed.out`, `position.out`, `tokens.in` or `norm.out`."""
        if name not in self.anatomy.sites:
            self._refuse_earlier(name, self.adapter.anatomy.sites)
            have = ", ".join(f"`{n}`" for n in self.anatomy.sites) or "none"
            raise AnatomyError(f"this backbone has no site `{name}` (have: {have})")
        return self.anatomy.sites[name]

    def embedder(self, name: str) -> nn.Module:
        """A part of what makes tokens, to `thaw`: `tokens`, `tokens.first` or `position`."""
        if name not in self.anatomy.embedders:
            self._refuse_earlier(name, self.adapter.anatomy.embedders)
            have = ", ".join(f"`{n}`" for n in self.anatomy.embedders) or "none"
            raise AnatomyError(f"this backbone names no embedder `{name}` (have: {have})")
        return self.anatomy.embedders[name]

    def layout(self, block: Block) -> Callable[[], Layout]:
        """What a module asks while it runs: where do tokens lie at the entry of `block`?"""
        return LayoutAt(self.adapter, block.index)

    def rewrite(self, site: Site, module: nn.Module) -> None:
        """x becomes module(x); several at one site act in the order of their placing."""
        refuse_no_module(module, "rewrite")
        self.adapter.pipe(site).rewrites.append(module)

    def branch(self, source: Source | Sequence[Source], target: Site, module: nn.Module) -> Branch:
        """target becomes target + module(source).

        The source is a site, read as it leaves: after that site's rewrites and what is added
        there; or another branch, or what `carry` gave; or several of them, for module(a, b, ...).
        It comes before the target, in the same block or an earlier one; or both are one site, for
        an adapter in sequence, which reads what was there before it.
        """
        sources = _listed(source)
        refuse_no_module(module, "branch")
        alone = sources[0] if len(sources) == 1 and isinstance(sources[0], Site) else None
        if alone is not target:
            refuse_later(sources, target, ADDED)
        branch = Branch([Tap(place_of(s), target) for s in sources], target, module, alone)
        if not branch.sequential:
            self._listen(sources, branch.taps)
        pipe = self.adapter.pipe(target)
        pipe.branches.append(module)
        pipe.incoming.append(branch)
        return branch

    def carry(self, source: Source | Sequence[Source], module: nn.Module) -> Wire:
        """module(source) is kept for the pass, as a source of later branches, insertions and
        carries, and is added to nothing.

        It is made where the last of its sources is there. A chain of them is a network beside the
        backbone (ladder and side networks); while it is added only behind the last block, at
        `norm.out`, no gradient passes through the backbone.
        """
        sources = _listed(source)
        refuse_no_module(module, "carry")
        target = place_of(max(sources, key=moment))
        refuse_later(sources, target, CARRIED)
        wire = Wire([Tap(place_of(s), target) for s in sources], target, module)
        self._listen(sources, wire.taps)
        pipe = self.adapter.pipe(target)
        pipe.carriers.append(module)
        pipe.carried.append(wire)
        return wire

    def insert(
        self,
        where: Block | Site,
        module: nn.Module,
        source: Source | Sequence[Source] | None = None,
        *,
        count: int = 1,
        until: Block | None = None,
    ) -> None:
        """Put `count` tokens in right after the class token, or first where there is none.

        `where`: a block, after which they appear and which later blocks see, or the site
        `tokens.in`. `until`: the last block that sees them, after which they leave again; without
        it they stay and come out as `Features.prompts`. `module` gets what `source` gives, as a
        branch does (`block.out` of `where` is the newest), and returns (B, count, D); without a
        source it is called with nothing and returns (1, count, D) or (count, D). Needs a backbone
        that provides `insertion`.
        """
        self._refuse_missing("insertion", "tokens cannot be inserted into this backbone")
        refuse_no_module(module, "insert")
        refuse_count(count)
        target, first = self._entrance(where)
        last = None if until is None else until.index
        if last is not None and last < first:
            raise AnatomyError(
                f"tokens that come at `{target.path}` cannot leave after block {last}: the first"
                f" block that sees them is {first}"
            )
        insertion = Insertion(
            target, module, self._taps(source, target), self.anatomy.insertion_point, count
        )
        pipe = self.adapter.pipe(target)
        pipe.inserts.append(module)
        pipe.insertions.append(insertion)
        self.adapter.stays.append(Stay(first, count, last))

    def extend(
        self,
        block: Block,
        module: nn.Module,
        source: Source | Sequence[Source] | None = None,
        *,
        count: int = 1,
    ) -> None:
        """Give a block's attention `count` keys and values that belong to no token and ask nothing
        (prefix tuning).

        `module` returns them side by side, (1 or B, count, 2 D), D being the width of all heads
        together, and reads what `source` gives, as in `insert`. Nothing else in the block sees
        them; a block that normalises its keys normalises these, too, and rotations and position
        biases leave them as they are. Keys of zeros still take their share of the softmax. Needs a
        backbone that provides `extension`.
        """
        self._refuse_missing("extension", "no keys and values can be added in this backbone")
        refuse_no_module(module, "extend")
        refuse_count(count)
        enter, made, leave = (block.site(name) for name in ("attn.in", "qkv.out", "attn.out"))
        taps, position = self._taps(source, made), self.anatomy.insertion_point
        rows = slice(position, position + count)
        self.adapter.pipe(enter).insertions.append(Blank(enter, position, count))
        pipe = self.adapter.pipe(made)
        pipe.inserts.append(module)
        pipe.hidden.append(rows)
        pipe.insertions.append(KeysAndValues(made, module, taps, position, count))
        self.adapter.pipe(leave).hidden.append(rows)
        self.adapter.extended.append((block.index, count))

    def maps(self, site: Site) -> list[FrozenMap]:
        """The layers that write a site's tensor: one, or q, k and v where they are apart.

        Of a part it is the layer that writes it alone, or its rows of the fused one
        (`blocks.3.attn.qkv.q`), beside which other rows can be replaced.

        Raises:
            AnatomyError: no linear or convolution layer alone writes it.
        """
        target = site.writer or site.map
        parts = target.parts() if isinstance(target, Replaceable) else []
        if not parts:
            raise AnatomyError(
                f"no linear or convolution layer alone writes `{site.path}`;"
                " choose a site such as `qkv.out` or `mlp.out`"
            )
        return [FrozenMap(site, self._layer(site, part), part) for part in parts]

    def readers(self, site: Site) -> list[FrozenMap]:
        """The layers that read a site's tensor: `fc1` of `mlp.in`, or both first layers of a gated
        MLP.

        Raises:
            AnatomyError: something else reads it, too.
        """
        layers = [reader for reader in site.readers if isinstance(reader, Replaceable)]
        parts = [part for layer in layers for part in layer.parts()]
        if not parts or len(layers) < len(site.readers):
            raise AnatomyError(f"no linear layers alone read `{site.path}`")
        return [FrozenMap(site, self._layer(site, part), part) for part in parts]

    def _layer(self, site: Site, target: CalledTarget) -> str:
        if isinstance(target, LayerRows):
            return f"{self._paths[id(target.layer.module)]}.{site.path.rpartition('.')[2]}"
        return self._paths[id(target.module)]

    def replace(self, map: FrozenMap, module: nn.Module) -> None:
        """`map` computes module(x), x being the layer's input; each map once.

        The module computes with `map.twin()`, which it must not register as a child. It folds if it
        has `affine()`: the matrix (out, in) and the shift (out,) that stand for map and adapter
        together. Between the maps of `fc1.out` and `mlp.out` there may be fewer rows than tokens,
        (M, hidden), if the second module brings back what the first took out.
        """
        for other in (r.map.path for r in self.adapter.replacements):
            if f"{map.path}.".startswith(f"{other}.") or other.startswith(f"{map.path}."):
                raise AnatomyError(f"`{other}` is replaced already")
        refuse_no_module(module, "replace")
        self.adapter.replace(map, module)

    def thaw(self, what: nn.Module | nn.Parameter) -> None:
        """A trainable copy stands in for a parameter, or for all tensors of a module.

        The original stays frozen and untouched; detach puts it back.
        """
        if isinstance(what, nn.Parameter):
            self._thaw(*self._owner(what))
            return
        for module in what.modules():
            for name in [*module._parameters, *module._buffers]:
                if getattr(module, name) is not None and self._persistent(module, name):
                    self._thaw(module, name)

    def thaw_statistics(self) -> None:
        """Let the running statistics of the backbone's batch norms drift in training.

        In copies that the adapter owns and the bundle holds; weights and biases stay frozen.
        """
        for module in self.anatomy.model.modules():
            if isinstance(module, BATCH_NORMS):
                for name, buffer in module._buffers.items():
                    if buffer is not None:
                        self._thaw(module, name)

    def set(self, name: str, value: object) -> None:
        """Change a setting of the backbone (`position`) for as long as the adapter is active."""
        if name not in self.anatomy.settings:
            have = ", ".join(f"`{n}`" for n in self.anatomy.settings) or "none"
            raise AnatomyError(f"this backbone has no setting `{name}` (have: {have})")
        self.adapter.settings.append((*self.anatomy.settings[name], value))

    def _refuse_missing(self, trait: str, what: str) -> None:
        if trait not in self.provides:
            why = self.anatomy.unfit.get(trait, "its token count is fixed")
            raise AnatomyError(f"{what}: {why}")

    def _refuse_earlier(self, name: str, whole: Mapping[str, object]) -> None:
        if self._last is not None and name in whole:
            raise AnatomyError(earlier(name, self._last))

    def _entrance(self, where: Block | Site) -> tuple[Site, int]:
        """The site at which tokens come, and the first block that sees them."""
        if isinstance(where, Block):
            return where.site("block.out"), where.index + 1
        if where is self.anatomy.sites.get("tokens.in"):
            return where, 0
        for block in self.blocks:
            if where is block.sites.get("block.out"):
                return where, block.index + 1
        raise AnatomyError(f"tokens come after a block or at `tokens.in`, not at `{where.path}`")

    def _taps(self, source: Source | Sequence[Source] | None, target: Site) -> list[Tap]:
        sources = [] if source is None else _listed(source)
        refuse_later(sources, target, CARRIED)
        taps = [Tap(place_of(s), target) for s in sources]
        self._listen(sources, taps)
        return taps

    def _listen(self, sources: Sequence[Source], taps: Sequence[Tap]) -> None:
        for source, tap in zip(sources, taps, strict=True):
            wired = isinstance(source, Wire)
            (source.listeners if wired else self.adapter.pipe(source).taps).append(tap)
        self.adapter.taps += taps

    def _owner(self, parameter: nn.Parameter) -> tuple[nn.Module, str]:
        for module in self.anatomy.model.modules():
            for name, own in module._parameters.items():
                if own is parameter:
                    return module, name
        raise AnatomyError("`thaw` got a parameter that is not one of this backbone's")

    def _thaw(self, owner: nn.Module, name: str) -> None:
        path = ".".join(part for part in (self._paths[id(owner)], name) if part)
        if any(swap.path == path for swap in self.adapter.swaps):
            return
        copy: Tensor = getattr(owner, name).detach().clone()
        if name in owner._parameters:
            copy = nn.Parameter(copy)
        swap = Swap(self.anatomy.model, path, copy)
        show(self.adapter.thawed, swap)
        self.adapter.swaps.append(swap)

    @staticmethod
    def _persistent(module: nn.Module, name: str) -> bool:
        return name not in module._non_persistent_buffers_set


def _listed(source: Source | Sequence[Source]) -> list[Source]:
    return [source] if isinstance(source, Site | Wire) else list(source)
