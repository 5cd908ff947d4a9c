"""What lies in the folder of a comparison, as rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from onlay.errors import ConfigError
from onlay.reports import Measure
from onlay_train.grid.axes import NONE, is_seed, values_of
from onlay_train.grid.cells import Cell
from onlay_train.grid.controls import HOME
from onlay_train.grid.facts import keys_in
from onlay_train.grid.others import counted_of_others, strangers
from onlay_train.grid.report.groups import notes
from onlay_train.grid.report.recipes import recipes
from onlay_train.grid.report.rows import Found, Lost, Reached, Row, Search, mean
from onlay_train.grid.report.times import times
from onlay_train.grid.search import WHOLE, as_number
from onlay_train.grid.trivial import Trivial

if TYPE_CHECKING:
    from onlay_train.grid.plan import Plan
    from onlay_train.summary import Summary


def found(plan: Plan) -> Found:
    """What lies in the folder of a comparison.

    Raises:
        ConfigError: its cells have different metrics, which no table can hold.
    """
    from onlay_train.grid.shown import skipped, unchosen

    roles = Roles.of(plan)
    states = [(cell, plan.folder(cell).state) for cell in plan.everything()]
    cells = [(cell, plan.folder(cell)) for cell in plan.cells()]
    done = [(cell, folder, folder.summary()) for cell, folder in cells if folder.state == "done"]
    metrics = {summary.main_metric for _, _, summary in done}
    if len(metrics) > 1:
        raise ConfigError(
            f"the cells have different metrics ({', '.join(sorted(metrics))}), which no table"
            " holds: make a grid for each"
        )
    metric = next(iter(metrics), "")
    measure = done[0][2].measure(metric) if done else Measure()
    rows = [_row(cell, folder, summary, roles, measure) for cell, folder, summary in done]
    scored = [row for row in rows if math.isfinite(row.score)]
    lost = [_lost(cell, plan, roles) for cell, state in states if state == "failed"]
    lost += [_without_score(row, metric) for row in rows if not math.isfinite(row.score)]
    return Found(
        name=plan.root.name,
        root=plan.root.as_posix(),
        rows=scored,
        searches=[
            _search(group.labels, group.trials, plan, roles, measure)
            for group in plan.groups.values()
            if group.trials
        ],
        lost=lost,
        measure=measure,
        metric=metric,
        open_cells=plan.size - plan.lost - sum(state in ("done", "failed") for _, state in states),
        skipped=skipped(plan),
        axes=roles.methods,
        size=roles.size.rpartition(".")[2] if roles.size else "",
        **_without_training(plan, roles, measure),
        groups=plan.grid.report.groups,
        notes=[
            *_recipes(plan, [cell for cell, _, _ in done], roles),
            *notes(plan.grid.report, [cell.config for cell, _, _ in done]),
        ],
        others=[
            *unchosen(plan),
            *counted_of_others(plan),
            *strangers(plan),
            *times([folder for _, folder, _ in done]),
        ],
    )


NO_ADAPTERS = ("linear", "full")
"""Methods that train the head alone, or everything."""


@dataclass(frozen=True)
class Roles:
    """What each axis of a grid is for."""

    methods: Sequence[str]
    data: Sequence[str]
    size: str | None
    """The axis of numbers by which learning curves go, where there is one."""
    sizes: Sequence[str] = ()
    """All axes of numbers among the data: they tell no data sets apart."""
    whole_paths: bool = False
    """Folders of data are called by their whole paths: their last parts are one."""
    controls: Mapping[str, str] = field(default_factory=dict)
    """Label of the axis `method` -> which control it is."""

    @classmethod
    def of(cls, plan: Plan) -> Roles:
        """Data are the axes `data` and `data.*`, and pieces of run files about data; of these the
        one whose values, or labels, are numbers is the size. Axes of one value tell nothing
        apart."""
        given = plan.grid.grid
        axes = [axis for axis in given if not is_seed(axis)]
        data = [axis for axis in axes if _is_data(axis, given[axis])]
        sizes = [axis for axis in data if _is_size(given[axis])]
        methods = [axis for axis in axes if axis not in data]
        values = values_of(plan.grid, plan.host)
        several = [axis for axis in methods if len(values[axis]) > 1]
        controls = {value.label: value.control for value in values.get(HOME, ()) if value.control}
        size = sizes[0] if len(sizes) == 1 else None
        paths = {str(path) for _, run in plan.drawn.runs if (path := _path(run.data))}
        same = len({PurePath(path).name for path in paths}) < len(paths)
        return cls(several or methods or axes, data, size, sizes, same, controls)

    def method(self, labels: Mapping[str, str]) -> str:
        own = (labels[axis] for axis in self.methods)
        return " / ".join(label for label in own if label != NONE)

    def dataset(self, labels: Mapping[str, str], config: Mapping[str, Any]) -> str:
        """`digits, train_size=50`."""
        return self._named(self.data, labels, config["data"])

    def source(self, labels: Mapping[str, str], config: Mapping[str, Any]) -> str:
        """The same without the size."""
        axes = [axis for axis in self.data if axis not in self.sizes]
        return self._named(axes, labels, config["data"])

    def _named(
        self, axes: Sequence[str], labels: Mapping[str, str], data: Mapping[str, Any]
    ) -> str:
        own = [labels[a] if a == "data" else f"{a.rpartition('.')[2]}={labels[a]}" for a in axes]
        if "data" in axes:
            return ", ".join(own)
        path = data.get("path")
        last = path if self.whole_paths else PurePath(path).name if path else ""
        name = f"{data['name']}({last})" if path else str(data["name"])
        return ", ".join([name, *own])


def _path(data: Any) -> Any:
    return getattr(data, "path", None)


def _is_size(values: Iterable[Any]) -> bool:
    """Numbers, and `null` or a label `all` for everything that there is."""
    numbers = [as_number(value) for value in values if value not in WHOLE]
    return bool(numbers) and None not in numbers


def _is_data(axis: str, values: Any) -> bool:
    if axis.partition(".")[0] in ("data", "fold"):
        return True
    pieces = values.values() if isinstance(values, Mapping) else ()
    return bool(pieces) and all(p.keys() <= {"data", "train"} and "data" in p for p in pieces)


def _without_training(plan: Plan, roles: Roles, measure: Measure) -> dict[str, Any]:
    """What an answer reaches that is the same for every input, as a mean over seeds, and where
    there is none."""
    if "trivial" not in plan.grid.controls:
        return {}
    known: dict[str, list[Trivial]] = {}
    for cell in plan.cells():
        if own := Trivial.read(plan.known, keys_in(cell.config)["data"]):
            known.setdefault(roles.dataset(cell.labels, cell.config), []).append(own)
    factor = 100 if measure.unit == "%" else 1
    scores = {data: [t.score for t in own if t.score is not None] for data, own in known.items()}
    return {
        "trivial": {
            data: Reached(known[data][0].what, factor * mean(own))
            for data, own in scores.items()
            if own
        },
        "no_trivial": {data: own[0].none for data, own in known.items() if not scores[data]},
    }


def _recipes(plan: Plan, cells: Sequence[Cell], roles: Roles) -> Iterator[str]:
    """Whose settings they have, where the grid takes presets."""
    if wanted := plan.grid.recipes:
        taken = [
            (roles.method(cell.labels), cell.labels.get("data", ""), cell.config.get("preset"))
            for cell in cells
        ]
        yield from recipes(taken, [preset.name for preset in wanted.presets])


def _row(cell: Cell, folder: Any, summary: Summary, roles: Roles, measure: Measure) -> Row:
    factor = 100 if measure.unit == "%" else 1
    part, score = summary.score or ("none", float("nan"))
    train = summary.metrics.get(f"train_{summary.main_metric}")
    last = (folder.run.history() or [{}])[-1]
    size = cell.labels[roles.size] if roles.size else None
    return Row(
        cell=cell.name,
        method=roles.method(cell.labels),
        data=roles.dataset(cell.labels, cell.config),
        source=roles.source(cell.labels, cell.config),
        size=as_number(size),
        seed=json.dumps([label for axis, label in cell.labels.items() if is_seed(axis)]),
        score=factor * score,
        part=part,
        train=None if train is None else factor * train,
        loss=last.get("train_loss", float("nan")),
        trained=summary.trained,
        step_seconds=_trained_for(last) / max(last.get("step", 1), 1),
        peak_bytes=summary.peak_bytes,
        bundle_bytes=summary.bundle_bytes,
        metrics=summary.metrics,
        chosen=cell.chosen,
        selection=summary.selection,
        control=roles.controls.get(cell.labels.get(HOME, ""), ""),
        setting=tuple(cell.labels[axis] for axis in roles.methods if axis != HOME),
        adapter=cell.config["method"]["name"] not in NO_ADAPTERS,
    )


def _trained_for(record: Mapping[str, float]) -> float:
    """Seconds of steps; of records before these were kept, with what judging took."""
    return record.get("train_seconds", record.get("seconds", 0.0))


def _search(
    labels: Mapping[str, str], trials: Sequence[Cell], plan: Plan, roles: Roles, measure: Measure
) -> Search:
    factor = 100 if measure.unit == "%" else 1
    folders = [plan.folder(trial) for trial in trials]
    done = [folder.summary() for folder in folders if folder.state == "done"]
    failures = [f for folder in folders if (f := folder.failure()) and folder.state == "failed"]
    every = [s.metrics.get(f"validation_{s.main_metric}", math.nan) for s in done]
    tried = [t.chosen for t, f in zip(trials, folders, strict=True) if f.state == "done"]
    known = [pair for pair in zip(every, tried, strict=True) if math.isfinite(pair[0])]
    known.sort(key=lambda pair: pair[0], reverse=measure.better == "higher")  # the first of equals
    return Search(
        method=roles.method(labels),
        data=roles.dataset(labels, trials[0].config),
        trials=len(trials),
        failed=len(failures) + len(every) - len(known),
        diverged=sum(failure.diverged for failure in failures),
        scores=[factor * score for score, _ in known],
        drawn=[chosen for _, chosen in known],
        tried=len({t.name for t, f in zip(trials, folders, strict=True) if f.state == "done"}),
        open=sum(folder.state not in ("done", "failed") for folder in folders),
    )


def _without_score(row: Row, metric: str) -> Lost:
    """A cell that is done and has no number to compare."""
    seed = f"seed {', '.join(json.loads(row.seed))}"
    return Lost(row.cell, row.method, row.data, seed, f"its `{metric}` is {row.score}", True)


def _lost(cell: Cell, plan: Plan, roles: Roles) -> Lost:
    failure = plan.folder(cell).failure()
    what = f"seed {', '.join(v for a, v in cell.labels.items() if is_seed(a))}"
    return Lost(
        cell=cell.name,
        method=roles.method(cell.labels),
        data=roles.dataset(cell.labels, cell.config),
        what=what if cell.trial is None else f"trial {cell.trial}",
        said=failure.said if failure else "",
        diverged=bool(failure and failure.diverged),
    )
