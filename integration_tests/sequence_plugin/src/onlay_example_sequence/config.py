"""Settings, and what a bundle keeps of how sequences were prepared; imports no torch."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt

from onlay.settings import Config


class SmallSequenceConfig(Config):
    """A small causal transformer over item ids, with position embeddings."""

    name: Literal["small_sequence"] = "small_sequence"
    """This backbone."""

    weights: Path | None = None
    """A state dict of the network (`.safetensors`, or of `torch.save`); without one the weights are
    random, the same every time."""

    items: PositiveInt = 100
    """Items that the network has embeddings of, `item_0`, `item_1` and so on."""

    length: PositiveInt = 16
    """Ids that the network reads, the end of the history included."""

    width: PositiveInt = 32
    """Width of a token, a multiple of `heads`."""

    depth: PositiveInt = 2
    """Blocks."""

    heads: PositiveInt = 2
    """Attention heads."""


class NextItNetConfig(Config):
    """Dilated causal convolutions over item ids (Yuan et al., WSDM 2019, arXiv:1808.05163)."""

    name: Literal["nextitnet"] = "nextitnet"
    """This backbone."""

    weights: Path | None = None
    """As of `small_sequence`."""

    items: PositiveInt = 100
    """Items that the network has embeddings of, `item_0`, `item_1` and so on."""

    length: PositiveInt = 16
    """Ids of an input, the end of the history included; the network itself takes any number."""

    width: PositiveInt = 64
    """Width of a token."""

    dilations: tuple[PositiveInt, ...] = (1, 4, 1, 4, 1, 4, 1, 4)
    """Of each block the first convolution's dilation; the second has twice that."""


def provides(config: Config) -> frozenset[str]:
    """`causal`: no token sees later ones."""
    return frozenset({"sequence", "line", "causal", "insertion"})


def provides_convolved(config: Config) -> frozenset[str]:
    """No insertion: what stands before the first token reaches only some of those behind it."""
    return frozenset({"sequence", "line", "causal"})


class PeterrecConfig(Config):
    """Bottlenecks at both layers of every block, and what stands behind them."""

    name: Literal["peterrec"] = "peterrec"
    """This method."""

    kind: Literal["serial", "parallel"] = "serial"
    """`serial`: behind a layer, reading what it gives; `parallel`: beside it, reading what it
    reads."""

    reduction: PositiveInt = 4
    """How many times narrower a patch is inside than what it is added to."""

    norms: bool = False
    """Whether the second norm of every block is trained, too."""


class HistoriesConfig(Config):
    """Histories of users in a `.csv` or `.jsonl` file, one a line, the oldest item first."""

    name: Literal["histories"] = "histories"
    """This layout."""

    path: Path
    """The file."""


class TargetsConfig(Config):
    """What users did, and what each of them chose of something else, in a `.csv` file: a line is
    `item,item,item,,target,target`, and every target is one example."""

    name: Literal["targets"] = "targets"
    """This layout."""

    path: Path
    """The file."""

    val_size: NonNegativeFloat = 0.1
    """Share of the users who are validated on."""

    test_size: PositiveFloat = 0.2
    """Share of the users who are tested on."""

    split_seed: int = 0
    """Which users; it is apart from `train.seed`."""


class NextItemConfig(Config):
    """The next item of a sequence: a score of every item, softmax over all of them."""

    name: Literal["next_item"] = "next_item"
    """This task."""

    loss: Literal["softmax", "pairs"] = "softmax"
    """`softmax`: cross-entropy over all items; `pairs`: of the next item and one that is drawn from
    all others, each by itself right or wrong, as PeterRec trains."""

    decay: NonNegativeFloat = 0.0
    """What half the squared length of the table of items weighs in the loss; PeterRec has 0.02."""

    k: PositiveInt = 10
    """How many items are shown to a user: `hr` and `ndcg` are of so many."""


class SequenceFacts(Config):
    """How items become ids."""

    model_config = ConfigDict(extra="allow")

    vocabulary: tuple[str, ...]
    """The items in the order of their ids."""

    length: PositiveInt
    """Ids of an input; a longer history loses its oldest items."""
