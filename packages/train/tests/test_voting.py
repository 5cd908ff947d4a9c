"""The mean over changed views of each input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from onlay.config import load as load_config
from onlay.descriptors import resolve
from onlay.errors import DataError
from onlay.host import PluginHost
from onlay.model.loading import load
from onlay_train.evaluate_run import evaluate_run
from onlay_train.voting import Voted, Voter

Command = Callable[..., Result]


class Numbers(TensorDataset):
    """Three numbers; ballot v adds 10 v."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__(torch.tensor([[1.0], [2.0], [3.0]]) + shift, torch.tensor([0, 1, 1]))

    def votes(self, number: int) -> Dataset[Any]:
        return Numbers(10.0 * number)


def test_views_are_stacked_and_outputs_averaged() -> None:
    """2, 12, 22 squared are 4, 144, 484: their mean is 632 / 3, and not the square of 12."""
    part = Voted(Numbers(), 3, "numbers")
    assert len(part) == 3
    views, target = part[1]
    assert views.tolist() == [[2.0], [12.0], [22.0]]
    assert target == 1

    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square()

    both = torch.stack([views, views + 1])
    expected = [[632 / 3], [(9 + 169 + 529) / 3]]
    assert torch.allclose(Voter(Square())(both), torch.tensor(expected))


def test_a_part_without_views_is_refused() -> None:
    with pytest.raises(DataError, match=r"this part of `digits` cannot be voted on"):
        Voted(TensorDataset(torch.zeros(3)), 10, "digits")


def test_voted_metrics_have_names_of_their_own(
    onlay_command: Command, tmp_path: Path, host: PluginHost
) -> None:
    """They are those of the mean logits, worked out here ballot by ballot, and the same each
    time."""
    assert onlay_command("train", "train.epochs=3").exit_code == 0
    run = tmp_path / "run"
    result = onlay_command("eval", str(run), "--votes", "4", "--json", small=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["votes"], found["samples"]) == (4, 10)
    assert {"voted_top1", "voted_mean_class", "voted_loss"} <= found.keys()
    assert not {"top1", "loss"} & found.keys()

    plain = evaluate_run(run, host).metrics
    assert "voted_top1" not in plain
    config, model = load_config(run / "config.yaml", (), host=host), load(run, host=host)
    test = resolve(host.find("dataset", "stripes").build)(config.data, {}, 0).test
    logits = torch.zeros(10, 4)
    for number in range(4):
        ballot = test.votes(number)
        with torch.no_grad():
            logits += model(torch.stack([ballot[i][0] for i in range(10)])) / 4
    targets = torch.tensor([test[i][1] for i in range(10)])
    assert found["voted_loss"] == pytest.approx(model.head.loss(logits, targets).item(), rel=1e-5)
    assert found["voted_top1"] == pytest.approx((logits.argmax(1) == targets).float().mean().item())
    assert found["voted_loss"] != pytest.approx(plain["loss"], rel=1e-3)
    shown = onlay_command("eval", str(run), "--votes", "4", small=False).stdout
    assert "test part, 10 samples, 4 votes" in shown
    assert f"  voted_loss       {found['voted_loss']:10.4f}\n" in shown

    refused = onlay_command("eval", str(run), "--votes", "2", "--split", "validation", small=False)
    assert refused.exit_code == 2
    assert refused.stderr == (
        "Error: this part of `stripes` cannot be voted on, it has no changed views:"
        " leave out `--votes`\n"
    )
