"""A metric that has to fall, in centimetres: chosen, waited for and told as such."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from rich.console import Console
from torchmetrics import MeanAbsoluteError, MeanMetric, MetricCollection, R2Score
from torchmetrics.classification import MulticlassAccuracy

from onlay.cli import main
from onlay.host import PluginHost
from onlay.reports import LOSS, PERCENT, Measure, measure_named, measures_of
from onlay.tasks import class_maps
from onlay_train.compare import Comparison
from onlay_train.folds import Folds
from onlay_train.plot import plot_comparison, plot_run
from onlay_train.progress import Progress
from onlay_train.summary import Summary

DATA = Path(__file__).parent / "data"
FILES = [DATA / "tiny_plugin.py", DATA / "falling_plugin.py"]
FALLING = Measure("cm", better="lower")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`run(numbers, "train", ...)`: the task's errors, one after the other, on the command line."""
    host = PluginHost.discover(only="train", files=FILES)
    scripted = sys.modules[host.tasks["falling"].build.split(":")[0]].Scripted

    def go(numbers: list[float], command: str, *words: str) -> str:
        monkeypatch.setattr(scripted, "numbers", list(numbers))
        result = CliRunner().invoke(main, [command, *words], obj=host)
        assert result.exit_code == 0, result.output
        assert not scripted.numbers, "it was evaluated less often"
        return result.stdout

    return go


def test_the_lowest_error_is_the_best(run: Any, tmp_path: Path) -> None:
    """By epochs 30, 17.9512, 21, 22; then, by patience 2, the end, and 18.25 on the test part."""
    words = ["backbone=tiny", "method=noisy", "data=stripes", "task=falling", f"out={tmp_path}/a"]
    words += ["train.epochs=9", "train.trackers=[]", "train.early_stopping=2"]
    shown = run([30, 17.9512, 21, 22, 18.25], "train", *words, "train.selection=best_val")
    summary = Summary.read(tmp_path / "a" / "summary.json")
    assert (summary.epochs, summary.chosen_epoch) == (4, 2)
    assert summary.metrics["validation_error"] == pytest.approx(17.9512)
    assert summary.measure("test_error") == FALLING
    told = [line for line in shown.splitlines() if "error" in line]
    assert "error 30.00 cm" in told[0]
    assert "error 17.95 cm" in told[1]
    assert any("18.25 cm" in line for line in told[4:])
    assert "%" not in "".join(told)
    card = (tmp_path / "a" / "bundle" / "README.md").read_text()
    assert "| `test_error` | `18.25 cm` |" in card

    shown = run([19.5], "eval", f"{tmp_path}/a", "--report", f"{tmp_path}/report")
    assert "19.50 cm" in shown
    found = json.loads(run([float("nan")], "eval", f"{tmp_path}/a", "--json"))
    assert (found["error"], found["measures"]["error"]) == (None, {"unit": "cm", "better": "lower"})
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<dt>error</dt><dd>19.50 cm</dd>" in page
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["error"] == 19.5


def test_no_number_is_never_the_best() -> None:
    progress, seen = Progress(), []
    for error in (float("nan"), 30.0, float("nan"), 20.0, 25.0):
        seen.append(progress.judge({"error": error}, "error", FALLING))
        progress.next_epoch()
    assert seen == [True, True, False, True, False]
    assert (progress.best, progress.best_epoch) == ({"error": 20.0}, 4)


def summary(error: float) -> Summary:
    facts: Any = {"folder": "a", "method": "arc", "backbone": "tiny", "selection": "last"}
    facts |= {"chosen_epoch": 1, "epochs": 1, "seed": 0, "seconds": 1.0, "peak_bytes": 1}
    facts |= {"parameters": {"method": 1, "head": 1, "other": 0, "backbone": 9}, "bundle_bytes": 1}
    facts |= {"device": "cpu", "main_metric": "error", "metrics": {"test_error": error}}
    return Summary(**facts, measures={"error": {"unit": "cm", "better": "lower"}})


def test_tables_over_runs_say_the_unit() -> None:
    """17 and 19: a mean of 18, a deviation of the square root of 2."""
    found = Comparison({"arc": [summary(17.0), summary(19.0)]})
    text = StringIO()
    console = Console(file=text, width=120)
    console.print(found.table())
    console.print(Folds("arc", found).table())
    assert text.getvalue().count("18.00 ± 1.41 cm") == 2
    assert "17.00 cm" in text.getvalue()
    assert "18" not in text.getvalue().replace("18.00 ± 1.41 cm", "")


def test_pictures_say_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("onlay_train.plot.save", lambda figure, path: drawn.append(figure))
    errors = enumerate((30, 17), 1)
    history = [{"epoch": n, "train_loss": 1.0, "validation_error": cm} for n, cm in errors]
    told: Any = {"title": "a", "measure": FALLING}
    plot_run(history, tmp_path, "error", **told)
    plot_comparison({"arc": history}, {"arc": 17.9512}, tmp_path, "error", **told)
    curves, bars = drawn[1].axes
    assert {drawn[0].axes[1].get_ylabel(), curves.get_ylabel()} == {"error in cm"}
    assert [text.get_text() for text in bars.texts] == ["17.95 cm"]
    assert bars.get_xlim()[1] > 17.9512


class Silent(MeanMetric):
    """Says nothing of itself."""


class Undeclared:
    """A head that says something of one of its metrics alone."""

    measures: ClassVar = {"mae": Measure("mm", better="lower")}

    def metrics(self) -> MetricCollection:
        return MetricCollection(
            {
                "mae": MeanAbsoluteError(),
                "other": MeanAbsoluteError(),
                "top1": MulticlassAccuracy(3),
                "r2": R2Score(),
                "own": Silent(),
            }
        )


def test_a_metric_that_is_not_declared_says_it_itself_or_is_a_share() -> None:
    found = measures_of(Undeclared())
    assert found == {
        "loss": LOSS,
        "mae": Measure("mm", better="lower"),
        "other": Measure("", better="lower"),
        "top1": PERCENT,
        "r2": Measure(),
        "own": PERCENT,
    }
    assert measure_named("voted_mae", found).unit == "mm"
    assert measure_named("test_loss", {}) == LOSS
    assert measure_named("knn_top1", {}) == PERCENT


def test_a_summary_without_measures_is_of_shares() -> None:
    old = replace(summary(0.5), measures={})
    assert (old.measure("test_error"), old.measure("loss")) == (PERCENT, LOSS)


@pytest.mark.parametrize(
    ("measure", "value", "deviation", "text"),
    [
        (PERCENT, 0.8812, None, "88.12 %"),
        (Measure("cm"), 17.9512, 0.3049, "17.95 ± 0.30 cm"),
        (Measure("cm"), 1234.5, None, "1234 cm"),
        (Measure("m"), 0.00179512, None, "0.001795 m"),
        (LOSS, 0.0285, None, "0.0285"),
        (LOSS, 0.00012345, None, "0.000123"),
        (LOSS, 0.0, None, "0.0000"),
        (LOSS, 1234.5, None, "1234"),
        (LOSS, float("inf"), None, "inf"),
    ],
)
def test_numbers_for_people(
    measure: Measure, value: float, deviation: float | None, text: str
) -> None:
    assert measure.text(value, deviation) == text


def test_a_class_may_be_called_a_loss() -> None:
    found = class_maps.measures(["forest_loss"])
    several = {f"parts/{name}": measure for name, measure in found.items()}
    for name in ("iou_forest_loss", "test_iou_forest_loss"):
        assert measure_named(name, found) == PERCENT
    assert measure_named("test_parts/iou_forest_loss", several) == PERCENT
