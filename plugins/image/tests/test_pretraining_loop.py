"""What the pretraining of every bundled backbone shares: targets, schedule, pool, one command."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

SHARED = Path(__file__).parents[3] / "pretraining"
Script = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.syspath_prepend(SHARED)
    return importlib.import_module


def test_assignments_are_balanced(script: Script) -> None:
    """Two rows prefer prototype 0, one of them more: the other one gets prototype 1."""
    score = torch.tensor([[0.9, 0.0], [0.6, 0.3]])
    mass = script("distil").balanced(score, rounds=50)
    assert torch.allclose(mass.sum(1), torch.ones(2))
    assert torch.allclose(mass.sum(0), torch.ones(2), atol=1e-3)
    # a balanced 2x2 table [[a, 1 - a], [1 - a, a]] keeps the odds ratio (a / (1 - a))^2
    a = 1 / (1 + math.exp(-(0.9 - 0.0 - 0.6 + 0.3) / 0.06 / 2))
    assert mass[0, 0].item() == pytest.approx(a, abs=1e-3)


def test_agreement_by_hand(script: Script) -> None:
    """One thing, two whole views, one part. Scores of a tenth are logits of one: a student who
    scores (0.1, 0) says 0 with e / (e + 1)."""
    sure = -math.log(math.e / (math.e + 1))
    whole = torch.tensor([[0.1, 0.0], [0.0, 0.1]])
    part = torch.tensor([[0.0, 0.0]])
    target = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # each whole view says its own assignment and should say the other's: 1 + sure, twice; the part
    # says a half of both, whatever the targets: log 2, which counts for two pairs
    by_hand = (2 * (1 + sure) + 2 * math.log(2)) / 4
    told = script("distil").agreement(whole, part, target)
    assert told.item() == pytest.approx(by_hand, abs=1e-6)


def test_what_is_hidden_is_restored_where_it_was(script: Script) -> None:
    """The encoder stub passes tokens on, or the unknown one: the student is asked at hidden places
    alone, and only of first views."""
    distil, asked = script("distil"), []

    def encode(net, views, unknown=None, where=None):
        asked.append(where)
        x = views if where is None else torch.where(where[..., None], unknown, views)
        return net(torch.cat([x.mean(1, keepdim=True), x], 1))

    torch.manual_seed(0)
    model = distil.Distillation(nn.Linear(4, 4), encode, width=4, prototypes=3, hidden=0.5)
    losses = model((torch.randn(4, 6, 4), torch.randn(6, 2, 4)))
    assert sorted(losses) == ["agree", "restore"]
    assert asked[0] is None
    assert asked[2] is None
    assert asked[1].sum(1).tolist() == [3, 0, 3, 0]
    sum(losses.values()).backward()
    assert model.unknown.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.pair.teacher.parameters())


def test_the_teacher_follows(script: Script) -> None:
    pair = script("following").Pair(encoder=nn.Linear(1, 1))
    with torch.no_grad():
        pair.teacher["encoder"].weight.fill_(0)
        pair.student["encoder"].weight.fill_(1)
    pair.follow(0.75)
    assert pair.teacher["encoder"].weight.item() == 0.25


@pytest.mark.parametrize(("dtype", "fused"), [(torch.bfloat16, False), (torch.float32, True)])
def test_attention_is_not_fused_where_its_backward_pass_is_slow(
    dtype: torch.dtype, fused: bool, script: Script
) -> None:
    x = torch.rand(1, 1, 4, 8, dtype=dtype, requires_grad=True)
    with script("loop").attention(torch.device("cpu"), dtype):
        found = nn.functional.scaled_dot_product_attention(x, x, x)
    assert found.grad_fn is not None
    assert ("ScaledDotProduct" in found.grad_fn.name()) == fused


def test_a_schedule_on_a_clock_always_ends_complete(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, now = script("schedule"), [100.0]
    monkeypatch.setitem(schedule.CLOCKS, "wall", lambda: now[0])
    monkeypatch.setitem(schedule.LOADED, "wall", 40.0)
    told = {"minutes": 2.0, "clock": "wall", "steps": None, "max_steps": 10**9}
    budget = schedule.Budget(argparse.Namespace(**told, from_the_start=True))
    budget.start(0.0)  # a minute of the two has gone into the pool
    now[0] += 30
    assert budget.share(7) == 0.5
    later = schedule.Budget(argparse.Namespace(**told, from_the_start=False))
    later.start(90.0)  # continued
    now[0] += 15
    assert later.share(0) == 0.875
    assert later.left(0)
    now[0] += 15
    assert not later.left(0)
    assert schedule.learning_rate(2.0, 1.0) == pytest.approx(0.02)
    assert schedule.learning_rate(2.0, 0.015) == pytest.approx(1.0)
    # a thousandth of the schedule passes in a step: at the start a tenth of the average's span
    assert schedule.average_decay(0.0, -0.001, 10**6) == pytest.approx(math.exp(-0.1))
    assert schedule.average_decay(0.5, 0.49, 0) == pytest.approx(0.1)


def test_a_pool_grows_while_it_is_used(tmp_path: Path, script: Script) -> None:
    shards = script("shards")
    for number in range(3):
        np.save(tmp_path / f"seed0-0000{number}.npy", np.full((shards.SHARD, 2), number))
    stock = shards.Stock(tmp_path, None, count=3 * shards.SHARD, seed=0, device=torch.device("cpu"))
    stock.wait()
    assert len(stock) == 3 * shards.SHARD
    assert stock[torch.tensor([0, 500, 1499])].tolist() == [[0, 0], [1, 1], [2, 2]]
    (tmp_path / "seed0-00002.npy").write_bytes(b"no array")
    broken = shards.Stock(
        tmp_path, None, count=3 * shards.SHARD, seed=0, device=torch.device("cpu")
    )
    with pytest.raises(RuntimeError, match="a shard could not be made"):
        broken.wait()


STUB = """
import json, sys
from pathlib import Path
if Path(__file__).stem == "probe":
    Path(sys.argv[sys.argv.index("--json") + 1]).write_text('{"linear probe": [0.5]}')
else:
    out = Path(sys.argv[sys.argv.index("--out") + 1])
    if (out / "broken").exists():
        sys.exit(143)
    minutes = float(sys.argv[sys.argv.index("--minutes") + 1])
    head = json.dumps({"__metadata__": {"pretraining": json.dumps({"minutes": minutes})}}).encode()
    (out / "w").write_bytes(len(head).to_bytes(8, "little") + head)
"""


def test_one_command_makes_both_and_goes_on_where_it_was(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = script("everything")
    for name in ("pretrain", "probe"):
        (tmp_path / f"{name}.py").write_text(STUB)
    (tmp_path / "data").touch()
    stages = [
        everything.Stage("images", tmp_path, "w", "data", (), 0.5),
        everything.Stage("clouds", tmp_path, "w", "absent", (), 1.0),
    ]
    monkeypatch.setattr(everything, "STAGES", stages)
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--data", str(tmp_path), "--minutes", "10", "--reserve", "0.1"]
    (out / "clouds").mkdir(parents=True)
    (out / "clouds" / "broken").touch()
    with pytest.raises(SystemExit, match=r"clouds: ended with 143, not finished"):
        everything.main(arguments)
    first = (out / "images" / "w").read_bytes()
    told = json.loads(json.loads(first[8:])["__metadata__"]["pretraining"])
    assert told["minutes"] == pytest.approx(4.4, abs=0.1)  # (9.8 - 1) / 2
    (out / "clouds" / "broken").unlink()
    assert everything.main([*arguments[:-4], "--minutes", "1000"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["images"]["minutes"] == told["minutes"]  # it was not trained again
    assert summary["images"]["probe"] == {"linear probe": [0.5]}
    assert summary["images"]["sha256"] == hashlib.sha256(first).hexdigest()
    assert summary["clouds"]["minutes"] > 800
    assert summary["clouds"]["probe"] == "not judged"
    assert str(tmp_path / "pretrain.py") in Path(summary["clouds"]["log"]).read_text()


def test_sigterm_ends_with_a_checkpoint(tmp_path: Path, script: Script) -> None:
    options, loop, following = script("options"), script("loop"), script("following")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = following.Pair(encoder=nn.Linear(2, 1))

        def forward(self, views: torch.Tensor) -> dict[str, torch.Tensor]:
            os.kill(os.getpid(), signal.SIGTERM)
            return {"fill": self.pair.student["encoder"](views).square().mean()}

    parser = options.parser(None, minutes=5, temperature=0.1)
    chosen = options.completed(parser.parse_args(["--out", str(tmp_path), "--steps", "9"]))
    recipe = loop.Recipe(
        Model(), lambda data, step: data, lambda p: p.ndim == 2, "w.safetensors", "rows", "stub"
    )
    before = signal.getsignal(signal.SIGTERM)
    run = loop.Run(chosen, torch.device("cpu"), recipe)
    run.train(torch.ones(3, 2))
    assert (run.step, run.status()) == (1, 143)
    assert signal.getsignal(signal.SIGTERM) is before
    assert loop.Run(chosen, torch.device("cpu"), recipe).step == 1
    assert (tmp_path / "w.safetensors").exists()
