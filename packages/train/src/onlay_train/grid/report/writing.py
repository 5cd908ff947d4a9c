"""The folder of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onlay.machine.disk import write_text, writing
from onlay_train.grid.report.gathered import found
from onlay_train.grid.report.made_of import made_of
from onlay_train.grid.report.recommend import sentences
from onlay_train.grid.report.rows import Found
from onlay_train.grid.report.summary import Summary, summarized

if TYPE_CHECKING:
    from onlay_train.grid.plan import Plan


def looked_at(plan: Plan) -> tuple[Found, Summary, list[str]]:
    """What lies in the folder, as a table and in sentences."""
    own = plan.grid.report
    seen = found(plan)
    margin = seen.scale.tie if own.margin is None else own.margin
    summary = summarized(seen, own.reference, margin)
    return seen, summary, sentences(seen, summary)


def write_report(plan: Plan) -> list[str]:
    """`report/index.html` and tables beside it; gives what is to be said."""
    from onlay_train.grid.report.files import as_csv, as_json, as_latex, as_markdown, as_means
    from onlay_train.grid.report.page import page

    of = made_of(plan)  # before it is read: what ends meanwhile is for the next report
    seen, summary, told = looked_at(plan)
    folder = plan.root / "report"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "table.csv", as_csv(seen))
    write_text(folder / "means.csv", as_means(seen, summary))
    write_text(folder / "table.md", as_markdown(seen, summary))
    write_text(folder / "table.tex", as_latex(seen, summary))
    write_text(folder / "report.json", as_json(seen, summary, told, of))
    write_text(folder / "index.html", page(seen, summary, told))
    return told
