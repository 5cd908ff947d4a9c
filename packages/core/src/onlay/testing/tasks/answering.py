"""The answers of a task, as `onlay predict` and its pages ask for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from onlay.batches import row
from onlay.model.answers import Answers
from onlay.pages.drawn import drawn
from onlay.task import Input, Prediction
from onlay.testing.checking import require
from onlay.testing.states import listed
from onlay.testing.tasks.case import BATCH, TaskCase

ASKED = Answers("the task")


def answers_of(case: TaskCase) -> list[Any]:
    """Of a head that is away from its start, once they have seen their inputs."""
    return answers_by(case, case.moved())


@torch.no_grad()
def answers_by(case: TaskCase, head: Any) -> list[Any]:
    """The same of a given head."""
    inputs = case.data[1]
    answers = head.predict(head(case.features(head)))
    require(len(answers) == BATCH, f"{BATCH} inputs get {len(answers)} answers")
    given = (Input(Path(f"{n}.x"), row(inputs, n), {}) for n in range(BATCH))
    return [ASKED.about(*pair) for pair in zip(answers, given, strict=True)]


def check_predicts_an_answer_for_each_input(case: TaskCase) -> None:
    """`predict` gives one answer for each input, and a `Prediction` ranks labels by plain numbers
    from 0 to 1, the largest first."""
    for answer in answers_of(case):
        if isinstance(answer, Prediction):
            _is_ranked(answer.probabilities, case.data[0])


def _is_ranked(ranked: dict[Any, Any], labels: tuple[str, ...]) -> None:
    require(ranked, "`probabilities` is empty")
    alien = [str(name) for name in ranked if name not in labels]
    require(not alien, f"{listed(alien)} is none of the labels")
    numbers = list(ranked.values())
    require(all(type(n) is float for n in numbers), f"`probabilities` are {numbers[:3]}, no floats")
    require(all(0 <= n <= 1 for n in numbers), f"`probabilities` are {numbers[:3]}, beyond 0 to 1")
    require(numbers == sorted(numbers, reverse=True), "`probabilities` is not sorted")


def check_answers_are_told_in_a_line(case: TaskCase) -> None:
    """`line` tells an answer in a text on one line."""
    for answer in answers_of(case):
        text = ASKED.line(answer)
        require(text.strip() and "\n" not in text, f"`line` is {text!r}")


def check_answers_fill_a_table(case: TaskCase) -> None:
    """`cells` are texts under the titles of columns, and `row`, if there is one, is flat, both
    also for a single item of a ranking."""
    for answer in answers_of(case):
        for top in (None, 1):
            require(ASKED.cells(answer, top), "`cells` is empty")
            require(ASKED.row(answer, top), "`row` is empty")


def check_answers_are_json(case: TaskCase) -> None:
    """`record` holds what JSON can hold, and every number of it is finite, also for a single item
    of a ranking."""
    for answer in answers_of(case):
        for top in (None, 1):
            require(ASKED.record(answer, top), "`record` is empty")
            json.dumps(answer.record(top), allow_nan=False, default=dict)


def check_answers_are_written(case: TaskCase) -> None:
    """`write`, if there is one, writes files into the folder that it is given, and nowhere else,
    under names that begin with the stem, and tells of each."""
    for answer, folder in _with_folders(case):
        names = ASKED.files(answer, folder, "some-stem", Path("x"))
        require(names, "`write` tells of no file")


def _with_folders(case: TaskCase) -> Iterator[tuple[Any, Path]]:
    for answer in answers_of(case):
        with TemporaryDirectory() as folder:
            yield answer, Path(folder)


def no_truths(case: TaskCase) -> str:
    return "" if hasattr(case.head(), "truths") else "the head has no `truths`"


def check_truths_are_answers(case: TaskCase) -> None:
    """`truths`, if there is one, gives an answer for each target, which is told in a line, can be
    drawn and, if the prediction has `beside`, lies beside that."""
    truths = case.head().truths(case.targets)
    require(len(truths) == BATCH, f"{BATCH} targets get {len(truths)} truths")
    for answer, truth in zip(answers_of(case), truths, strict=True):
        text = ASKED.line(truth)
        require(text.strip() and "\n" not in text, f"`line` is {text!r}")
        drawn(ASKED.compared(answer, truth))


def check_answers_can_be_drawn(case: TaskCase) -> None:
    """`drawn`, if there is one, gives `Bars` and `Raster`s whose indices have a label."""
    for answer in answers_of(case):
        drawn(ASKED.drawn(answer))
