"""What chosen blocks put out, recorded during one forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from onlay.anatomy.parts import Block


@contextmanager
def recorded(blocks: Sequence[Block], levels: Sequence[int]) -> Iterator[dict[int, Tensor]]:
    """Block index -> output, after whatever hooks the block already has."""
    outputs: dict[int, Tensor] = {}
    handles = [
        blocks[level].module.register_forward_hook(_Recorder(level, outputs).record)
        for level in set(levels)
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


class _Recorder:
    def __init__(self, level: int, outputs: dict[int, Tensor]) -> None:
        self.level, self.outputs = level, outputs

    def record(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        self.outputs[self.level] = output
