"""What becomes of a head that is saved, loaded or copied."""

from __future__ import annotations

import copy
from typing import Any

import torch

from onlay.config.chosen import settled
from onlay.testing.checking import require
from onlay.testing.tasks.answering import ASKED, answers_by
from onlay.testing.tasks.case import TaskCase
from onlay.testing.tasks.heads import equal


@torch.no_grad()
def check_state_round_trips(case: TaskCase) -> None:
    """A head that saw no data and loads the state of one that did, as from a bundle, gives its
    outputs, its loss and its answers, bit for bit; a copy, too, and nothing is shared with it."""
    head = case.moved()
    fresh = case.unprepared(settled(case.config, head), seed=9)
    fresh.load_state_dict(head.state_dict(), strict=True)
    _are_alike(case, head, fresh.eval())
    features = case.features(head)
    before, twin = head(features), copy.deepcopy(head)
    for parameter in twin.parameters():
        parameter.add_(1)
    require(equal(head(features), before), "changing a copy changes the head")


def _are_alike(case: TaskCase, head: Any, fresh: Any) -> None:
    features = case.features(head)
    same = equal(fresh(features), head(features))
    require(same, "the outputs differ after loading: what they hang on is in no state")
    first, second = _loss(case, head), _loss(case, fresh)
    require(first == second, f"the loss is {first:.4g}, and {second:.4g} after loading")
    told, again = ([ASKED.record(a) for a in answers_by(case, own)] for own in (head, fresh))
    require(told == again, f"an answer is {told[0]}, and {again[0]} after loading")


def _loss(case: TaskCase, head: Any) -> float:
    torch.manual_seed(0)  # a loss may draw what it looks at
    return case.loss(head, case.features(head)).item()
