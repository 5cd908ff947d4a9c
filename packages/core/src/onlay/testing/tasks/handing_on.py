"""What a task's answers and models become outside of it: print-outs, folders, other formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.descriptors import Backbone, Exporter, resolve
from onlay.errors import OnlayError
from onlay.host import PluginHost
from onlay.model import printing
from onlay.model.assemble import attach, build_backbone
from onlay.model.outputs import outputs_in
from onlay.testing.checking import Broken, require
from onlay.testing.points import tiny_points
from onlay.testing.pyramid import tiny_pyramid
from onlay.testing.small import fits
from onlay.testing.tasks.answering import ASKED, answers_of
from onlay.testing.tasks.case import BATCH, TaskCase
from onlay.testing.tiny import tiny_backbone

SHALLOW: tuple[Callable[[], BuiltBackbone], ...] = (
    partial(tiny_backbone, depth=1),
    partial(tiny_points, depth=1),
    partial(tiny_pyramid, depths=(1, 1)),
)
"""The tiny backbones with as few blocks as there can be: a program takes as long as it is deep."""
SOURCES = [Path(f"{n}.x") for n in range(BATCH)]


def check_answers_go_through_predict(case: TaskCase) -> None:
    """Through the print-outs and the folder of `onlay predict` each answer is an object of its file
    in JSON, a full line of its file in CSV, and files of its own."""
    answers = answers_of(case)
    names = [str(source) for source in SOURCES]
    objects = json.loads(_printed("print_json", names, [ASKED.record(a) for a in answers]))
    told = [found["path"] for found in objects]
    require(told == names, f"in JSON the files of the answers are {told}")
    head, *lines = csv.reader(
        io.StringIO(_printed("print_csv", names, [ASKED.row(a) for a in answers]))
    )
    require(len(set(head)) == len(head), f"the columns of the CSV are {head}")
    told = [line[0] for line in lines]
    require(told == names, f"in CSV the files of the answers are {told}")
    _written(answers)


def _printed(form: str, names: list[str], records: list[Any]) -> str:
    with redirect_stdout(io.StringIO()) as text:
        getattr(printing, form)([*zip(names, records, strict=True)])
    return text.getvalue()


def _written(answers: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        with outputs_in(Path(folder) / "out", SOURCES, ASKED) as outputs:
            for source, answer in zip(SOURCES, answers, strict=True):
                outputs.add(source, answer)
        there = sorted(path.name for path in (Path(folder) / "out").iterdir())
        require(there == sorted(outputs.names), f"the folder holds {there}")


def no_exporter(case: TaskCase) -> str:
    return "" if case.host.exporters else "no exporter is installed"


def check_exporters_write_it_or_say_why(case: TaskCase) -> None:
    """Every installed exporter writes a merged model with the task's head, or refuses it in one
    sentence."""
    for exporter in case.host.exporters.values():
        failure: Exception | None = None
        for own in _with_backbones(case, exporter):
            try:
                _export(exporter, own)
            except Broken:
                raise
            except Exception as error:  # it may be for its plugin's own networks alone
                failure = error
            else:
                failure = None
                break
        if failure is not None:
            raise failure


def _export(exporter: Exporter, case: TaskCase) -> None:
    with TemporaryDirectory() as folder:
        target = Path(folder) / f"model{min(exporter.suffixes, default='')}"
        try:
            resolve(exporter.export)(_merged(case), target)
        except OnlayError as error:
            require("\n" not in str(error), f"`{exporter.name}` refuses with: {error}")
        else:
            require(target.exists(), f"`{exporter.name}` writes nothing to its path")


def _with_backbones(case: TaskCase, exporter: Exporter) -> Iterator[TaskCase]:
    """On a tiny one of the exporter's modality, then on those of plugins, its own first."""
    home = case.host.owner("exporter", exporter.name).name
    alike = [b for b in case.host.backbones.values() if b.modality == exporter.modality]
    alike.sort(key=lambda b: case.host.owner("backbone", b.name).name != home)
    own = [partial(_built, case.host, b) for b in alike if b.examples]
    for make in [*SHALLOW, *own]:
        found = make()
        if found.modality == exporter.modality and fits(case.task, found):
            yield replace(case, label=f"`{found.label}`", make=lambda found=found: found)


def _built(host: PluginHost, backbone: Backbone) -> BuiltBackbone:
    given = {"name": backbone.name, **backbone.examples[0]}
    return build_backbone(parse("backbone", given, host), host)


def _merged(case: TaskCase) -> Any:
    method = case.host.find("method", "linear")
    model = attach(
        case.built,
        parse("method", {"name": "linear"}, case.host),
        method,
        case.head(),
        task=case.config,
        host=case.host,
        verify=False,
    )
    return model.eval().merge()
