"""What a method adds to one backbone: the pipes at its sites and its trainable copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.anatomy.joining import Joined
from onlay.anatomy.parts import Anatomy, Site
from onlay.anatomy.pipe import SitePipe
from onlay.anatomy.ports import Override, Pipe, Port, Undo, before_others
from onlay.anatomy.replacing import FrozenMap, Replacement
from onlay.anatomy.rows import RowsKept
from onlay.anatomy.standing import Swap, Thawed, followed
from onlay.anatomy.tokens import Stay, leaving
from onlay.anatomy.wires import Tap

if TYPE_CHECKING:
    from onlay.anatomy.exchanged import Watched

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Adapter(nn.Module):
    """Registered children only: `blocks.3.attn_in.rewrites.0...`,
    `thawed.blocks.0.norm2.weight`, `replaced.blocks.0.attn.qkv...`."""

    def __init__(self, anatomy: Anatomy) -> None:
        super().__init__()
        self.anatomy = anatomy
        self.pipes: dict[str, SitePipe] = {}
        self.swaps: list[Swap] = []
        self.undos: list[Undo] = []
        self.settings: list[tuple[object, str, object]] = []
        """(owner, attribute, value) of what the adapter sets in the backbone while it is active."""
        self.stays: list[Stay] = []
        """Which blocks see the tokens of every insertion."""
        self.extended: list[tuple[int, int]] = []
        """(block, how many keys and values are added in its attention)."""
        self.taps: list[Tap] = []
        """All that hands a tensor on to a later place."""
        self.thawed = Thawed()
        self.replacements: list[Replacement] = []
        self.replaced = nn.Module()
        self.watched: Watched | None = None
        """On which of the backbone's modules it hangs, once it has been active."""
        self.recomputes = False
        """Whether blocks are computed once more in the backward pass, to save memory."""
        self.modes: dict[nn.Module, bool] = {}
        """Which modules of the backbone were in training mode when another adapter took over."""

    @property
    def sites(self) -> list[str]:
        """Where the adapter acts, in the order in which data meets the sites."""
        acting = {*self.pipes, *(r.map.site.path for r in self.replacements)}
        return [place.path for place in self.anatomy.all_places() if place.path in acting]

    def replace(self, map: FrozenMap, module: nn.Module) -> None:
        """Let `module` stand in for a map; registered under the map's own name in `replaced`."""
        home, name = _descend(self.replaced, map.path)
        home.add_module(name, module)
        self.replacements.append(Replacement(map, module))

    def end_replacement(self, replacement: Replacement) -> None:
        """Forget a module whose work is done by the map itself."""
        self.replacements.remove(replacement)
        home, name = _descend(self.replaced, replacement.map.path)
        del home._modules[name]

    def home_of(self, path: str) -> str:
        """Where a module acts, by its path in the adapter: `blocks.3.attn_out...`, also of what
        stands in for a map."""
        for map in (replacement.map for replacement in self.replacements):
            if f"{path}.".startswith(f"replaced.{map.path}."):
                return _home_of(map.site) + path.removeprefix(f"replaced.{map.path}")
        return path

    def pipe(self, site: Site) -> SitePipe:
        """The pipe at a site, made when it is first asked for."""
        if site.path not in self.pipes:
            self.pipes[site.path] = SitePipe(site)
            home, name = _descend(self, _home_of(site))
            home.add_module(name, self.pipes[site.path])
        return self.pipes[site.path]

    def tokens_before(self, block: int) -> int:
        """How many inserted tokens are in the sequence when it enters a block."""
        return sum(stay.count for stay in self.stays if stay.seen_by(block))

    @property
    def tokens(self) -> int:
        """How many inserted tokens are in the sequence at its end."""
        return sum(stay.count for stay in self.stays if stay.last is None)

    def forget(self) -> None:
        """Drop what is still held for a later place: the pass is over, or broke off."""
        for tap in self.taps:
            tap.value = None

    def engage(self) -> None:
        """Install every hook and let the trainable copies stand in."""
        self.undos += self.anatomy.follow()
        self._tell_dtype()
        for replacement in self.replacements:
            self.undos += replacement.install()
        for kept in self._rows_kept():
            self.undos += kept.install()
        self._plan_leaving()
        for port, pipe in self._passages():
            self.undos += port.install(pipe)
        self.undos += self._make_room()
        if self.taps:
            over = self.anatomy.model.register_forward_hook(self._over, always_call=True)
            self.undos.append(over)
        for setting in self.settings:
            self.undos.append(Override(*setting))
        for swap in self.swaps:
            swap.exchange()
        self.undos += followed(self.swaps)
        before_others(self.undos)
        _set_modes(self.modes)

    def _passages(self) -> Iterator[tuple[Port, Pipe]]:
        """Where tensors pass, and through what, in the order in which data meets the sites."""
        for site in self.anatomy.all_sites():
            own = [self.pipes[p.path] for p in site.places() if p.path in self.pipes]
            if not own:
                continue
            whole = own[0].site.whole
            if whole is None:
                yield own[0].site.port, own[0].through
            else:
                yield whole.port, Joined(own).through

    def _rows_kept(self) -> Iterator[RowsKept]:
        paths = {r.map.site.path for r in self.replacements}
        for block in self.anatomy.blocks:
            own = block.sites
            between = {own[n].path for n in ("fc1.out", "mlp.out") if n in own} & paths
            if between and "mlp.in" in own:
                yield RowsKept(own["mlp.in"], own["mlp.out"])

    def _plan_leaving(self) -> None:
        start = self.anatomy.insertion_point
        for last in {stay.last for stay in self.stays if stay.last is not None}:
            pipe = self.pipe(self.anatomy.blocks[last].site("block.out"))
            gone = leaving(self.stays, last)
            pipe.leaving = [slice(start + rows.start, start + rows.stop) for rows in gone]

    def _make_room(self) -> list[Undo]:
        """For as many tokens as any block gets to see."""
        blocks = range(len(self.anatomy.blocks))
        more = [self.tokens_before(b) + sum(n for e, n in self.extended if e == b) for b in blocks]
        first = next((block for block in blocks if more[block]), None)
        return [] if first is None else self.anatomy.make_room(first, max(more))

    def _over(self, model: nn.Module, args: object, output: object) -> None:
        self.forget()

    def disengage(self) -> None:
        """Take everything back: the backbone is bit for bit what it was."""
        self.modes = _modes(self.anatomy.model)
        _set_modes(dict.fromkeys(self._drifting(), False))  # the original statistics stay
        while self.undos:
            self.undos.pop().remove()
        for swap in self.swaps:
            swap.exchange()

    @property
    def dtype(self) -> torch.dtype | None:
        """What its modules compute in, its copies apart; none where it has none."""
        mine = (m for name, m in self.named_children() if name not in ("thawed", "replaced"))
        tensors = (t for m in mine for t in (*m.parameters(), *m.buffers()))
        return next((t.dtype for t in tensors if t.is_floating_point()), None)

    def _tell_dtype(self) -> None:
        dtype = self.dtype
        for pipe in self.pipes.values():
            pipe.dtype = dtype

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Adapter:
        super()._apply(fn, recurse)
        self._tell_dtype()
        return self

    def train_backbone(self, mode: bool, *, active: bool) -> None:
        """Set the mode of the backbone's modules, now or for when this adapter acts; batch norms
        use and move their statistics only where these are thawed."""
        model, before = self.anatomy.model, _modes(self.anatomy.model)
        drifting = self._drifting()
        model.train(mode)
        for module in model.modules():
            if isinstance(module, BATCH_NORMS) and module not in drifting:
                module.training = False
        if not active:
            self.modes = _modes(model)
            _set_modes(before)

    def _drifting(self) -> set[nn.Module]:
        return {swap.owner for swap in self.swaps if swap.name == "running_mean"}

    def prune(self) -> None:
        """Forget the pipes at which nothing is left to do."""
        self.watched = None
        for path, pipe in list(self.pipes.items()):
            if pipe.idle:
                home, name = _descend(self, _home_of(pipe.site))
                del home._modules[name], self.pipes[path]

    def own_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers, each once."""
        yield from self.named_parameters()
        seen: set[int] = set()
        kept = set(self.state_dict(keep_vars=True))
        for name, buffer in self.named_buffers():
            if name in kept and id(buffer) not in seen:
                seen.add(id(buffer))
                yield name, buffer


def _modes(root: nn.Module) -> dict[nn.Module, bool]:
    return {module: module.training for module in root.modules()}


def _set_modes(modes: dict[nn.Module, bool]) -> None:
    for module, mode in modes.items():
        module.training = mode


def _home_of(site: Site) -> str:
    """`blocks.3.attn.in` is kept under `blocks.3.attn_in`."""
    return site.path.removesuffix(site.name) + site.name.replace(".", "_")


def _descend(root: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds the last part of `path`, made on the way, and that part."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root._modules[parent]  # type: ignore[assignment]
    return root, name
