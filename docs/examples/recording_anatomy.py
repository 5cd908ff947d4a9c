"""Where the sites of the network are, and how it is built.

Shapes: B batch, C channels, T samples, S tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from recording_net import TRAITS, RecordingNetConfig
from recording_network import PIECE, RecordingNet
from torch import Tensor, nn

from onlay.anatomy import (
    Anatomy,
    Block,
    BuiltBackbone,
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
from onlay.errors import BundleError
from onlay.features import Features, Line
from onlay.reading.statefile import read_state


def build(config: RecordingNetConfig) -> BuiltBackbone:
    """The network with its weights; nobody else's random numbers move."""
    sizes = config.model_dump(include={"channels", "length", "width", "depth", "heads"})
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = RecordingNet(**sizes)
    if config.weights is not None:
        weights = config.weights.resolve()  # a bundle is read from other folders, too
        config = config.model_copy(update={"weights": weights})
        try:
            model.load_state_dict(read_state(weights))
        except RuntimeError as error:
            raise BundleError(f"`{weights}` does not fit the network: {error}") from error
    return built(model, config.model_dump(mode="json"))


def adopt(module: nn.Module) -> BuiltBackbone | None:
    """A network that somebody already holds, for `onlay.adapt(module, ...)`."""
    return built(module, {}) if isinstance(module, RecordingNet) else None


def built(model: RecordingNet, source: dict[str, Any]) -> BuiltBackbone:
    spec = {"channels": model.channels, "length": model.length, "mean": 0.0, "std": 1.0}
    return BuiltBackbone(
        module=model.eval(),
        anatomy=dissect(model),
        modality="recording",
        input_spec=spec,
        source=source,
        label="recording_net",
    )


def dissect(model: RecordingNet) -> "RecordingAnatomy":
    """The sites of the whole, and one stage, as all blocks have one width."""
    width = model.norm.normalized_shape[0]
    given, why = GivenTo(model.pieces), "no weight writes samples"
    pieces, norm = ModuleTarget(model.pieces.proj), ModuleTarget(model.norm, diagonal=True)
    whole = [
        Site("input", "input", model.channels, given, axis=-2, unfoldable=why),
        Site("embed.out", "embed.out", width, OutputOf(model.pieces), writer=pieces),
        Site("tokens.in", "tokens.in", width, OutputOf(model.places)),
        Site("norm.out", "norm.out", width, OutputOf(model.norm), writer=norm),
    ]
    return RecordingAnatomy(
        model,
        stages=[Stage(0, width, [parts(*each, width) for each in enumerate(model.blocks)])],
        sites={site.name: site for site in whole},
        provides=TRAITS,
        unfit={"grid": "pieces of time lie on no grid"},
    )


def parts(index: int, block: Any, width: int) -> Block:
    """The sites of a block, in the order in which data meets them."""
    attn, mlp = block.attn, block.mlp
    qkv, proj, fc1, fc2 = map(ModuleTarget, (attn.qkv, attn.proj, mlp.fc1, mlp.fc2))
    norm1, norm2 = (ModuleTarget(norm, diagonal=True) for norm in (block.norm1, block.norm2))

    def site(name: str, size: int, port: Any, **folds: Any) -> Site:
        return Site(name, f"blocks.{index}.{name}", size, port, **folds)

    thirds = {"q": width, "k": width, "v": width}
    sites = [
        site("block.in", width, InputOf(block)),
        site("attn.in", width, InputOf(attn), writer=norm1, readers=(qkv,)),
        site("qkv.out", 3 * width, OutputOf(attn.qkv), writer=qkv, parts=thirds),
        site("attn.out", width, OutputOf(attn), writer=proj),
        site("mlp.res", width, ResidualInto(block.norm2, block.end)),
        site("mlp.in", width, InputOf(mlp), writer=norm2, readers=(fc1,)),
        site("fc1.out", 4 * width, OutputOf(mlp.fc1), writer=fc1),
        site("fc2.in", 4 * width, InputOf(mlp.fc2), readers=(fc2,)),
        site("mlp.out", width, OutputOf(mlp), writer=fc2),
        site("block.out", width, OutputOf(block)),
    ]
    named = {each.name: each for each in sites}
    return Block(index, width, named, block, heads=attn.heads, mlp_norm=block.norm2)


@dataclass(eq=False)
class RecordingAnatomy(Anatomy):
    """How the network is run, and where its tokens lie."""

    model: Any

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        with recorded(self.blocks, levels) as outputs:
            x_BSD = self.model(inputs)  # adapters act in here
        norm, layout = self.model.norm, self.layout(len(self.blocks), inserted=inserted)
        patches_BND = x_BSD[:, layout.prefix :]
        return Features(
            cls=None,
            prompts=x_BSD[:, :inserted],
            patches=patches_BND,
            layout=layout,
            pooled=patches_BND.mean(1),
            levels=[norm(outputs[level][:, -layout.count :]).mT for level in levels],
            inputs=inputs,
        )

    def layout(self, block: int, *, inserted: int = 0) -> Line:
        return Line(self.model.length // PIECE, prefix=inserted)

    def example(self, batch: int = 1) -> Tensor:
        size = batch, self.model.channels, self.model.length
        return normal_like(self.model.norm.weight, *size)

    def make_room(self, block: int, count: int) -> list[Undo]:
        return []  # its attention takes any number of tokens

    def trunk(self) -> dict[str, Tensor]:
        return self.model.state_dict()
