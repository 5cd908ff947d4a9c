"""Products with narrow matrices, laid out so that their gradients are formed the fast way.

torch forms the gradient of a matrix by how it lies in memory, and BLAS libraries are at their
slowest where a product has few columns: of rank 8, the gradient (o, r) of the second factor of a
low-rank update takes about eight times as long as its transpose (r, o). Layouts that lead to the
latter give the same numbers, up to rounding.

Shapes: B batch, T tokens, i inputs, o outputs, r rank.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def narrowed(x_BTi: Tensor, weight_ir: Tensor) -> Tensor:
    """x W, (B, T, r), where W is stored with the inputs first; stored (r, i), `F.linear` does it
    as fast."""
    return F.linear(x_BTi, weight_ir.mT.contiguous())


def widened(h_BTr: Tensor, weight_or: Tensor, bias_o: Tensor | None = None) -> Tensor:
    """h W^T + b, (B, T, o), as `F.linear`. A factor belongs to the small W, not to the product."""
    return F.linear(h_BTr, weight_or.mT.contiguous().mT, bias_o)


class Widening(nn.Linear):
    """A linear layer into many more numbers than it reads: the last of a bottleneck."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., r) to (..., o)."""
        return widened(input, self.weight, self.bias)
