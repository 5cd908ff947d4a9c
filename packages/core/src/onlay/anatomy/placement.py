"""The one object that a method is handed: a backbone's places, and what it can do there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from onlay.anatomy.adapter import BATCH_NORMS, Adapter
from onlay.anatomy.parts import Anatomy, Block, Site, Stage
from onlay.anatomy.pipe import Branch, Insertion, Tap
from onlay.anatomy.replacing import FrozenMap
from onlay.anatomy.standing import Swap, show
from onlay.anatomy.targets import Replaceable
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
    `replace`, for methods that need the weights themselves."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.adapter = Adapter(anatomy)
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
        """A site of the whole: `embed.out`, `tokens.in` or `norm.out`."""
        if name not in self.anatomy.sites:
            have = ", ".join(f"`{n}`" for n in self.anatomy.sites) or "none"
            raise AnatomyError(f"this backbone has no site `{name}` (have: {have})")
        return self.anatomy.sites[name]

    def layout(self, block: Block) -> Callable[[], Layout]:
        """What a module asks while it runs: where do tokens lie at the entry of `block`?"""
        return LayoutAt(self.adapter, block.index)

    def rewrite(self, site: Site, module: nn.Module) -> None:
        """x becomes module(x); several at one site act in the order of their placing."""
        self.adapter.pipe(site).rewrites.append(module)

    def branch(self, source: Site, target: Site, module: nn.Module) -> Branch:
        """target becomes target + module(source).

        The source is read as it leaves its site: after that site's rewrites and what is added
        there. Source and target are sites of one block, the source first; or they are one site, for
        an adapter in sequence, which reads what was there before it.
        """
        branch = Branch(source, target, module)
        if not branch.sequential:
            self._check_order(source, target)
            self.adapter.pipe(source).taps.append(branch)
        pipe = self.adapter.pipe(target)
        pipe.branches.append(module)
        pipe.incoming.append(branch)
        return branch

    def insert(
        self,
        where: Block | Site,
        module: nn.Module,
        source: Branch | Site | None = None,
        *,
        count: int = 1,
    ) -> None:
        """Put `count` tokens in right after the class token, or first where there is none.

        `where`: a block, after which they appear and which later blocks see, or the site
        `tokens.in`. `module` gets what `source` gives, a branch's output or a site's tensor
        (B, T, D), and returns (B, count, D); without a source it is called with nothing and returns
        (1, count, D) or (count, D). Needs a backbone that provides `insertion`.
        """
        if "insertion" not in self.provides:
            why = self.anatomy.unfit.get("insertion", "its token count is fixed")
            raise AnatomyError(f"tokens cannot be inserted into this backbone: {why}")
        first = where.index + 1 if isinstance(where, Block) else 0
        target = where.site("block.out") if isinstance(where, Block) else where
        pipe = self.adapter.pipe(target)
        pipe.inserts.append(module)
        position = self.anatomy.insertion_point
        pipe.insertions.append(Insertion(module, self._tap(source, target), position, count))
        self.adapter.inserted.append((first, count))

    def maps(self, site: Site) -> list[FrozenMap]:
        """The layers that write a site's tensor: one, or q, k and v where they are apart.

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
        return [FrozenMap(site, self._paths[id(part.module)], part) for part in parts]

    def replace(self, map: FrozenMap, module: nn.Module) -> None:
        """`map` computes module(x), x being the layer's input; each map once.

        The module computes with `map.twin()`, which it must not register as a child. It folds if it
        has `affine()`: the matrix (out, in) and the shift (out,) that stand for map and adapter
        together.
        """
        if any(r.map.path == map.path for r in self.adapter.replacements):
            raise AnatomyError(f"`{map.path}` is replaced already")
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

    def _tap(self, source: Branch | Site | None, target: Site) -> Tap | None:
        if source is None:
            return None
        if isinstance(source, Branch):
            tap = Tap(source.source)
            source.listeners.append(tap)
            return tap
        self._check_order(source, target)
        tap = Tap(source)
        self.adapter.pipe(source).taps.append(tap)
        return tap

    def _check_order(self, source: Site, target: Site) -> None:
        same_block = source.path.removesuffix(source.name) == target.path.removesuffix(target.name)
        if not (same_block and 0 <= source.order < target.order):
            raise AnatomyError(
                f"a branch stays in one block and goes forward:"
                f" `{source.path}` does not come before `{target.path}` in one block"
            )

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
