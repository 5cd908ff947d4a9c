"""Where the sites of the network are: all that methods get to see of it.

Shapes: B batch, N patches, T tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onlay.anatomy import (
    Anatomy,
    Block,
    GivenTo,
    InputOf,
    ModuleTarget,
    OutputOf,
    ResidualInto,
    Site,
    Stage,
    Undo,
)
from onlay.anatomy.examples import normal_like
from onlay.anatomy.levels import recorded
from onlay.features import Features, Grid
from torch import Tensor

from . import network
from .config import TRAITS


def dissect(model: network.SmallVit) -> "SmallVitAnatomy":
    """The anatomy of a network; a hierarchical one would have several stages."""
    width = model.norm.normalized_shape[0]
    blocks = [_block(index, block, width) for index, block in enumerate(model.blocks)]
    return SmallVitAnatomy(
        model,
        stages=[Stage(0, width, blocks)],
        sites={site.name: site for site in _sites_of_the_whole(model, width)},
        provides=TRAITS,
        prefix=1,
        class_token=(model.tokens, "cls_token"),
    )


def _sites_of_the_whole(model: network.SmallVit, width: int) -> list[Site]:
    """`writer` is the one frozen map that puts out the tensor: what merging changes.

    The pixels at `input` have none; their channels are the third axis from behind.
    """
    norm = ModuleTarget(model.norm, diagonal=True)
    proj = ModuleTarget(model.patches.proj)
    embed, tokens = OutputOf(model.patches), OutputOf(model.tokens)
    given = GivenTo(model.patches)
    return [
        Site("input", "input", 3, given, axis=-3, unfoldable="no weight writes pixels"),
        Site("embed.out", "embed.out", width, embed, writer=proj),
        Site("tokens.in", "tokens.in", width, tokens),
        Site("norm.out", "norm.out", width, OutputOf(model.norm), writer=norm),
    ]


def _block(index: int, block: Any, width: int) -> Block:
    """The sites of one block, in the order in which data meets them.

    A site that a network does not have is left out; methods that need it then say so. Where
    one tensor is written by one linear map or norm (`writer`), or read by one alone
    (`readers`), adapters merge into that map; be strict here, or merging will not be exact.
    `parts` are slices with a fold of their own, in the order in which they lie.
    """
    attn, mlp = block.attn, block.mlp
    qkv, proj = ModuleTarget(attn.qkv), ModuleTarget(attn.proj)
    fc1, fc2 = ModuleTarget(mlp.fc1), ModuleTarget(mlp.fc2)
    norm1 = ModuleTarget(block.norm1, diagonal=True)
    norm2 = ModuleTarget(block.norm2, diagonal=True)
    residual = ResidualInto(block.norm2, block.end)
    prefix, hidden = f"blocks.{index}.", mlp.fc1.out_features
    parts = dict.fromkeys(("q", "k", "v"), width)

    def site(name: str, size: int, port: Any, **folds: Any) -> Site:
        return Site(name, prefix + name, size, port, **folds)

    sites = [
        site("block.in", width, InputOf(block)),
        site("attn.in", width, InputOf(attn), writer=norm1, readers=(qkv,)),
        site("qkv.out", 3 * width, OutputOf(attn.qkv), writer=qkv, parts=parts),
        site("attn.out", width, OutputOf(attn), writer=proj),
        site("mlp.res", width, residual),
        site("mlp.in", width, InputOf(mlp), writer=norm2, readers=(fc1,)),
        site("fc1.out", hidden, OutputOf(mlp.fc1), writer=fc1),
        site("fc2.in", hidden, InputOf(mlp.fc2), readers=(fc2,)),
        site("mlp.out", width, OutputOf(mlp), writer=fc2),
        site("block.out", width, OutputOf(block)),
    ]
    named = {each.name: each for each in sites}
    return Block(index, width, named, block, heads=attn.heads, mlp_norm=block.norm2)


@dataclass(eq=False)
class SmallVitAnatomy(Anatomy):
    """How the network is run, and where its tokens lie."""

    model: Any

    def encode(
        self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()
    ) -> Features:
        """Adapters act in the forward pass; their `inserted` tokens follow the class token."""
        with recorded(self.blocks, levels) as outputs:
            tokens_BTD = self.model(inputs)
        layout = self.layout(len(self.blocks), inserted=inserted)
        return Features(
            cls=tokens_BTD[:, 0],
            prompts=tokens_BTD[:, 1 : 1 + inserted],
            patches=tokens_BTD[:, layout.prefix :],
            layout=layout,
            pooled=tokens_BTD[
                :, 0
            ],  # as the network was pretrained: by its class token
            levels=[self._map(outputs[level], layout) for level in levels],
            inputs=inputs,
        )

    def _map(self, tokens_BTD: Tensor, layout: Grid) -> Tensor:
        """(B, D, height, width); patches are always the last tokens."""
        patches_BND = tokens_BTD[:, -layout.height * layout.width :]
        return patches_BND.mT.unflatten(2, (layout.height, layout.width))

    def layout(self, block: int, *, inserted: int = 0) -> Grid:
        return Grid(self.model.side, self.model.side, prefix=self.prefix + inserted)

    def example(self, batch: int = 1) -> Tensor:
        size = self.model.img_size
        return normal_like(self.model.norm.weight, batch, 3, size, size)

    def make_room(self, block: int, count: int) -> list[Undo]:
        return []  # attention takes any number of tokens; a rotary one would not

    def trunk(self) -> dict[str, Tensor]:
        return self.model.state_dict()
