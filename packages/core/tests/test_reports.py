"""What tasks tell of how they were judged, by numbers worked out by hand."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from onlay.errors import DataError
from onlay.tasks.classification import ClassificationHead
from onlay.tasks.config import ClassificationConfig, MultilabelConfig
from onlay.tasks.confusion import confusion_svg
from onlay.tasks.multilabel import MultilabelHead

pytest.importorskip("torchmetrics", reason="comes with onlay-train")

PROBABILITIES = torch.tensor([[0.1, 0.9], [0.08, 0.92], [0.55, 0.45], [0.3, 0.7], [0.5, 0.5]])
TARGETS = torch.tensor([1, 0, 0, 0, -100])
"""Right, wrong, right, wrong, and nothing that counts."""


def two_classes() -> ClassificationHead:
    return ClassificationHead(ClassificationConfig(), 2, ("cat", "dog"))


def test_two_classes() -> None:
    """Bins of 1/15: 0.9 and 0.92 are together, |1/2 - 0.91|, then |1 - 0.55| and |0 - 0.7|. `dog`
    is above two of the three that are none: 0.9 > 0.45, 0.9 > 0.7, 0.9 < 0.92."""
    found = two_classes().report(PROBABILITIES.log(), TARGETS)
    assert found.metrics["ece"] == pytest.approx((2 * 0.41 + 0.45 + 0.7) / 4, abs=1e-6)
    assert found.metrics["auroc"] == pytest.approx(2 / 3)
    assert found.facts == {"positive_class": "dog"}
    classes, confusion = found.tables
    assert classes.rows == [
        ("cat", 1.0, pytest.approx(1 / 3), 0.5, 3),
        ("dog", pytest.approx(1 / 3), 1.0, 0.5, 1),
    ]
    assert confusion.columns == ("true \\ predicted", "cat", "dog")
    assert confusion.rows == [("cat", 1, 2), ("dog", 0, 1)]


def test_probabilities_that_floats_cannot_tell_apart() -> None:
    """1 - e-20 and 1 - e-30 are 1 in float32; the surer one is right. Of a hundred items fifty are
    sure without doubt, 45 of them right, and fifty with 0.95, all right: two errors of 0.1 and
    -0.05, which meet in the last of 15 bins."""
    logits = torch.tensor([[0, 20.0], [0, 30.0], [0, -1.0]])
    assert two_classes().report(logits, torch.tensor([0, 1, 0])).metrics["auroc"] == 1
    never = torch.tensor([[0, -torch.inf], [0, 30.0], [0, -1.0]])  # a class that cannot be
    assert two_classes().report(never, torch.tensor([0, 1, 0])).metrics["auroc"] == 1
    logits = torch.tensor([[0, 40.0]] * 50 + [[0, 0.95]] * 50)
    logits[50:, 1] = (logits[50:, 1] / 0.05).log()
    targets = torch.tensor([1] * 45 + [0] * 5 + [1] * 50)
    found = two_classes().report(logits, targets).metrics
    assert found["ece"] == pytest.approx(abs(0.5 * 0.1 - 0.5 * 0.05), abs=1e-6)


def test_the_most_confident_mistakes_come_first() -> None:
    mistakes = two_classes().report(PROBABILITIES.log(), TARGETS).mistakes
    assert [(m.index, m.said, m.true, m.score_text) for m in mistakes] == [
        (1, "dog", "cat", "92.0 %"),
        (3, "dog", "cat", "70.0 %"),
    ]


def test_one_class_alone_has_no_curve_and_nothing_no_report() -> None:
    found = two_classes().report(PROBABILITIES[:1].log(), TARGETS[:1])
    assert set(found.metrics) == {"ece"}
    assert found.mistakes == []
    with pytest.raises(DataError, match="nothing that was judged has a class"):
        two_classes().report(PROBABILITIES[4:].log(), TARGETS[4:])


def test_the_matrix_is_drawn_cell_by_cell() -> None:
    """A frame and three cells that are not zero; names are text, never markup."""
    svg = ElementTree.fromstring(confusion_svg(np.array([[2, 0], [1, 1]]), ["<b>&", "dog"]))
    name = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in svg.iter(f"{name}text")]
    assert texts.count("<b>&") == 2
    assert sorted(t for t in texts if t and t.isdigit()) == ["1", "1", "2"]
    titles = [title.text for title in svg.iter(f"{name}title")]
    assert "dog, taken for <b>&: 1 (50.0 %)" in titles
    assert len([*svg.iter(f"{name}rect")]) == 4
    many = confusion_svg(np.eye(200, dtype=int), [str(n) for n in range(200)])
    assert many.count("<rect") == 201


def test_several_labels() -> None:
    """`cat` is found in 0 and 1 and there in 0; `red` is there in 0 and 1 and found in 1; whether 2
    is red nobody knows."""
    head = MultilabelHead(MultilabelConfig(), 2, ("cat", "red", "owl"))
    given = torch.tensor([[0.9, 0.2, 0.1], [0.6, 0.8, 0.1], [0.1, 0.9, 0.1]])
    found = head.report(given.logit(), torch.tensor([[1, 1, 0], [0, 1, 0], [0, -1, 0]]))
    (table,) = found.tables
    assert table.rows == [
        ("cat", pytest.approx(1.0), 0.5, 1.0, pytest.approx(2 / 3), 1, 3),
        ("red", pytest.approx(1.0), 1.0, 0.5, pytest.approx(2 / 3), 2, 2),
        ("owl", "", 0.0, 0.0, 0.0, 0, 3),
    ]
    assert [(m.index, m.said, m.true, m.score_text) for m in found.mistakes] == [
        (0, "not red", "red", "80.0 %"),
        (1, "cat", "not cat", "60.0 %"),
    ]
