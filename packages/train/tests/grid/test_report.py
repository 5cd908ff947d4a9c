"""What is said of cells whose figures are known: means by hand, sentences, one page, files."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise

import pytest
from finished import SCORES, finish
from matplotlib.figure import Figure

from onlay.errors import ConfigError
from onlay_train.grid.plan import make_plan
from onlay_train.grid.report import made_of
from onlay_train.grid.report.costs import _scale
from onlay_train.grid.report.draw import drawings
from onlay_train.grid.report.files import as_latex
from onlay_train.grid.report.recommend import _versus
from onlay_train.grid.report.statistics import Difference
from onlay_train.grid.report.writing import looked_at, write_report
from onlay_train.grid.shown import reported
from onlay_train.grid.state import Failure

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def test_means_and_differences_by_hand(plan):
    """noisy over full: 10, 9, 11 points; Student's interval 10 +- 4.302653 / sqrt 3."""
    found, summary, told = looked_at(plan)
    assert (summary.reference, [s.method for s in summary.standings]) == (
        "full",
        ["noisy", "full", "linear"],
    )
    best = summary.standings[0]
    assert best.overall == pytest.approx(92.0)
    assert best.means["stripes"].deviation == pytest.approx(7**0.5)
    assert best.over.mean == pytest.approx(10.0)
    assert best.over.low == pytest.approx(10 - 4.302653 / 3**0.5, abs=1e-5)
    assert (best.train, best.loss, best.trained) == (100.0, 0.25, 100)
    assert best.step_seconds == pytest.approx(0.2)
    assert told[0].startswith("`noisy` is ahead with 92.0 %, +10.0 points against `full` (95 %")
    assert told[0].endswith("better.")
    assert "3 seeds cannot show p < 0.05" in told[-1]
    assert found.open_cells == 0


def test_the_files_say_the_same(plan):
    write_report(plan)
    folder = plan.root / "report"
    rows = list(csv.DictReader((folder / "table.csv").open()))
    assert [float(row["score"]) for row in rows if row["method"] == "noisy"] == [90.0, 91.0, 95.0]
    assert "| noisy | 92.0 ± 2.6 | +10.0 [+7.5, +12.5] |" in (folder / "table.md").read_text()
    assert r"noisy & 92.0 $\pm$ 2.6 &" in (folder / "table.tex").read_text()
    data = json.loads((folder / "report.json").read_text())
    assert [method["method"] for method in data["methods"]] == ["noisy", "full", "linear"]
    assert r"\%" in as_latex(*looked_at(plan)[:2])


def test_the_page_needs_no_network_and_names_every_cell(plan):
    write_report(plan)
    page = (plan.root / "report" / "index.html").read_text()
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    assert all(cell.name in page for cell in plan.cells())
    assert page.count("<svg") == 1 + 4  # one data set, four costs
    assert len(page) < 300_000


def test_a_report_is_read_while_it_was_made_of_the_same(plan, monkeypatch):
    """Written anew where a cell came from another machine, where the grid asks otherwise, and by
    another version of onlay-train."""
    page = plan.root / "report" / "index.html"

    def written_anew(of) -> bool:
        page.write_text("what lay there")
        told = reported(of)
        assert "is ahead with" in told
        return page.read_text() != "what lay there"

    reported(plan)
    assert not written_anew(plan)
    cell = plan.cells()[0]
    finish(plan.folder(cell), cell, 0.99, 900)
    assert written_anew(plan)
    assert not written_anew(plan)
    other = plan.grid.report.model_copy(update={"margin": 3.0})
    assert written_anew(replace(plan, grid=plan.grid.model_copy(update={"report": other})))
    assert written_anew(plan)
    monkeypatch.setattr(made_of, "version", lambda name: "0.0.1")
    assert written_anew(plan)


@pytest.fixture
def sized(make, host, root):
    """One data set at two sizes: `noisy` is ahead with few items, `full` with many."""
    axes = {"method": ["full", "noisy"], "data.train": [30, 60], "train.seed": [0, 1]}
    plan = make_plan(make(axes), host, root, {})
    for cell in plan.cells():
        few, noisy = cell.labels["data.train"] == "30", cell.labels["method"] == "noisy"
        score = (0.5 if few else 0.75) + (0.125 if few and noisy else 0.0)
        finish(plan.folder(cell), cell, score - (0.0625 if noisy and not few else 0.0))
    return plan


def test_a_data_set_at_two_sizes_is_one_data_set_with_a_curve(sized):
    """Both seeds: the mean of +12.5 and -6.25."""
    found, summary, told = looked_at(sized)
    best = next(s for s in summary.standings if s.method == "noisy")
    assert (best.over.datasets, best.over.seeds, best.over.mean) == (1, 2, 3.125)
    assert (
        "By `train`, none is told apart from all others at 30 (`noisy` has the best mean), 60"
        " (`full` has the best mean)."
    ) in told
    assert any(text.startswith("2 seeds cannot show p < 0.05") for text in told)
    titles = [title for title, _ in drawings(found, summary)]
    assert titles[:3] == ["stripes, by train", "stripes, train=30", "stripes, train=60"]


def test_what_holds_alone_and_not_among_many_is_said_so(plan):
    over = Difference(mean=1.0, low=0.1, high=1.9, p=0.03, p_holm=0.27, where=["stripes"])
    found, _, _ = looked_at(plan)
    assert _versus(over, "full", found).endswith(
        "p = 0.270 after Holm): better taken alone, and not told apart among so many methods"
    )


def test_a_difference_stands_beside_every_mean(plan):
    """`noisy` over `full`: 10, 9, 11 points; mean 10, deviation 1, t of two degrees 4.303: the
    interval reaches 2.48 to both sides."""
    write_report(plan)
    page = (plan.root / "report" / "index.html").read_text("utf-8")
    table = page[page.index("<table id=by-data>") :]
    rows = re.findall(r"<tr><td>stripes</td><td>(.*?)</td>(.*?)</tr>", table)
    told = {name: re.findall(r"<td[^>]*>(.*?)</td>", cells)[4] for name, cells in rows}
    assert (told["full"], told["noisy"]) == ("reference", "+10.0 [+7.5, +12.5]")


def test_who_is_as_good_and_what_the_best_one_costs_is_said(plan):
    _, _, told = looked_at(plan)
    assert told[1].startswith("No other method is as good: `full`, the next, is 10.0 points behind")
    assert told[2].startswith("`noisy` trains 100 parameters, takes 200 ms a step and 1 MiB at its")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_sorts_and_filters_at_two_widths(sized, tmp_path):
    """One browser for both: the page in frames, which say what they hold."""
    write_report(sized)
    page = sized.root / "report" / "index.html"
    script = """<script>addEventListener("load", () => {
      const shown = () => [...document.querySelectorAll("#cells tbody tr")]
        .filter((row) => !row.hidden).map((row) => row.cells[3].textContent);
      const field = document.querySelector("[data-for=cells]");
      field.value = "NOISY train=60";
      field.dispatchEvent(new Event("input"));
      const few = shown();
      field.value = "";
      field.dispatchEvent(new Event("input"));
      document.querySelectorAll("#cells th button")[3].click();
      const fits = document.documentElement.scrollWidth <= innerWidth;
      parent.document.body.dataset[`w${innerWidth}`] = `${few}|${shown()}|${fits}`;
    });</script></body>"""
    page.write_text(page.read_text("utf-8").replace("</body>", script), encoding="utf-8")
    frames = "".join(f'<iframe src="{page.as_uri()}" width={w}></iframe>' for w in (390, 1280))
    framed = tmp_path / "framed.html"
    framed.write_text(f"<body>{frames}", encoding="utf-8")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files")
    command = [CHROMIUM, *flags, "--virtual-time-budget=5000", "--dump-dom", framed.as_uri()]
    drawn = subprocess.run(command, check=True, capture_output=True, timeout=300).stdout.decode()
    sorted_ = "50.00,50.00,62.50,62.50,68.75,68.75,75.00,75.00"
    for width in (390, 1280):
        assert f'data-w{width}="68.75,68.75|{sorted_}|true"' in drawn, drawn[-500:]


def test_a_failure_is_told_with_its_reason_and_counted(plan, root):
    cell = plan.cells()[0]
    folder = plan.folder(cell)
    folder.run.summary.unlink()
    folder.fail(Failure("RunError", "the loss is not finite", diverged=True))
    found, summary, _ = looked_at(plan)
    assert [(lost.method, lost.said) for lost in found.lost] == [("full", "the loss is not finite")]
    standing = next(s for s in summary.standings if s.method == "full")
    assert (standing.failed, standing.diverged, standing.means["stripes"].n) == (1, 1, 2)


def test_a_mean_that_lacks_a_data_set_comes_last_and_is_told(make, host, root):
    """linear is best where it is, and failed on the other data set."""
    data = [{"name": "stripes", "train": 30}, {"name": "stripes", "train": 60}]
    plan = make_plan(make({"method": list(SCORES), "data": data}), host, root, {})
    for cell in plan.cells():
        if (cell.labels["method"], cell.labels["data"]) != ("linear", "stripes(train=60)"):
            finish(plan.folder(cell), cell, 0.99 if cell.labels["method"] == "linear" else 0.5)
    found, summary, told = looked_at(plan)
    assert summary.standings[-1].method == "linear"
    assert any(text.startswith("`linear` has no result on stripes(train=60)") for text in told)
    assert any("drawings against costs leave it out" in text for text in told)
    drawn = dict(drawings(found, summary))
    assert "linear" in drawn["stripes(train=30)"]
    assert "linear" not in drawn[f"{found.metric} against trained parameters"]


def test_methods_that_lack_the_same_data_set_share_a_sentence(make, host, root):
    data = [{"name": "stripes", "train": 30}, {"name": "stripes", "train": 60}]
    plan = make_plan(make({"method": list(SCORES), "data": data}), host, root, {})
    whole, *others = SCORES
    for cell in plan.cells():
        if cell.labels["method"] == whole or cell.labels["data"] != "stripes(train=60)":
            finish(plan.folder(cell), cell, 0.5)
    _, _, told = looked_at(plan)
    (said,) = [text for text in told if "no result on" in text]
    assert said.partition(" have no result on stripes(train=60): their means are")[1]
    assert all(f"`{method}`" in said for method in others)


def test_two_means_and_what_is_to_be_said_of_them(make, host, root):
    """Of 90, 80 and 40: 70 over data sets; (85 + 40) / 2 over groups; `d` is not there. What is
    chosen on the test part is marked in every table."""
    data = {name: {"data": {"name": "stripes", "train": 30 + n}} for n, name in enumerate("abc")}
    groups = {"seen": ["a", "b"], "new": ["c", "d"]}
    notes = ["Papers print both.", {"say": "Small.", "when": {"data.train": 31}}]
    notes += [{"say": "Large.", "when": {"data.train": 90}}]
    report = {"groups": groups, "notes": notes}
    plan = make_plan(make({"method": ["noisy"], "data": data}, report=report), host, root, {})
    for cell, score in zip(plan.cells(), (0.9, 0.8, 0.4), strict=True):
        finish(plan.folder(cell), cell, score, selection="best_test_as_published")
    told = write_report(plan)
    assert "1 of 4 data sets have no result (`d`)" in " ".join(told)
    assert told[-2:] == ["Papers print both.", "Small."]
    folder = root / "report"
    marked = "noisy (epoch chosen on test)"
    row = f"| {marked} | 90.0 | 80.0 | 40.0 | 70.0 | 62.5 | 85.0 | 40.0 |"
    assert row in (text := (folder / "table.md").read_text())
    assert "| c | mean of 3 of 4 | mean of 2 groups | mean, seen | mean, new |" in text
    assert "Papers print both.\n\nSmall." in text
    tex = (folder / "table.tex").read_text()
    assert f"{marked} & 90.0 & 80.0 & 40.0 & 70.0 & 62.5 &" in tex
    assert "\n% Papers print both.\n" in tex
    means = next(csv.DictReader((folder / "means.csv").open()))
    assert [round(float(means[name]), 6) for name in ("mean", "seen", "new")] == [70, 85, 40]
    assert (means["mean_of_groups"], means["chosen"]) == ("62.5", "on the test part")
    cells = list(csv.DictReader((folder / "table.csv").open()))
    assert {cell["selection"] for cell in cells} == {"best_test_as_published"}
    standing = json.loads((folder / "report.json").read_text())["methods"][0]
    assert (standing["overall"], standing["mean_of_groups"]) == (pytest.approx(70), 62.5)
    page = (folder / "index.html").read_text()
    assert page.count(f"<td>{marked}</td>") == 1 + 3 + 3  # of all, of each data set, of cells
    assert "<td class=n>70.0</td><td class=n>62.5</td>" in page


def test_an_unknown_reference_is_refused_before_anything_is_trained(make, host, root, plan):
    grid = make(plan.grid.grid, report={"reference": "arc"})
    with pytest.raises(
        ConfigError, match=r"`arc` is none of the methods \(have: full, noisy, linear\)"
    ):
        make_plan(grid, host, root, {})


def test_where_the_reference_is_not_done_another_one_stands_in_and_it_is_said(make, host, root):
    grid = make({"method": ["linear", "noisy"], "train.seed": [0]}, report={"reference": "noisy"})
    plan = make_plan(grid, host, root, {})
    (cell,) = (cell for cell in plan.cells() if cell.labels["method"] == "linear")
    finish(plan.folder(cell), cell, 0.5)
    _, summary, told = looked_at(plan)
    assert summary.reference == "linear"
    assert any(
        "`noisy`, the reference, has no cell that is done: the others are" in each for each in told
    )


@pytest.mark.parametrize("costs", [[118, 416], [310, 935], [100, 900], [74, 951], [1, 4000]])
def test_numbers_below_a_cost_do_not_cover_each_other(costs):
    figure = Figure((3.4, 2.4))
    axes = figure.subplots()
    axes.plot(costs, [1, 2])
    _scale(axes, costs)
    axes.margins(x=0.1)
    figure.draw_without_rendering()
    low, high = axes.get_xlim()
    labels = [own for own in axes.get_xticklabels() if low <= own.get_position()[0] <= high]
    boxes = [own.get_window_extent() for own in labels if own.get_text()]
    assert len(boxes) >= 2
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
