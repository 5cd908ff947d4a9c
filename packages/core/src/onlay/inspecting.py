"""What an adapter does to one input: the signals and pictures that its modules show.

A module that has something to show for each token has a class attribute `shown`, the signal's name
for people, and gives (B, T), (B, T, 1) or, for K parts of every token, (B, T, K); maps (B, H, W, K)
count as tokens row by row. With an attribute `categories` the values are indices below it (which
expert a part chose), without it they are numbers. A class attribute `meaning` is a sentence or two
for those who see the page and do not know the method.

A module that makes something for the whole input has a class attribute `pictured`, a name in the
plural, and gives (B, n, h, w): n small pictures of numbers, such as `kernels` for this input.

What is meant is the module's output, or what its method `shows(x, output)` (`pictures(x, output)`)
returns, which is asked right after the call with what the module was given and has returned. A
rewrite, whose output is the site's own tensor, needs that method.

Every adapter, also one whose modules show nothing, has the signal of `onlay.pages.changes`.

Shapes: B batch, T tokens, N patch or group tokens, K parts of a token, n pictures of h by w.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from onlay.errors import AnatomyError

if TYPE_CHECKING:
    from onlay.features import Features, Layout
    from onlay.task import Answer


@dataclass(frozen=True)
class Signal:
    """A value for each part of each token of one input."""

    name: str
    """For people: `per-token scale`, `expert`."""
    block: int
    values_TK: Tensor
    """(T, K), of the tokens at that block: the patches or groups are the last ones."""
    categories: int | None
    """How many there are, where the values are indices; None where they are numbers."""
    layout: Layout
    """Of that block."""
    site: str = ""
    """Where in the block (`mlp.out`)."""
    meaning: str = ""
    """What the values say, for those who do not know the method."""

    @property
    def patches_NK(self) -> Tensor:
        """The patches' or groups' values, (N, K), without class token, prompts and registers.

        Raises:
            AnatomyError: there are fewer values than patches.
        """
        patches, tokens = self.layout.count, len(self.values_TK)
        if tokens < patches:
            raise AnatomyError(
                f"`{self.name}` of block {self.block} has {tokens} values for {patches} patches;"
                " a module that is `shown` must give one for each token"
            )
        return self.values_TK[-patches:]

    def summary(self) -> tuple[Tensor, Tensor]:
        """One value for each patch, (N,), and the share of its parts that agree with it, (N,).

        Of categories the one that most parts have, the lowest of equals; of numbers the mean, with
        which all agree.
        """
        values_NK = self.patches_NK
        if self.categories is None:
            return values_NK.mean(1), torch.ones(len(values_NK))
        counts_NC = nn.functional.one_hot(values_NK.long(), self.categories).sum(1)
        most_N = counts_NC.argmax(1)
        return most_N, counts_NC.gather(1, most_N[:, None])[:, 0] / values_NK.shape[1]

    def usage(self) -> Tensor:
        """The share of all (patch, part) pairs that each category has, (categories,)."""
        assert self.categories is not None, "numbers have no usage"
        values = self.patches_NK.long().flatten()
        return torch.bincount(values, minlength=self.categories) / len(values)


@dataclass(frozen=True)
class Picture:
    """What a module made for one input: n small pictures of numbers, the same n for every input."""

    name: str
    """For people, in the plural: `kernels`."""
    block: int
    values_nhw: Tensor
    site: str = ""
    """Where in the block (`mlp.out`)."""
    meaning: str = ""
    """As a signal's."""


@dataclass(frozen=True)
class Observation:
    """One input and what became of it; what a modality's viewer draws."""

    source: Path
    inputs: Tensor
    """As the backbone got it, a batch of one."""
    features: Features
    prediction: Answer
    """What the task's head says."""
    signals: tuple[Signal, ...]
    preprocessing: Mapping[str, Any]
    """How `inputs` was made from the file, in the words of the modality (mean, deviation)."""
    pictures: tuple[Picture, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    """What the page says of the model: `method`, `backbone` and what the caller knows of it."""
    truth: Answer | None = None
    """The true answer, where it is known."""
    task: str = "the task"
    """Whose answer it is, in words, for an error that names it."""


def titles(same: Sequence[Signal] | Sequence[Picture]) -> list[str]:
    """`block 3`; where a block has several of the name, `block 3, mlp.out`."""
    blocks = [one.block for one in same]
    sites = [f", {s.site}" if blocks.count(s.block) > 1 and s.site else "" for s in same]
    return [f"block {block}{site}" for block, site in zip(blocks, sites, strict=True)]


Shown = TypeVar("Shown", Signal, Picture)


def by_name(found: Sequence[Shown]) -> dict[str, list[Shown]]:
    """In the order of the names' first appearance."""
    kinds: dict[str, list[Shown]] = {}
    for one in found:
        kinds.setdefault(one.name, []).append(one)
    return kinds
