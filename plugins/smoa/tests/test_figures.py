"""What is told of a library's use: by hand, and from training steps."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.figures import Figures
from onlay_smoa.mixture import Choice, RoutedAdapter, SparseMixture
from onlay_smoa.tally import Tally, entropy, evenness

TARGETS = torch.tensor([0, 2])


def counted(*calls: tuple[int, list[int], float], label: str = "", told: bool = True) -> Tally:
    """(row, sub-tokens of each expert, balance loss) of every call, for blocks 3 and 7."""
    tally = Tally([3, 7], len(calls[0][1]), label, told=told)
    for row, counts, balance in calls:
        tally.add(row, torch.tensor(counts), torch.tensor(balance))
    return tally


def test_shares_evenness_and_the_mean_balance_by_hand() -> None:
    """Block 3: 2 and 6 of 8, of block 7 four each; block 3 once more with 8 for the first."""
    tally = counted((0, [2, 6], 1.25), (1, [4, 4], 1.0), (0, [8, 0], 2.0))
    values = tally.figures().values
    q = 10 / 16
    assert values == pytest.approx({
        "smoa/share/expert_00": 14 / 24,
        "smoa/share/expert_01": 10 / 24,
        "smoa/entropy/block_03": -(q * math.log2(q) + (1 - q) * math.log2(1 - q)),
        "smoa/entropy/block_07": 1.0,
        "smoa/balance": 4.25 / 3,
    })  # fmt: skip


def test_the_words_of_an_epoch() -> None:
    """exp of the entropy at shares of a half, a quarter and a quarter: 2.83 experts."""
    figures = counted((0, [4, 2, 2, 0], 1.5), (1, [4, 2, 2, 0], 1.25)).figures()
    assert figures.summary == "balance 1.375, 2.8 experts"
    assert figures.warnings == ()
    stage = counted((0, [1, 1], 1.0), label="stage_2/").figures()
    assert stage.summary == "stage 2: balance 1.000, 2.0 experts"
    assert {name.split("/")[1] for name in stage.values} == {"stage_2"}
    assert counted((0, [1, 1], 1.0), told=False).figures().summary == ""


def test_nothing_was_seen() -> None:
    assert Tally([0], 4, "", told=True).figures() == Figures({})
    tally = counted((0, [2, 6], 1.25))
    tally.clear()
    assert tally.figures() == Figures({})


@pytest.mark.parametrize(
    ("counts", "collapsed"),
    [
        ([100] + 15 * [0], True),
        ([100, 80] + 14 * [0], True),  # 1.99 in effect, fewer than 16 / 8
        ([100, 100, 1] + 13 * [0], False),
        (16 * [5], False),
        ([99, 1], True),
        ([60, 40], False),
        ([7], False),  # one expert has nobody to share with
    ],
)
def test_warns_of_a_collapse(counts: list[int], collapsed: bool) -> None:
    warnings = counted((0, counts, 1.0), (1, counts, 1.0)).figures().warnings
    assert len(warnings) == collapsed
    if collapsed:
        assert "the library collapses: " in warnings[0]
        assert f"of {len(counts)} experts are in effect" in warnings[0]
        assert "raise `method.balance_weight`" in warnings[0]


def test_a_warning_says_where() -> None:
    (warning,) = counted((0, [100, 0], 1.0), label="stage_1/").figures().warnings
    assert warning.startswith("the library of stage 1 collapses: 1.0 of 2 experts")


def test_entropy_of_no_evenness_and_of_all() -> None:
    assert entropy(torch.tensor([0.0, 3.0])).item() == 0
    assert entropy(torch.ones(8)).item() == pytest.approx(math.log(8))
    assert evenness(torch.tensor([5, 0, 0])) == 0
    assert evenness(torch.tensor([5, 5, 5])) == pytest.approx(1)
    assert evenness(torch.tensor([5])) == 1


def test_names_of_a_model(vit: Any, adapt: Any, images: Tensor) -> None:
    model = adapt(vit(depth=3), experts=4)
    assert model.figures() == Figures({})
    model.train().loss((images, TARGETS))
    figures = model.figures()
    assert set(figures.values) == {
        *(f"smoa/share/expert_0{i}" for i in range(4)),
        *(f"smoa/entropy/block_0{i}" for i in range(3)),
        "smoa/balance",
    }
    assert sum(figures.values[f"smoa/share/expert_0{i}"] for i in range(4)) == pytest.approx(1)
    assert figures.summary.startswith("balance ")


def test_counts_are_of_the_experts_that_were_chosen(vit: Any, adapt: Any, images: Tensor) -> None:
    """Two steps; then again from the start of the next epoch."""
    model, chosen = adapt(vit(depth=2), experts=3, jitter=0.5).train(), []
    balances: list[Tensor] = []
    for module in model.adapter.modules():
        if isinstance(module, Choice):
            module.register_forward_hook(lambda _, __, expert: chosen.append(expert))
        if isinstance(module, SparseMixture):
            module.register_forward_hook(lambda _, __, mixed: balances.append(mixed.balance))

    def told(epoch: list[Tensor]) -> None:
        values = model.figures().values
        flat = torch.cat([expert.flatten() for expert in epoch])
        for i in range(3):
            expected = (flat == i).double().mean().item()
            assert values[f"smoa/share/expert_0{i}"] == pytest.approx(expected)
        assert values["smoa/balance"] == pytest.approx(
            torch.stack(balances[-len(epoch) :]).mean().item()
        )
        for block in (0, 1):
            counts = torch.stack([(torch.cat([*epoch[block::2]], 1) == i).sum() for i in range(3)])
            assert values[f"smoa/entropy/block_0{block}"] == pytest.approx(evenness(counts))

    for _ in range(2):
        model.loss((images, TARGETS))
    assert [tuple(expert.shape) for expert in chosen] == [(2, 5, 2), (2, 6, 2)] * 2
    # blocks have one token more each time: along which a batch is put together
    told(chosen[:4])
    model.train()
    assert model.figures() == Figures({})
    model.loss((images * 2, TARGETS))
    told(chosen[4:])


def test_evaluation_adds_nothing(vit: Any, adapt: Any, images: Tensor) -> None:
    """And loses nothing of the epoch before it."""
    model = adapt(vit())
    with torch.no_grad():
        model(images)
        assert model.figures() == Figures({})
        model.train()(images)
        before = model.figures()
        model.eval()(images)
    assert model.figures() == before
    assert before.values


def test_warns_of_a_model_in_training(vit: Any, adapt: Any, images: Tensor) -> None:
    """All embeddings at one place: of equal experts the first gets everything."""
    model = adapt(vit(), experts=8).train()
    user = next(m for m in model.adapter.modules() if isinstance(m, RoutedAdapter))
    with torch.no_grad():
        user.mixture.router.embeddings.fill_(1.0)
        model(images)
    figures = model.figures()
    assert figures.values["smoa/share/expert_00"] == 1
    assert figures.values["smoa/balance"] == pytest.approx(1)
    assert len(figures.warnings) == 1
    assert "1.0 of 8 experts" in figures.warnings[0]


def test_without_sharing_every_block_tells_its_own(vit: Any, adapt: Any, images: Tensor) -> None:
    """Without a word for the epoch's line, which they would fill."""
    model = adapt(vit(depth=2), experts=2, sharing="none").train()
    model(images)
    figures = model.figures()
    assert {name.split("/")[1] for name in figures.values} == {"block_00", "block_01"}
    assert figures.values.keys() >= {"smoa/block_01/entropy/block_01", "smoa/block_01/balance"}
    assert figures.summary == ""


def test_what_is_shown(vit: Any, adapt: Any, images: Tensor, written: Any, randomize: Any) -> None:
    """Which expert every sub-token chose, as indices of that many experts."""
    model = randomize(adapt(vit(depth=1), experts=4))
    user = next(m for m in model.adapter.modules() if isinstance(m, RoutedAdapter))
    assert (user.choice.shown, user.choice.categories) == ("expert", 4)
    seen: list[Tensor] = []
    user.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    user.choice.register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        model(images)
        z, expert = seen
        assert expert.flatten().tolist() == written(user.mixture).winners(z)
