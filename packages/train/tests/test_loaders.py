"""What goes wrong in a loader's worker process is told as in this one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from onlay.errors import DataError
from onlay_train.loaders import eval_loader
from onlay_train.sampler import ShardSampler


class Broken(Dataset[Tensor]):
    """The second of four items cannot be read."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        if index == 1:
            raise DataError("`chair/2.ply` is empty: no points")
        return torch.zeros(1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_is_one_sentence(workers: int) -> None:
    sampler = ShardSampler(4, 2, 0, 1)
    loader = eval_loader(Broken(), sampler, workers=workers, device=torch.device("cpu"))
    with pytest.raises(DataError) as caught:
        list(loader)
    assert str(caught.value) == "`chair/2.ply` is empty: no points"
