"""Settings, and what a bundle keeps of how sequences were prepared; imports no torch."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, PositiveInt

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


def provides(config: SmallSequenceConfig) -> frozenset[str]:
    """`causal`: no token sees later ones."""
    return frozenset({"sequence", "line", "causal", "insertion"})


class HistoriesConfig(Config):
    """Histories of users in a `.csv` or `.jsonl` file, one a line, the oldest item first."""

    name: Literal["histories"] = "histories"
    """This layout."""

    path: Path
    """The file."""


class NextItemConfig(Config):
    """The next item of a sequence: a score of every item, softmax over all of them."""

    name: Literal["next_item"] = "next_item"
    """This task."""

    k: PositiveInt = 10
    """How many items are shown to a user: `hr` and `ndcg` are of so many."""


class SequenceFacts(Config):
    """How items become ids."""

    model_config = ConfigDict(extra="allow")

    vocabulary: tuple[str, ...]
    """The items in the order of their ids."""

    length: PositiveInt
    """Ids of an input; a longer history loses its oldest items."""
