"""The neighbours' vote, by hand and by the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from torch.nn import functional

from onlay.errors import DataError
from onlay_train.knn import knn_top1


def test_votes_are_weighed_by_cosine() -> None:
    """Two neighbours of class 1 at cosine 0.8 against one of class 0 at 1: exp(1 / 0.07) is 17.4
    times exp(0.8 / 0.07), so the nearer one wins alone, and at cosine 0.96 (1.77 times) it does
    not."""
    asked = torch.tensor([[1.0, 0.0]])
    for cosine, winner in ((0.8, 0), (0.96, 1)):
        sine = (1 - cosine**2) ** 0.5
        memory = torch.tensor([[1.0, 0.0], [cosine, sine], [cosine, -sine], [0.0, 1.0]])
        classes = torch.tensor([0, 1, 1, 1])
        assert torch.allclose(memory, functional.normalize(memory, dim=1))
        for target in (0, 1):
            judged = asked, torch.tensor([target])
            found = knn_top1((memory, classes), judged, neighbours=3)
            assert found == float(target == winner)
    with pytest.raises(DataError, match=r"5 neighbours are asked for, .* part has 4"):
        knn_top1((memory, classes), judged, neighbours=5)


def test_the_command_says_the_share(onlay_command: Callable[..., Result], tmp_path: Path) -> None:
    assert onlay_command("train").exit_code == 0
    run = str(tmp_path / "run")
    result = onlay_command("eval", run, "--knn", "3", "--json", small=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert set(found) == {"run", "split", "samples", "notes", "knn_top1"}
    assert found["samples"] == 10
    assert 0.3 < found["knn_top1"] <= 1
    assert "no `plain` view" in found["notes"][0]
    for words, sentence in (
        (("--knn", "3", "--split", "train"), "judge another part"),
        (("--knn", "3", "--votes", "2"), "ask for one of them"),
        (("--knn", "99"), "99 neighbours are asked for, and the training part has 30"),
    ):
        refused = onlay_command("eval", run, *words, small=False)
        assert refused.exit_code == 2
        assert sentence in refused.output
