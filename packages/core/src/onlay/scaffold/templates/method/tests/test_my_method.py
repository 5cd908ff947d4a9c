"""The formula of the branch, on numbers worked out by hand."""

import torch

from onlay_my_method.adapter import ScaledLowRank


def test_the_branch_is_scale_times_up_times_down() -> None:
    branch = ScaledLowRank(width=2, out=1, rank=1)
    with torch.no_grad():
        branch.down.copy_(torch.tensor([[1.0, 2.0]]))
        branch.up.fill_(3.0)
        branch.scale.fill_(0.5)
    x = torch.tensor([[[4.0, 5.0]]])  # 4 * 1 + 5 * 2 = 14, times 3 is 42, half of it 21
    assert branch(x).item() == 21.0
