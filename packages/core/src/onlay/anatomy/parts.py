"""A backbone's anatomy: stages of blocks, each with named sites.

Shapes: B batch, T tokens, D width, H and W a map's height and width, C image channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from onlay.anatomy.slices import Rows, SliceOf
from onlay.errors import AnatomyError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from onlay.anatomy.ports import Port, Undo
    from onlay.anatomy.targets import FoldTarget
    from onlay.features import Features, Layout

BLOCK_SITES = (
    "block.in",
    "attn.in",
    "qkv.out",
    "attn.out",
    "mlp.res",
    "mlp.in",
    "fc1.out",
    "fc2.in",
    "mlp.out",
    "block.out",
)
"""The sites of a block in the order in which data meets them."""

MODEL_SITES = ("input", "embed.out", "position.out", "tokens.in", "norm.out")
"""The sites of the whole: what the network is given, patch tokens before prefix tokens, what a
module makes of the patches' places, what enters block 0, after the last norm."""


FUSED = ("q", "k", "v")
"""The parts of `qkv.out`, in their order."""


@dataclass(frozen=True, eq=False)
class Site:
    """A named place where a tensor can be read, rewritten or added to."""

    name: str
    path: str
    """Unique and stable: `blocks.3.attn.in`, `embed.out`; the name in bundles and reports."""
    width: int
    """Size of the last axis, or of `axis`."""
    port: Port
    writer: FoldTarget | None = None
    """The frozen affine map whose output this tensor is, if there is exactly one."""
    readers: Sequence[FoldTarget] = ()
    """The frozen linear maps that read this tensor, if nothing else does; else empty."""
    unfoldable: str = ""
    """Why a fold into the readers would not be exact here, if so."""
    map: FoldTarget | None = None
    """The frozen map behind this tensor where it is no `writer`, as it also computes what no
    adapter at the site sees (padding)."""
    axis: int = -1
    """Which axis is `width` long: the last, or -3 for the channels of pixels (B, C, H, W)."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Slices of the last axis -> width, in their order: `q`, `k` and `v` of `qkv.out`."""
    whole: Site | None = None
    """The site that this one is a slice of."""
    start: int = 0
    """Where the slice begins on the whole's last axis."""
    beside: int = 0
    """Tokens at the front that the sites inside the block have not, as another part of it carries
    them: what is added from there is added to the others."""

    @property
    def order(self) -> int:
        """Position among the sites that one block has."""
        name = self.name if self.whole is None else self.whole.name
        return BLOCK_SITES.index(name) if name in BLOCK_SITES else -1

    @property
    def stop(self) -> int:
        """Where the slice ends on the whole's last axis."""
        return self.start + self.width

    def spread(self, vector: Tensor) -> Tensor:
        """A vector (width,) as it multiplies the site's tensor: (C, 1, 1) for pixels."""
        return vector.reshape(-1, *(1 for _ in range(-1 - self.axis)))

    def part(self, name: str) -> Site:
        """A slice as a site of its own, with its own fold: `qkv.out.q` of `qkv.out`.

        Raises:
            AnatomyError: there is no such part; lists those that there are.
        """
        if name not in self.parts:
            have = ", ".join(f"`{n}`" for n in self.parts) or "none"
            raise AnatomyError(f"`{self.path}` has no part `{name}` (have: {have})")
        return self._slices[name]

    def places(self) -> Iterator[Site]:
        """What can be acted on here, in the order in which it acts: the parts, then the whole."""
        yield from self._slices.values()
        yield self

    @cached_property
    def _slices(self) -> dict[str, Site]:
        made, start = {}, 0
        for name, width in self.parts.items():
            made[name] = self._slice(name, start, start + width)
            start += width
        return made

    def _slice(self, name: str, start: int, stop: int) -> Site:
        return Site(
            f"{self.name}.{name}",
            f"{self.path}.{name}",
            stop - start,
            SliceOf(self.port, start, stop),
            writer=None if self.writer is None else Rows(self.writer, start, stop),
            unfoldable=self.unfoldable,
            map=None if self.map is None else Rows(self.map, start, stop),
            whole=self,
            start=start,
        )


@dataclass(frozen=True, eq=False)
class Block:
    """One transformer layer."""

    index: int
    """Counted over the whole backbone, from 0."""
    width: int
    sites: Mapping[str, Site]
    module: nn.Module
    heads: int = 1
    mlp_norm: nn.Module | None = None
    """The norm of the MLP's branch: before the MLP, or behind it in Swin-V2."""
    norm_behind: bool = False
    """Whether that norm reads what the MLP puts out."""

    def site(self, name: str) -> Site:
        """The site, or a part of one by its whole name (`qkv.out.q`), or an `AnatomyError` that
        lists the sites that the block has."""
        whole, _, part = name.rpartition(".")
        if whole in self.sites:
            return self.sites[whole].part(part)
        if name not in self.sites:
            have = ", ".join(f"`{n}`" for n in self.sites)
            raise AnatomyError(f"block {self.index} has no site `{name}` (have: {have})")
        return self.sites[name]


@dataclass(frozen=True, eq=False)
class Stage:
    """Blocks of one width."""

    index: int
    width: int
    blocks: Sequence[Block]
    stride: tuple[int, int] | None = None
    """Height and width in pixels of one place on the maps of its blocks, where these are maps of a
    picture."""


@dataclass(eq=False)
class Anatomy(ABC):
    """What core knows of a backbone. A modality's plugin makes one for each model object."""

    model: nn.Module
    stages: Sequence[Stage]
    sites: Mapping[str, Site]
    """The sites of the whole that this backbone has (of `MODEL_SITES`)."""
    provides: frozenset[str]
    """Traits that methods may need: `sequence`, `grid`, `points`, `line`, `hierarchical`,
    `class_token`, `insertion`, `extension`, `causal` (no token sees later ones)."""
    prefix: int = 0
    """Tokens before the patches as pretrained: class token and registers."""
    class_token: tuple[nn.Module, str] | None = None
    """Owner and name of the class-token parameter; inserted tokens go right after it, else
    first."""
    class_position: tuple[nn.Module, str] | None = None
    """Owner and name of the class token's position embedding, where it has a parameter of its
    own."""
    pooled_width: int | None = None
    """Width of `Features.pooled`, where it is not that of a token."""
    freeze_bn: bool = True
    """Whether frozen batch norms keep their statistics while an adapter trains; if not, they drift
    as in the authors' training, in copies that the adapter owns and the bundle holds."""
    embedders: Mapping[str, nn.Module] = field(default_factory=dict)
    """What makes tokens of inputs, for methods that train some of it: `tokens`, of it
    `tokens.first`, the layers in front of its first pooling, and `position`, what makes positions;
    as far as these are modules."""
    patches: int | None = None
    """How many patches or groups every input has, where the network fixes it."""
    settings: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    """What an adapter may set while it is active (`position`, `last_norm`): owner and attribute."""
    kept_beside: Sequence[nn.Module] = ()
    """Modules before the blocks whose output later places read, beside the tokens (where groups
    lie): a pass that begins at a later block is given it back."""
    skipped: Sequence[nn.Module] = ()
    """Costly modules before the blocks, of whose output such a pass needs no more than the
    shape."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """A trait that is missing -> why, to finish the sentence of a refusal."""

    @property
    def pooling(self) -> str:
        """How `Features.pooled` is made now, where two networks of the same weights can differ in
        it: a bundle remembers it. Empty: they cannot."""
        return ""

    @property
    def blocks(self) -> list[Block]:
        """All blocks, over all stages."""
        return [block for stage in self.stages for block in stage.blocks]

    @property
    def insertion_point(self) -> int:
        """Where in the sequence inserted tokens go: right after the class token, else first."""
        return 0 if self.class_token is None else 1

    def all_sites(self) -> Iterator[Site]:
        """Every site: of the whole first, then block by block in data order; without their
        parts."""
        yield from self.sites.values()
        for block in self.blocks:
            yield from (block.sites[name] for name in BLOCK_SITES if name in block.sites)

    def all_places(self) -> Iterator[Site]:
        """Every site with its parts, in the order in which what is placed there acts."""
        for site in self.all_sites():
            yield from site.places()

    @abstractmethod
    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        """Run the backbone; `inserted` tokens of adapters are in the sequence at its end.

        `levels` asks for the maps after those blocks. Also remembers the layout of `inputs` for
        `layout`.
        """

    @abstractmethod
    def layout(self, block: int, *, inserted: int = 0) -> Layout:
        """Where tokens lie at the entry of a block during the current (or last) `encode`."""

    def prepared(self, inputs: Tensor) -> Tensor:
        """Inputs in the dtype that the network computes in, whatever it was converted to."""
        own = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), None)
        return inputs if own is None or not inputs.is_floating_point() else inputs.to(own)

    def follow(self) -> list[Undo]:
        """Hooks that note where tokens lie while an adapter is active, so that `layout` is right
        also where the backbone is called by itself and not through `encode`."""
        return []

    @abstractmethod
    def example(self, batch: int = 1) -> Tensor:
        """Random inputs of the size that the backbone expects, on its device."""

    @abstractmethod
    def make_room(self, block: int, count: int) -> list[Undo]:
        """Prepare the blocks from `block` on for `count` more tokens (rotary prefix, relative
        bias); how to undo it."""

    @abstractmethod
    def trunk(self) -> dict[str, Tensor]:
        """The state dict without the pretraining classifier: what the fingerprint is taken of."""


@dataclass(kw_only=True)
class BuiltBackbone:
    """A backbone that is ready to be adapted."""

    module: nn.Module
    anatomy: Anatomy
    modality: str
    input_spec: Mapping[str, Any]
    """What data sets need to prepare inputs: image size, mean, std, interpolation, crop, ...;
    JSON-able."""
    source: Mapping[str, Any]
    """A backbone config, dumped, from which the same backbone can be built again; empty for a
    foreign object."""
    label: str
    """The name for people: `vit_base_patch16_224.augreg_in21k`."""
