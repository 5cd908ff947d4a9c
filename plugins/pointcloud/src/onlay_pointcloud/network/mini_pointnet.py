"""The encoder of one group of points (PointNet, Qi et al. 2017; as in Point-BERT and Point-MAE).

Shapes: B batch, G groups, K points of a group, M = B G K rows, E width of a token.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from onlay_pointcloud.network.row_norm import RowNorm


class MiniPointNet(nn.Module):
    """Two shared perceptrons with a maximum over the group behind each.

    `first_conv` and `second_conv` hold the weights in the checkpoints' layout. The kernels are 1
    wide, so rows of points are multiplied by matrices; and the group's maximum, which the second
    perceptron reads beside each point, is multiplied once for a group, not once for a point.
    """

    def __init__(self, embed: int = 384, hidden: tuple[int, int, int] = (128, 256, 512)) -> None:
        super().__init__()
        first, second, third = hidden
        self.first_conv = nn.Sequential(
            nn.Conv1d(3, first, 1), RowNorm(first), nn.ReLU(), nn.Conv1d(first, second, 1)
        )
        self.second_conv = nn.Sequential(
            nn.Conv1d(2 * second, third, 1), RowNorm(third), nn.ReLU(),
            nn.Conv1d(third, embed, 1),
        )  # fmt: skip

    def forward(self, patches_BGK3: Tensor) -> Tensor:
        """Tokens (B, G, E)."""
        B, G, K, _ = patches_BGK3.shape
        enter, norm, act, leave = self.first_conv
        each_M = _rows(leave, act(norm(_rows(enter, patches_BGK3.reshape(-1, 3)))))
        whole = each_M.view(B * G, K, -1).max(1).values
        enter, norm, act, leave = self.second_conv
        joined_M = _joined(enter, whole, each_M)
        tokens_M = _rows(leave, act(norm(joined_M)))
        return tokens_M.view(B, G, K, -1).max(2).values


def _rows(conv: Any, x_MC: Tensor) -> Tensor:
    return F.linear(x_MC, conv.weight.squeeze(-1), conv.bias)


def _joined(conv: Any, whole_GC: Tensor, each_MC: Tensor) -> Tensor:
    """The convolution of [whole, each], the whole's channels first, (M, third)."""
    weight = conv.weight.squeeze(-1)
    for_whole, for_each = weight.chunk(2, dim=1)
    from_whole = F.linear(whole_GC, for_whole, conv.bias).unsqueeze(1)
    from_each = F.linear(each_MC, for_each).view(whole_GC.shape[0], -1, weight.shape[0])
    return (from_each + from_whole).flatten(0, 1)
