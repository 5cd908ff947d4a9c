"""Any answer of any task goes through `onlay predict`: as a table, JSON, CSV and files."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from click.testing import CliRunner

from onlay import PluginHost
from onlay.cli import main
from onlay.errors import ConfigError, PluginError
from onlay.model.answers import Answers, flat
from onlay.model.outputs import outputs_in, stems
from onlay.model.predict import Found
from onlay.reports import Measure
from onlay.task import Input, Prediction

HOST = PluginHost.discover()
ASKED = Answers("task `ruler` of plugin `onlay-ruler`")


@dataclass(frozen=True)
class Length:
    """A number in centimetres and how sure that is."""

    value: float
    seen: str = ""

    def line(self) -> str:
        return Measure("cm").text(self.value)

    def cells(self, top: int | None = None) -> dict[str, Any]:
        return {"length": self.line()}

    def record(self, top: int | None = None) -> dict[str, Any]:
        return {
            "length": self.value,
            "box": {"x": 1},
            "ends": (0.5, float("inf")),
            "seen": self.seen,
        }

    def with_input(self, given: Input) -> Length:
        return replace(self, seen=f"{given.source.name} {float(given.tensor.sum()):g}")


class Mask(Length):
    def write(self, folder: Path, stem: str) -> list[Path]:
        paths = [folder / f"{stem}.png", folder / f"{stem}_edge.png"]
        for path in paths:
            path.write_text(str(self.value))
        return paths


class Broken(Length):
    def cells(self, top: int | None = None) -> dict[str, Any]:
        return {"length": self.value}

    def record(self, top: int | None = None) -> dict[str, Any]:
        return {"length": {"mean": torch.tensor(1.0)}}

    def line(self) -> str:
        raise KeyError("metre")

    def write(self, folder: Path, stem: str) -> list[Path]:
        (folder / "mask.png").touch()
        return [folder / "mask.png"]


def test_numbers_that_are_none_become_null() -> None:
    assert ASKED.record(Length(float("nan"))) == {
        "length": None, "box": {"x": 1}, "ends": [0.5, None], "seen": "",
    }  # fmt: skip


def test_a_row_is_the_flattened_record_unless_the_answer_has_its_own() -> None:
    row = {"length": 17.95, "box.x": 1, "ends": "[0.5, null]", "seen": ""}
    assert ASKED.row(Length(17.95)) == row
    prediction = Prediction("a", 0.75, {"a": 0.75, "b": 0.25})
    assert ASKED.row(prediction, 2)["probability_2"] == "0.250000"
    assert flat({"a": {"b": {"c": [1]}}}) == {"a.b.c": "[1]"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            lambda a: ASKED.cells(a),
            "whose `cells` has under `length` a `float`, which must be text",
        ),
        (lambda a: ASKED.record(a), "whose `record` has under `length.mean` a `Tensor`"),
        (lambda a: ASKED.line(a), "fails in `line`: KeyError: 'metre'"),
        (lambda a: ASKED.line(object()), "in `line`: AttributeError: 'object' object has no"),
    ],
)
def test_a_wrong_answer_names_its_plugin(asked: Any, told: str) -> None:
    with pytest.raises(PluginError, match="task `ruler` of plugin `onlay-ruler`") as failure:
        asked(Broken(1.0))
    assert told in str(failure.value)
    assert "\n" not in str(failure.value)


class Lost:
    def predict(self, output: Any) -> list[Any]:
        return [Length(1.0)] * (len(output) - 1)


def test_a_head_that_loses_an_answer_names_its_plugin() -> None:
    with pytest.raises(PluginError, match="plugin `onlay-ruler` gives 1 answers to 2 inputs"):
        ASKED.given(Lost(), torch.zeros(2), 2)
    with pytest.raises(PluginError, match="`onlay-ruler` fails in `predict`: TypeError"):
        ASKED.given(Lost(), None, 2)


# --- files


def test_names_tell_files_of_one_name_apart() -> None:
    paths = ["a.png", "x/b.png", "x/b.tif", "y/c.png", "x/c.png"]
    assert stems([Path(path) for path in paths]) == ["a", "b-png", "b-tif", "y-c", "x-c"]
    assert stems([Path("a.png"), Path("a.png")]) == ["a", "a"]


def written(folder: Path, answers: dict[Path, Any]) -> str:
    with outputs_in(folder, list(answers), ASKED) as outputs:
        for path, answer in answers.items():
            outputs.add(path, answer)
    return str(outputs)


def test_files_of_answers_do_not_collide(tmp_path: Path) -> None:
    """`a_edge.png` is what the first writes for `a.png`, and the name of the third."""
    out = tmp_path / "out"
    answers = {Path("x/a.png"): Mask(1), Path("y/a.png"): Mask(2), Path("x-a_edge.png"): Mask(3)}
    assert written(out, answers) == f"6 files of 3 answers in {out}"
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "x-a.png": "1", "x-a_edge.png": "1", "y-a.png": "2", "y-a_edge.png": "2",
        "x-a_edge-2.png": "3", "x-a_edge-2_edge.png": "3",
    }  # fmt: skip


def test_an_answer_without_files_is_written_as_its_record(tmp_path: Path) -> None:
    written(tmp_path, {Path("x/a.png"): Length(2.5)})
    (path,) = tmp_path.iterdir()
    assert path.name == "a.json"
    assert json.loads(path.read_text())["path"] == "x/a.png"
    assert json.loads(path.read_text())["ends"] == [0.5, None]


def test_older_files_of_the_same_names_are_replaced_and_counted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    written(tmp_path, {Path("x/a.png"): Mask(1)})
    again = written(tmp_path, {Path("x/a.png"): Mask(2), Path("x/b.png"): Mask(2)})
    assert again == f"4 files of 2 answers in {tmp_path}, 2 of them in the place of older ones"
    assert (tmp_path / "a.png").read_text() == "2"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    photograph = tmp_path / "a.png"
    photograph.write_text("a photograph")
    with pytest.raises(ConfigError, match=r"a\.png` is one of the files to predict"):
        written(tmp_path, {photograph: Mask(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert photograph.read_text() == "a photograph"


def test_nothing_is_written_where_an_answer_fails(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"wrote `mask\.png`, no file whose name begins with `b`"):
        written(tmp_path, {Path("a.x"): Mask(1), Path("b.x"): Broken(2)})
    assert not list(tmp_path.iterdir())


# --- the command


@pytest.fixture
def onlay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`onlay predict` of a run whose answers are lengths of two files."""
    answers = [(Path("a.x"), Mask(17.95)), (Path("b.x"), Mask(float("nan")))]
    files = Found(tuple(path for path, _ in answers), Counter())
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("onlay.model.loading.load", lambda *args, **kwargs: _Model())
    monkeypatch.setattr("onlay.model.predict.found_in", lambda *args: files)
    monkeypatch.setattr("onlay.model.predict.predict", lambda *args, **kwargs: iter(answers))
    monkeypatch.setattr(PluginHost, "find", lambda self, kind, name: None)
    return lambda *words: CliRunner().invoke(main, ["predict", "run", "a.x", *words], obj=HOST)


class _Model:
    class built:
        modality = "image"

    class task:
        name = "ruler"

    packages: ClassVar = {}


def test_a_length_is_no_percentage(onlay: Any) -> None:
    found = onlay()
    assert found.exit_code == 0, found.output
    assert "17.95 cm" in found.output
    assert "%" not in found.output


def test_json_and_csv_are_valid_whatever_the_numbers(onlay: Any) -> None:
    first, second = json.loads(onlay("--json").stdout, parse_constant=pytest.fail)
    assert (first["path"], first["length"], second["length"]) == ("a.x", 17.95, None)
    rows = list(csv.DictReader(io.StringIO(onlay("--csv").stdout)))
    assert [row["length"] for row in rows] == ["17.95", ""]
    assert rows[0]["box.x"] == "1"


def test_one_form_is_printed(onlay: Any) -> None:
    found = onlay("--json", "--csv")
    assert found.exit_code == 2
    assert "give `--json` or `--csv`, not both" in found.stderr


def test_files_are_written_beside_what_is_printed(onlay: Any) -> None:
    found = onlay("--out", "made", "--json")
    assert found.stderr.splitlines() == ["4 files of 2 answers in made"]
    assert sorted(path.name for path in Path("made").iterdir()) == [
        "a.png", "a_edge.png", "b.png", "b_edge.png",
    ]  # fmt: skip
    assert len(json.loads(found.stdout)) == 2
