"""Ids, causality, padding, files and ranks, by numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import onlay
from onlay.errors import DataError
from onlay.model.adapted import AdaptedModel
from onlay_example_sequence.config import HistoriesConfig, TargetsConfig
from onlay_example_sequence.data import build
from onlay_example_sequence.reading import reader
from onlay_example_sequence.targets import build as build_targets
from onlay_example_sequence.words import END, FIRST, PADDING, UNKNOWN, Encoder

SPEC = {"vocabulary": ["tea", "milk", "bread"], "length": 5}


@pytest.fixture(scope="module")
def model() -> AdaptedModel:
    torch.manual_seed(0)
    return onlay.adapt(
        {"name": "small_sequence", "items": 3, "length": 5, "width": 16},
        "bitfit",
        task="next_item",
        labels=["tea", "milk"],
    ).eval()


def encoded(model: AdaptedModel, *ids: int) -> Tensor:
    with torch.no_grad():
        return model.features(torch.tensor([ids])).patches[0]


def test_padding_unknown_and_end_have_ids_of_their_own() -> None:
    assert (PADDING, UNKNOWN, END, FIRST) == (0, 1, 2, 3)
    encode = Encoder(SPEC)
    assert encode(["milk"]).tolist() == [0, 0, 0, 4, 2]
    assert encode(["salt", "tea"]).tolist() == [0, 0, 1, 3, 2]
    assert encode(["tea"] * 4 + ["milk", "bread"]).tolist() == [3, 3, 4, 5, 2]  # the latest four


def test_no_token_sees_a_later_one(model: AdaptedModel) -> None:
    one, other = encoded(model, 3, 4, 5, 3, 2), encoded(model, 3, 4, 5, 4, 2)
    assert torch.equal(one[:3], other[:3])
    assert not torch.equal(one[3:], other[3:])


def test_padding_changes_nothing(model: AdaptedModel) -> None:
    padded, plain = encoded(model, 0, 0, 3, 4, 2), encoded(model, 3, 4, 2)
    torch.testing.assert_close(padded[2:], plain)
    unknown = encoded(model, 1, 1, 3, 4, 2)
    assert not torch.allclose(unknown[-1], plain[-1])


def test_ids_are_no_floats_and_not_too_many(model: AdaptedModel) -> None:
    with pytest.raises(DataError, match=r"ids, whole numbers, not torch\.float32"):
        model(torch.zeros(1, 5))
    with pytest.raises(DataError, match="6 ids, and the network reads up to 5"):
        model(torch.full((1, 6), 3))


def test_the_last_item_is_tested_the_one_before_validated_on(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("tea, milk, bread, salt\n\nmilk,bread,tea\nbread,tea\n", encoding="utf-8")
    splits = build(HistoriesConfig(path=file), SPEC, 0)
    assert splits.labels == ("bread", "milk", "salt", "tea")
    parts = [splits.train, splits.validation, splits.test]
    items = [[part[n] for n in range(len(part))] for part in parts]
    shown = [[(ids.tolist(), splits.labels[place]) for ids, place in part] for part in items]
    assert shown[0] == [([0, 0, 0, 3, 2], "milk")]
    assert shown[1] == [([0, 0, 3, 4, 2], "bread"), ([0, 0, 0, 4, 2], "bread")]
    assert shown[2] == [([0, 3, 4, 5, 2], "salt"), ([0, 0, 4, 5, 2], "tea")]
    assert splits.facts["notes"] == ["1 items are unknown to the backbone in a history: `salt`"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", '["tea", 7]\n', None),
        ("a.jsonl", '{"tea": 7}\n', "line 1 of .* is no list of items"),
        ("a.jsonl", '["tea"', "line 1 of .* is no JSON"),
        ("a.csv", "tea\nmilk\n", "holds 2 histories, and one is predicted for"),
        ("a.csv", "", "holds 0 histories"),
    ],
)
def test_a_file_is_read_or_refused_by_name(
    tmp_path: Path, name: str, text: str, told: str | None
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    read = reader({"vocabulary": ["tea", "7"], "length": 4})
    if told is None:
        assert read(file).tolist() == [0, 3, 4, 2]
        return
    with pytest.raises(DataError, match=told):
        read(file)


def test_the_loss_of_equal_scores_is_the_logarithm_of_their_number(model: AdaptedModel) -> None:
    assert model.head.loss(torch.zeros(2, 4), torch.tensor([0, 3])).item() == pytest.approx(
        math.log(4)
    )


def test_ranks_are_among_all_items_and_equals_stand_above() -> None:
    metrics_module = pytest.importorskip("onlay_example_sequence.metrics")
    scores = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    targets, found = torch.tensor([0, 1, 2]), {}  # ranks 1, 2 and 3
    for kind, k in (("mrr", None), ("hr", 2), ("ndcg", 2)):
        metric = metrics_module.Ranked(kind, k)
        metric.update(scores, targets)
        found[kind] = metric.compute().item()
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert found["hr"] == pytest.approx(2 / 3)
    assert found["ndcg"] == pytest.approx((1 + 1 / math.log2(3)) / 3)


def test_every_target_of_a_user_is_an_example_and_users_stay_together(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    lines = [f"tea,milk,,{chosen}" for chosen in ("a", "b,c", "a", "b", "c,a")]
    file.write_text("\n".join(lines), encoding="utf-8")
    splits = build_targets(TargetsConfig(path=file, val_size=0.0, test_size=0.4), SPEC, 0)
    assert (splits.labels, splits.validation) == (("a", "b", "c"), None)
    assert len(splits.train) + len(splits.test) == 7
    assert splits.train[0][0].tolist() == [0, 0, 3, 4, 2]
    file.write_text("tea,,a\ntea,milk\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2 of .* is not items, an empty cell, and targets"):
        build_targets(TargetsConfig(path=file), SPEC, 0)
