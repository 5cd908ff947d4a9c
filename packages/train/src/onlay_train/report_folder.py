"""The report of what was judged: numbers, tables and pictures as files, and a page of them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from onlay.descriptors import Modality, resolve
from onlay.errors import ConfigError
from onlay.machine.disk import write_text, writing
from onlay.reports import Measure, Mistake, Report
from onlay_train.report_page import Card, page

NUMBERS = "metrics.json"
"""Marks a folder as a report, which may be written over."""
SHOWN = 48
"""Mistakes that have a picture on the page."""


@dataclass(frozen=True)
class Judged:
    """What a report is about."""

    metrics: Mapping[str, float]
    samples: int
    what: str
    """In words: `test part`."""
    about: Mapping[str, str]
    """Facts for the head of the page: run, method, backbone."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    """How the metrics are read; one that is not here is a share."""


def check_free(folder: Path) -> None:
    """Refuse a folder that holds something else, before anything is judged.

    Raises:
        ConfigError: a file, or a folder with other files.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"`{folder}` is a file: give a folder to `--report`")
    if folder.exists() and any(folder.iterdir()) and not (folder / NUMBERS).is_file():
        raise ConfigError(f"`{folder}` holds other files and is no report; give a new folder")


def write_report(
    folder: Path,
    report: Report,
    judged: Judged,
    part: Dataset[Any],
    modality: Modality | None,
    preprocessing: Mapping[str, Any],
) -> None:
    """`metrics.json`, a table for each of the report's and one of the mistakes, its drawings, and
    `index.html`."""
    metrics = {**judged.metrics, **report.metrics}
    judged = replace(judged, metrics=metrics, measures={**judged.measures, **report.measures})
    told = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
    numbers = {"judged": judged.what, "samples": judged.samples, **report.facts, **told}
    names = [source_of(part, mistake.index) for mistake in report.mistakes]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / NUMBERS, json.dumps(numbers, indent=2) + "\n")
        for table in report.tables:
            write_text(folder / f"{table.name}.csv", _csv(table.columns, table.rows))
        for drawing in report.drawings:
            write_text(folder / f"{drawing.name}.svg", drawing.svg + "\n")
        rows = [
            (name, m.said, m.true, m.score) for name, m in zip(names, report.mistakes, strict=True)
        ]
        write_text(folder / "mistakes.csv", _csv(("item", "said", "true", "score"), rows))
        cards = [
            Card(name, mistake, _picture(part, mistake, modality, preprocessing))
            for name, mistake in zip(names[:SHOWN], report.mistakes, strict=False)
        ]
        write_text(folder / "index.html", page(report, judged, cards))


def source_of(part: Dataset[Any], index: int) -> str:
    """The file of an item, if the part has `sources`; else its number."""
    sources = getattr(part, "sources", None)
    source = None if sources is None else sources[index]
    return str(source) if isinstance(source, str | Path) else f"item {index}"


def _picture(
    part: Dataset[Any],
    mistake: Mistake,
    modality: Modality | None,
    preprocessing: Mapping[str, Any],
) -> str:
    """Its address; empty where nothing draws such inputs."""
    draw = None if modality is None else modality.thumbnail
    inputs = part[mistake.index][0]
    if draw is None or not isinstance(inputs, Tensor):
        return ""
    return resolve(draw)(inputs, preprocessing)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()
