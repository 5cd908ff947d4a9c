"""How far an adapter has moved each token, block by block, from where the bare backbone has it.

Every method has this to show, whatever its modules show of themselves. Shapes: T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy

CHANGE = "change from the frozen backbone"
"""The signal's name for people."""
MEANING = (
    "How far each token is, at the end of a block, from what the frozen backbone alone makes of it:"
    " the size of the difference as a share of that token's size, so 0.25 is a quarter. A block"
    " carries on what the blocks before it changed."
)

Outputs = dict[int, Tensor]
"""What each block gave for one input, (T, D), maps row by row."""


@contextmanager
def block_outputs(anatomy: Anatomy) -> Iterator[Outputs]:
    """Filled by the next forward pass, behind all that adapters do in a block."""
    found: Outputs = {}
    keepers = [(block.module, _Keeper(found, block.index)) for block in anatomy.blocks]
    handles = [module.register_forward_hook(keeper.keep) for module, keeper in keepers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def changes(adapted: Outputs, bare: Outputs) -> Iterator[tuple[int, Tensor]]:
    """Of each block ||adapted - bare|| / ||bare|| for every token that both have, (T,).

    Tokens that the adapter put in stand in front of the others, so the last ones are compared.
    """
    for block, bare_TD in bare.items():
        count = min(len(bare_TD), len(adapted[block]))
        with_TD, without_TD = adapted[block][-count:], bare_TD[-count:]
        size_T = without_TD.norm(dim=-1).clamp_min(1e-12)
        yield block, (with_TD - without_TD).norm(dim=-1) / size_T


class _Keeper:
    def __init__(self, found: Outputs, block: int) -> None:
        self.found, self.block = found, block

    def keep(self, module: Any, args: tuple[Any, ...], output: Tensor) -> None:
        self.found[self.block] = output[0].detach().float().flatten(0, -2)
