"""Inputs that are given to the network in pieces, and one answer of all of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from onlay.batches import Tree, mapped, row, tensors_of

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


class Piece(Protocol):
    """Of an input. For tasks that put pieces together themselves it has a `position`, too."""

    @property
    def inputs(self) -> Tensor:
        """What the network is given, without the batch's axis; of all pieces alike in shape."""
        ...

    def added(self, output: Tensor, total: Tensor | None) -> Tensor:
        """What is blended of the input so far, in full, and this piece's own output; `None`: it is
        the first."""
        ...


@dataclass(frozen=True)
class InPieces:
    """What a modality's `reader` may give of a file that is too large for a network."""

    whole: Tensor
    """The input in full, which the answer is about."""
    pieces: Sequence[Piece]
    """At least one."""


@torch.inference_mode()
def blended(model: AdaptedModel, pieces: Sequence[Piece], batch_size: int) -> Tree:
    """The output for one input, as a batch of one: as the head puts it together
    (`TaskHead.put_together`), else each leaf as its piece adds it."""
    each, together = _outputs(model, pieces, batch_size), put_together(getattr(model, "head", None))
    if together is not None:
        positions: Any = [getattr(piece, "position", None) for piece in pieces]
        return together([mapped(_on_cpu, own) for own in each], positions)
    total: Tree = None
    for piece, own in zip(pieces, each, strict=True):
        total = _added(piece, own, total)
    return mapped(lambda leaf: leaf[None], total)


def put_together(head: Any) -> Callable[..., Tree] | None:
    """How a head makes one output of those of pieces, where it has a way of its own."""
    return getattr(head, "put_together", None)


def _outputs(model: AdaptedModel, pieces: Sequence[Piece], batch_size: int) -> Iterator[Tree]:
    """Of each piece, without the batch's axis."""
    device = next(model.parameters()).device
    for start in range(0, len(pieces), batch_size):
        some = pieces[start : start + batch_size]
        outputs = model(torch.stack([piece.inputs for piece in some]).to(device))
        yield from (row(outputs, index) for index in range(len(some)))


def _on_cpu(leaf: Any) -> Any:
    return leaf.cpu() if isinstance(leaf, Tensor) else leaf


def _added(piece: Piece, output: Tree, total: Tree) -> Tree:
    so_far = iter(() if total is None else [*tensors_of(total)])
    return mapped(lambda leaf: piece.added(leaf.cpu(), next(so_far, None)), output)
