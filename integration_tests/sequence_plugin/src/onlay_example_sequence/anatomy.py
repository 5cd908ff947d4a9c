"""Where the sites of the network are.

Shapes: B batch, T ids, S tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from onlay.anatomy import (
    Anatomy,
    Block,
    InputOf,
    ModuleTarget,
    OutputOf,
    ResidualInto,
    Site,
    Stage,
    Undo,
)
from onlay.anatomy.inputs import refuse_other_inputs
from onlay.anatomy.levels import recorded
from onlay.errors import DataError
from onlay.features import Features, Line
from onlay_example_sequence.config import SmallSequenceConfig, provides, provides_convolved
from onlay_example_sequence.convolutions import NextItNet
from onlay_example_sequence.network import SmallSequence
from onlay_example_sequence.words import END, FIRST

_ANY = SmallSequenceConfig()
UNFIT = {
    "grid": "items of a sequence lie on no grid",
    "points": "it reads ids",
    "class_token": "the end of a history is an id among the others",
    "hierarchical": "all of its blocks have one width",
}
UNMOVED = {
    "insertion": "its layers are convolutions, in which a token has neighbours",
    "extension": "it has no attention",
}


def dissect(model: SmallSequence | NextItNet) -> "SequenceAnatomy":
    """The anatomy of a network."""
    convolved = isinstance(model, NextItNet)
    width = model.embed.items.embedding_dim
    make = _convolutions if convolved else _block
    blocks = [make(index, block, width) for index, block in enumerate(model.blocks)]
    norm = None if convolved else ModuleTarget(model.norm, diagonal=True)
    return SequenceAnatomy(
        model,
        stages=[Stage(0, width, blocks)],
        sites={
            "embed.out": Site("embed.out", "embed.out", width, OutputOf(model.embed)),
            "tokens.in": Site("tokens.in", "tokens.in", width, InputOf(model.blocks[0])),
            "norm.out": Site("norm.out", "norm.out", width, OutputOf(model.norm), writer=norm),
        },
        provides=provides_convolved(_ANY) if convolved else provides(_ANY),
        unfit=UNFIT | (UNMOVED if convolved else {}),
    )


def _convolutions(index: int, block: Any, width: int) -> Block:
    """Of layers that mix tokens: none can take up what stands in front of it or behind it."""
    ports = {
        "block.in": InputOf(block),
        "mlp.in": InputOf(block.conv1),
        "fc1.out": OutputOf(block.conv1),
        "fc2.in": InputOf(block.conv2),
        "mlp.out": OutputOf(block.conv2),
        "block.out": OutputOf(block),
    }
    sites = {
        name: Site(name, f"blocks.{index}.{name}", width, port) for name, port in ports.items()
    }
    return Block(index, width, sites, block, mlp_norm=block.norm2)


def _block(index: int, block: Any, width: int) -> Block:
    attn, mlp = block.attn, block.mlp
    qkv, proj = ModuleTarget(attn.qkv), ModuleTarget(attn.proj)
    fc1, fc2 = ModuleTarget(mlp.fc1), ModuleTarget(mlp.fc2)
    norm1, norm2 = (ModuleTarget(norm, diagonal=True) for norm in (block.norm1, block.norm2))
    table: dict[str, tuple[int, Any, Any, tuple[Any, ...]]] = {
        "block.in": (width, InputOf(block), None, ()),
        "attn.in": (width, InputOf(attn), norm1, (qkv,)),
        "qkv.out": (3 * width, OutputOf(attn.qkv), qkv, ()),
        "attn.out": (width, OutputOf(attn), proj, ()),
        "mlp.res": (width, ResidualInto(block.norm2, block.end), None, ()),
        "mlp.in": (width, InputOf(mlp), norm2, (fc1,)),
        "fc1.out": (4 * width, OutputOf(mlp.fc1), fc1, ()),
        "fc2.in": (4 * width, InputOf(mlp.fc2), None, (fc2,)),
        "mlp.out": (width, OutputOf(mlp), fc2, ()),
        "block.out": (width, OutputOf(block), None, ()),
    }
    parts = {"qkv.out": dict.fromkeys(("q", "k", "v"), width)}
    sites = {
        name: Site(name, f"blocks.{index}.{name}", *described, parts=parts.get(name, {}))
        for name, described in table.items()
    }
    return Block(index, width, sites, block, heads=attn.heads, mlp_norm=block.norm2)


@dataclass(eq=False)
class SequenceAnatomy(Anatomy):
    """The tokens of the ids are always the last T."""

    model: Any
    length: int = 0
    """Ids of the current (or last) input."""

    def prepared(self, inputs: Tensor) -> Tensor:
        """Ids as they are.

        Raises:
            DataError: no batch of ids, or ids that the network does not have.
        """
        if not torch.compiler.is_compiling():
            refuse_other_inputs(inputs, "ids (B, T)", 2)
            if inputs.is_floating_point():
                raise DataError(f"the inputs must be ids, whole numbers, not {inputs.dtype}")
        return inputs

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        self.length = inputs.shape[1]
        with recorded(self.blocks, levels) as outputs:
            x_BSD = self.model(inputs)
        norm, count = self.model.norm, self.length
        return Features(
            cls=None,
            prompts=x_BSD[:, :inserted],
            patches=x_BSD[:, inserted:],
            layout=self.layout(len(self.blocks), inserted=inserted),
            pooled=x_BSD[:, -1],
            levels=[norm(outputs[level][:, -count:]).transpose(1, 2) for level in levels],
            inputs=inputs,
        )

    def follow(self) -> list[Undo]:
        return [self.model.embed.register_forward_pre_hook(self._see)]

    def _see(self, embed: nn.Module, args: tuple[Tensor, ...]) -> None:
        self.length = args[0].shape[1]

    def layout(self, block: int, *, inserted: int = 0) -> Line:
        return Line(self.length, prefix=inserted)

    def example(self, batch: int = 1) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        shape = batch, self.model.length
        ids_BT = torch.randint(FIRST, self.model.vocabulary, shape, generator=generator)
        ids_BT[:, -1] = END
        return ids_BT.to(self.model.embed.items.weight.device)

    def make_room(self, block: int, count: int) -> list[Undo]:
        return []  # attention takes any number of tokens, inserted ones at the front

    def trunk(self) -> dict[str, Tensor]:
        return self.model.state_dict()
