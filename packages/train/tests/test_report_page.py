"""`onlay eval RUN --report DIR`: files and a page."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from torch.utils.data import TensorDataset

from onlay.descriptors import Modality
from onlay.errors import ConfigError
from onlay.reports import Drawing, Mistake, Report, Table
from onlay_train import collected, evaluation
from onlay_train.collected import Collected
from onlay_train.report_folder import Judged, check_free, write_report

Command = Callable[..., Result]
REPORT = Report(
    metrics={"ece": 0.25, "auroc": float("nan")},
    facts={"positive_class": "<dog>"},
    tables=[
        Table("per_class", "Classes", ("class", "recall", "n"), [("<dog>", 0.5, 1200)],
              frozenset({"recall"})),
        Table("confusion", "Confusion", ("a",), [(1,)], shown=False),
    ],
    drawings=[Drawing("confusion", "Matrix", '<svg viewBox="0 0 1 1"></svg>')],
    mistakes=[Mistake(n, "<dog>", "cat", 0.9 - n / 1000, "90 %") for n in range(60)],
)  # fmt: skip


def drawn(inputs: torch.Tensor, preprocessing: dict[str, str]) -> str:
    return f"data:text/plain,{inputs.item():g}{preprocessing['unit']}"


def written(folder: Path, report: Report = REPORT) -> str:
    part = TensorDataset(torch.arange(60.0))
    modality = Modality(
        name="x",
        reader="",
        suffixes=frozenset(),
        summary="",
        thumbnail=f"{__name__}:drawn",
    )
    judged = Judged({"top1": 0.5, "loss": 2.0}, 60, "test part", {"run": "runs/<a>"})
    write_report(folder, report, judged, part, modality, {"unit": "m"})
    return (folder / "index.html").read_text(encoding="utf-8")


def test_files_and_page(tmp_path: Path) -> None:
    """Names are text, and of 60 mistakes 48 have a picture; nothing is fetched from elsewhere."""
    page = written(tmp_path / "report")
    folder = tmp_path / "report"
    assert json.loads((folder / "metrics.json").read_text()) == {
        "judged": "test part", "samples": 60, "positive_class": "<dog>", "top1": 0.5, "loss": 2.0,
        "ece": 0.25, "auroc": None,
    }  # fmt: skip
    assert (folder / "per_class.csv").read_text() == "class,recall,n\n<dog>,0.5,1200\n"
    assert (folder / "confusion.svg").read_text().startswith("<svg")
    rows = list(csv.DictReader((folder / "mistakes.csv").open()))
    assert len(rows) == 60
    assert rows[1] == {"item": "item 1", "said": "<dog>", "true": "cat", "score": "0.899"}
    assert page.count("<article>") == 48
    assert "the first 48 of 60" in page
    assert 'src="data:text/plain,1m"' in page
    assert "<td>&lt;dog&gt;</td><td class=n>50.0 %</td><td class=n>1,200</td>" in page
    assert "<dog>" not in page
    assert not re.findall(r"(?:src|href)=.?https?:", page)
    assert "25.00 %" in page
    assert "2.0000" in page


def test_what_is_no_number_is_told(tmp_path: Path) -> None:
    page = written(tmp_path / "report", Report(metrics={"ece": math.nan}))
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["ece"] is None
    assert "nan" in page


def test_a_task_that_tells_nothing_has_its_metrics(tmp_path: Path) -> None:
    assert "50.00 %" in written(tmp_path / "report", Report())
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "metrics.json", "mistakes.csv", "index.html",
    }  # fmt: skip


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    check_free(tmp_path / "notes")
    (tmp_path / "notes" / "a.txt").touch()
    with pytest.raises(ConfigError, match="holds other files and is no report"):
        check_free(tmp_path / "notes")
    with pytest.raises(ConfigError, match="is a file"):
        check_free(tmp_path / "notes" / "a.txt")
    written(tmp_path / "report")
    check_free(tmp_path / "report")


def test_processes_take_items_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    class Head:
        def report(self, outputs: torch.Tensor, targets: torch.Tensor) -> Report:
            return Report(
                facts={"outputs": str(outputs.tolist()), "targets": str(targets.tolist())}
            )

    first, second = Collected(Head()), Collected(Head())
    first(torch.tensor([[0.0], [2.0]]), torch.tensor([0, 2]))
    first(torch.tensor([[4.0]]), torch.tensor([4]))
    second(torch.tensor([[1.0], [3.0]]), torch.tensor([1, 3]))
    shares = [each.pairs for each in (first, second)]
    monkeypatch.setattr(collected, "gather_object", lambda own: shares)
    found = first.report().facts
    assert found["outputs"] == "[[0.0], [1.0], [2.0], [3.0], [4.0]]"
    assert found["targets"] == "[0, 1, 2, 3, 4]"
    with pytest.raises(ConfigError, match="outputs and targets that are tensors"):
        first({"a": [torch.zeros(1)]}, torch.zeros(1))
    nothing = Collected(object())
    nothing({"a": 1}, None)
    assert nothing.report() == Report()


def test_a_head_may_condense_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Head:
        def condense(
            self, output: dict[str, torch.Tensor], targets: None
        ) -> tuple[torch.Tensor, ...]:
            return output["maps"].sum((1, 2)), torch.zeros(len(output["maps"]))

        def report(self, outputs: torch.Tensor, targets: torch.Tensor) -> Report:
            return Report(facts={"sums": str(outputs.tolist())})

    kept = Collected(Head())
    kept({"maps": torch.ones(2, 3, 3)}, None)
    monkeypatch.setattr(collected, "gather_object", lambda own: own)
    assert kept.report().facts["sums"] == "[9.0, 9.0]"


def test_the_command_writes_what_it_prints(
    onlay_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = onlay_command("train", "train.epochs=1")
    run = tmp_path / "run"
    assert f"onlay eval {run} --report {run}/report" in trained.output.replace("\n", "")
    found = onlay_command("eval", str(run), "--report", str(run / "report"), small=False)
    assert found.exit_code == 0, found.output
    assert f"report {run}/report/index.html" in found.output
    numbers = json.loads((run / "report" / "metrics.json").read_text())
    assert f"{100 * numbers['top1']:.2f} %" in found.output
    rows = list(csv.reader((run / "report" / "confusion.csv").open()))[1:]
    assert sum(int(cell) for row in rows for cell in row[1:]) == numbers["samples"]
    right = sum(int(row[place + 1]) for place, row in enumerate(rows))
    assert right / numbers["samples"] == pytest.approx(numbers["top1"])
    again = onlay_command("eval", str(run), "--report", str(run / "report"), "--json", small=False)
    assert json.loads(again.stdout)["top1"] == numbers["top1"]
    monkeypatch.setattr(evaluation, "_broken", lambda output: torch.tensor(True))
    nothing = onlay_command("eval", str(run), "--report", str(tmp_path / "other"), small=False)
    assert nothing.exit_code == 2
    assert "are no numbers (NaN or infinite): there is nothing to report" in nothing.output
    assert not (tmp_path / "other").exists()
    assert json.loads(onlay_command("eval", str(run), "--json", small=False).stdout)["top1"] is None
    refused = onlay_command("eval", str(run), "--report", str(run), small=False)
    assert refused.exit_code == 2
    assert "holds other files and is no report" in refused.stderr
