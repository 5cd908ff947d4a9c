"""A network of dilated causal convolutions over ids, as NextItNet is one, in plain torch.

Of each block: convolution, norm, ReLU, a convolution of twice the dilation, norm, ReLU, plus what
entered. Shapes: B batch, T ids, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from onlay_example_sequence.words import FIRST, PADDING

KERNEL = 3
EPSILON = 1e-8


class CausalConvolution(nn.Module):
    """Tokens (B, T, D) to tokens of which none sees a later one; padding is zeros to it, as what
    lies before the first token is."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.reach = (KERNEL - 1) * dilation
        self.kernel = nn.Conv1d(width, width, KERNEL, dilation=dilation)

    def forward(self, x_BTD: Tensor, known_BT1: Tensor) -> Tensor:
        x_BDT = (x_BTD * known_BT1).transpose(1, 2)
        return self.kernel(functional.pad(x_BDT, (self.reach, 0))).transpose(1, 2)


class ConvolutionBlock(nn.Module):
    """Two convolutions, of dilation d and 2 d."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = CausalConvolution(width, dilation)
        self.conv2 = CausalConvolution(width, 2 * dilation)
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=EPSILON) for _ in range(2))

    def forward(self, x: Tensor, known_BT1: Tensor) -> Tensor:
        hidden = self.norm1(self.conv1(x, known_BT1)).relu()
        return x + self.norm2(self.conv2(hidden, known_BT1)).relu()


class Items(nn.Module):
    """Ids (B, T) to tokens (B, T, D); an order needs no positions where kernels have one."""

    def __init__(self, items: int, width: int) -> None:
        super().__init__()
        self.items = nn.Embedding(FIRST + items, width)

    def forward(self, ids_BT: Tensor) -> Tensor:
        return self.items(ids_BT)


class NextItNet(nn.Module):
    """Ids (B, T), of any number, to tokens (B, T, D); no norm stands behind the last block."""

    def __init__(self, *, items: int, length: int, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.length, self.vocabulary = length, FIRST + items
        self.embed = Items(items, width)
        self.blocks = nn.ModuleList(ConvolutionBlock(width, d) for d in dilations)
        self.norm = nn.Identity()
        self.grad_checkpointing = False

    @property
    def sees(self) -> int:
        """How many ids reach an output: 121 with dilations 1, 4 four times.

        >>> NextItNet(items=1, length=8, width=2, dilations=[1, 4] * 4).sees
        121
        """
        return 1 + sum(m.reach for m in self.modules() if isinstance(m, CausalConvolution))

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.grad_checkpointing = enable

    def forward(self, ids_BT: Tensor) -> Tensor:
        x = self.embed(ids_BT)
        known_BT1 = (ids_BT != PADDING).unsqueeze(-1).to(x.dtype)
        for block in self.blocks:
            if self.grad_checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, known_BT1, use_reentrant=False)
            else:
                x = block(x, known_BT1)
        return self.norm(x)
