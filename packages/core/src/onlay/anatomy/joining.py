"""What one adapter does at a site and at its parts, in one passage.

The parts act first, each on its slice, then what acts on the whole. What reads the tensor, a part
of it or the whole, reads it after all that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.anatomy.pipe import SitePipe, rounded_once
from onlay.errors import AnatomyError


class Joined:
    """The pipes of parts, in the order of their slices, and perhaps that of the whole."""

    def __init__(self, pipes: list[SitePipe]) -> None:
        self.parts = [pipe for pipe in pipes if pipe.site.whole is not None]
        self.wholes = [pipe for pipe in pipes if pipe.site.whole is None]
        self.pipes = pipes

    def through(self, x: Tensor) -> Tensor:
        """The pipe that the whole's port is given."""
        for pipe in self.pipes:
            pipe.note_met()
        if not any(pipe.acts for pipe in self.pipes):
            return self._passed(x)
        return rounded_once(self._passed, x, self.pipes[0].dtype)

    def _passed(self, x: Tensor) -> Tensor:
        for whole in self.wholes:
            x = whole.hide(x)
        if any(pipe.acts for pipe in self.parts):
            x = self._with_parts(x)
        for whole in self.wholes:
            x = whole.act(x)
        return self._handed_on(x)

    def _handed_on(self, x: Tensor) -> Tensor:
        slices = [x[..., pipe.site.start : pipe.site.stop] for pipe in self.parts]
        for pipe, own in zip(self.pipes, [*slices, x], strict=False):
            pipe.hand_on(own)
        for pipe, own in zip(self.parts, slices, strict=True):
            pipe.leave(own)
        for whole in self.wholes:
            x = whole.leave(x)
        return x

    def _with_parts(self, x: Tensor) -> Tensor:
        pieces, at = [], 0
        for pipe in self.parts:
            site = pipe.site
            own = x[..., site.start : site.stop]
            pieces += [x[..., at : site.start], _kept(pipe.act(own), own, site.path)]
            at = site.stop
        pieces = [piece for piece in (*pieces, x[..., at:]) if piece.shape[-1]]
        return torch.cat(pieces, dim=-1)


def _kept(made: Tensor, own: Tensor, path: str) -> Tensor:
    if made.shape != own.shape:
        raise AnatomyError(
            f"what acts at `{path}` must keep its shape: it was given {tuple(own.shape)} and"
            f" makes {tuple(made.shape)} of it"
        )
    return made
