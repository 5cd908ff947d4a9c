"""What there is to do in a grid, given what lies in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay.errors import ConfigError, OnlayError, RunError
from onlay_train.folder import flat
from onlay_train.grid.axes import Point, Value, called, is_seed, labels
from onlay_train.grid.cells import Cell, Drawn, cell_of, drawn, resolved
from onlay_train.grid.facts import VARIES, keys_in, known_all, lacks_validation, test_varies
from onlay_train.grid.file import GridConfig, SearchConfig
from onlay_train.grid.sampling import Draws
from onlay_train.grid.search import (
    NOTHING_TO_CHOOSE_ON,
    best,
    check_keys,
    nearest,
    searched_fields,
    values,
    words,
)
from onlay_train.grid.state import CellFolder

if TYPE_CHECKING:
    from onlay.config.fold import FoldConfig
    from onlay.config.run import RunConfig
    from onlay.host import PluginHost


@dataclass(frozen=True)
class Group:
    """Combinations that differ in seeds alone, or in an axis that is not searched at every
    value: they take one search's choice."""

    labels: Mapping[str, str]
    trials: list[Cell]
    draws: Draws | None = None
    """Draws the trials that are not there yet, where earlier ones decide about them."""
    blind: bool = False
    """Its data have no part to choose on: there are no trials."""


@dataclass
class Plan:
    """The cells of a grid: those that are known now, and those that wait for a search."""

    grid: GridConfig
    host: PluginHost
    root: Path
    known: dict[str, str]
    drawn: Drawn
    accepted: Mapping[str, str] = field(default_factory=dict)
    """`Cell.same` -> the folder of a cell that differs in versions of plugins alone and counts."""
    groups: dict[str, Group] = field(default_factory=dict)
    unread: list[Mapping[str, Any]] = field(default_factory=list)
    """Cells that have no name yet, for nobody read their data: what a search chose is of them."""
    hopeless: dict[str, str] = field(default_factory=dict)
    """Search -> why it chose nothing, and its cells are not trained."""
    _named: dict[int, Cell] = field(default_factory=dict)
    _rows: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _folders: dict[str, CellFolder] = field(default_factory=dict)
    _choices: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def cells(self) -> list[Cell]:
        """What the report is about, as far as it can be named: without a search all of it; else
        those whose search has ended."""
        for number, run in enumerate(self.drawn.runs):
            if number not in self._named and (cell := self._final(run)) is not None:
                self._named[number] = self._once(cell)
        return [self._named[number] for number in sorted(self._named)]

    def _once(self, cell: Cell) -> Cell:
        """Raises a `ConfigError` where a table would compare one training with itself."""
        other = self._rows.setdefault(cell.name, cell.labels)
        if other != cell.labels:
            one, two = (
                ", ".join(f"{axis}={label}" for axis, label in each.items())
                for each in (other, cell.labels)
            )
            raise ConfigError(
                f"the cells {one} and {two} are one training: what tells them apart changes no"
                " weight, or something else takes its place; leave one of them out (`skip`)"
            )
        return cell

    def trials(self) -> list[Cell]:
        """Those that are drawn; a sampler that learns draws more once these have ended."""
        for group in self.groups.values():
            if group.draws is not None:
                group.draws.extend(group.trials, self.folder)
        return [trial for group in self.groups.values() for trial in group.trials]

    def everything(self) -> list[Cell]:
        """Trials first."""
        self.unread.clear()
        return [*self.trials(), *self.cells()]

    @property
    def lost(self) -> int:
        """How many cells have no name, for their search chose nothing."""
        return sum(_key(point, self.grid) in self.hopeless for point, _ in self.drawn.runs)

    @property
    def unnamed(self) -> int:
        """How many cells have no name yet, for data or sizes are still to be read."""
        return len(self.unread) + len(self.drawn.unsized)

    @property
    def size(self) -> int:
        """How many cells there are in all, those that cannot be named yet included."""
        trials = self.grid.search.trials if self.grid.search else 0
        searches = sum(not group.blind for group in self.groups.values())
        return trials * searches + len(self.drawn.runs)

    def folder(self, cell: Cell) -> CellFolder:
        """Its own; that of another version where that one counts and its own is not done."""
        own = self._folder(cell.name)
        other = self.accepted.get(cell.same)
        return own if other is None or own.state == "done" else self._folder(other)

    def _folder(self, name: str) -> CellFolder:
        if name not in self._folders:
            self._folders[name] = CellFolder(self.root, name)
        return self._folders[name]

    def choice(self, key: str) -> Mapping[str, float] | None:
        """What a search chose; `None` while a trial is open.

        Raises:
            RunError: all trials failed.
            ConfigError: the data have no validation part.
        """
        if key not in self._choices and (found := self._chosen(self.groups[key])) is not None:
            self._choices[key] = found
        return self._choices.get(key)

    def _chosen(self, group: Group) -> Mapping[str, float] | None:
        if group.blind:
            raise ConfigError(NOTHING_TO_CHOOSE_ON)
        states = [self.folder(trial).state for trial in group.trials]
        assert self.grid.search is not None
        drawn_all = len(states) == self.grid.search.trials
        if not drawn_all or any(state not in ("done", "failed") for state in states):
            return None
        done = [t for t, state in zip(group.trials, states, strict=True) if state == "done"]
        index = best([self.folder(trial).summary() for trial in done]) if done else None
        if index is None:
            raise RunError(f"all {len(states)} trials of the search failed")
        return done[index].chosen

    def _final(self, run: tuple[Point, RunConfig]) -> Cell | None:
        point, config = run
        if point in self.drawn.unsized:
            return None
        if self.grid.search is None:
            return cell_of(point, config, self.known, self.host)
        key = _key(point, self.grid)
        self.hopeless.pop(key, None)
        try:
            chosen = self.choice(key)
        except OnlayError as error:
            self.hopeless[key] = str(error)
            return None
        if chosen is None:
            return None
        config = resolved(self.grid, point, self.host, words(chosen), known=self.known)
        if not known_all(config, self.known):
            self.unread.append(config.model_dump(mode="json"))
            return None
        return cell_of(point, config, self.known, self.host, chosen=chosen)


def make_plan(
    grid: GridConfig,
    host: PluginHost,
    root: Path,
    known: Mapping[str, str],
    accepted: Mapping[str, str] | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """All combinations, and the trials of every search; with `only`, axis -> labels or patterns,
    those that it leaves, and the trials that these wait for, whatever those are called.

    Raises:
        ConfigError: a mistake in the grid or in `only`, in one sentence.
    """
    plan = Plan(grid, host, root, dict(known), drawn(grid, host, known), accepted or {})
    if grid.search is not None:
        _check_search(grid, plan.drawn)
        _check_test_parts(plan)
        plan.groups.update(_groups(plan))
        for point, _ in plan.drawn.runs:
            if point not in plan.drawn.unsized and _key(point, grid) not in plan.groups:
                told = ", ".join(f"{axis}={label}" for axis, label in labels(point).items())
                raise ConfigError(
                    f"search.at: no search is left for the cell {told}: `skip` leaves out the"
                    " combination in which it would be searched"
                )
    _check_reference(plan)
    return _narrowed(plan, only) if only else plan


def _check_reference(plan: Plan) -> None:
    """A slip is told before anything is trained."""
    wanted = plan.grid.report.reference
    if wanted is None:
        return
    from onlay_train.grid.report.gathered import Roles

    roles = Roles.of(plan)
    every = [*(labels(point) for point, _ in plan.drawn.runs)]
    every += [skip.labels for skip in plan.drawn.skipped]
    have = dict.fromkeys(roles.method(own) for own in every)
    if wanted not in have:
        raise ConfigError(
            f"report.reference: `{wanted}` is none of the methods (have: {', '.join(have)})"
        )


def _narrowed(plan: Plan, only: Mapping[str, Sequence[str]]) -> Plan:
    for axis in only:
        if axis not in plan.grid.grid:
            raise ConfigError(f"--only: `{axis}` is no axis (have: {', '.join(plan.grid.grid)})")

    def fits(given: Mapping[str, str]) -> bool:
        return all(
            any(called(given[axis], pattern) for pattern in patterns)
            for axis, patterns in only.items()
        )

    there = [*(labels(point) for point, _ in plan.drawn.runs)]
    there += [skip.labels for skip in plan.drawn.skipped]
    for axis, pattern in ((axis, each) for axis, own in only.items() for each in own):
        if not any(called(given[axis], pattern) for given in there):
            raise ConfigError(f"--only {axis}={pattern}: no cell is called so")
    runs = [(point, config) for point, config in plan.drawn.runs if fits(labels(point))]
    skipped = [skip for skip in plan.drawn.skipped if fits(skip.labels)]
    unsized = [point for point in plan.drawn.unsized if fits(labels(point))]
    left = Drawn(runs, skipped, unsized)
    needed = {_key(point, plan.grid) for point, _ in runs}
    groups = {key: group for key, group in plan.groups.items() if key in needed}
    return replace(plan, drawn=left, groups=groups)


def _check_search(grid: GridConfig, drawn_: Drawn) -> None:
    search = grid.search
    assert search is not None
    configs = [config for _, config in drawn_.runs]
    check_keys(search, configs)
    if any(config.train.seed == search.seed for config in configs):
        raise ConfigError(
            f"search.seed: {search.seed} is a seed of the grid, too; trials need one of their own"
        )
    _check_free(search, drawn_)
    for axis, at in search.at.items():
        if axis not in grid.grid:
            raise ConfigError(f"search.at: `{axis}` is no axis (have: {', '.join(grid.grid)})")
        if axis in ("method", "backbone"):
            raise ConfigError(
                f"search.at: `{axis}` cannot be there: each {axis} has a search of its own, else"
                " one would train with what was chosen for another"
            )
        if unknown := [value for value in at if value not in list(grid.grid[axis])]:
            raise ConfigError(f"search.at.{axis}: {unknown[0]} is no value of the axis")


def _check_test_parts(plan: Plan) -> None:
    """Trials are of one seed: they must not train on what other seeds, or folds, are tested on.

    Raises:
        ConfigError: the test part is other items for another seed of the split, or another fold.
    """
    chance = any(key.endswith(VARIES) for key in plan.known)
    seeds: dict[str, set[int]] = {}
    folds: dict[str, FoldConfig] = {}
    for point, config in plan.drawn.runs:
        search = _key(point, plan.grid)
        if config.fold is not None and folds.setdefault(search, config.fold) != config.fold:
            raise ConfigError(
                "search: a search for several folds trains on what some of them are tested on: make"
                " a grid of each fold (`base: {fold: {of: 5, fold: 0}}`), or leave the search out"
            )
        if chance and test_varies(dump := config.model_dump(mode="json"), plan.known):
            seeds.setdefault(search, set()).add(dump["data"]["split_seed"])
    if any(len(own) > 1 for own in seeds.values()):
        raise ConfigError(
            "search: the test part is split off by `data.split_seed`, of which there are several,"
            " and trials of one would train on what others are tested on: set `data.test_seed: 0`,"
            " and the test part is one for all"
        )


def _check_free(search: SearchConfig, drawn_: Drawn) -> None:
    """What is searched takes the place of all else: no axis may say it, and no trial."""
    said = {
        (axis, value.label): flat(value.fragment).keys() | {axis}
        for point, _ in drawn_.runs
        for axis, value in point.items()
    }
    for key in search.keys:
        if key in search.settings:
            raise ConfigError(f"search.settings: `{key}` is searched, and cannot be set in trials")
        for (axis, label), fields in said.items():
            if key in fields:
                raise ConfigError(
                    f"search.keys: `{key}` is said by `{label}` of the axis `{axis}`, and the"
                    " search would take its place: search it, or compare its values"
                )


def _groups(plan: Plan) -> Iterator[tuple[str, Group]]:
    search = plan.grid.search
    assert search is not None
    seen = set()
    for point, config in plan.drawn.runs:
        key = _key(point, plan.grid)
        unsized = point in plan.drawn.unsized
        if key in seen or unsized or not _searched_here(point, plan.grid):
            continue
        seen.add(key)
        fields = searched_fields(search, config)
        own = {a: v for a, v in labels(point).items() if not is_seed(a)}
        first = _trial(plan, point, values(search, fields, 0), 0)
        if lacks_validation(first.config, plan.known):
            yield key, Group(own, [], blind=True)
            continue
        if search.sampler != "random":
            yield key, Group(own, [], Draws(search, fields, partial(_later, plan, point)))
            continue
        drawn_ = (values(search, fields, number) for number in range(search.trials))
        yield key, Group(own, [_trial(plan, point, each, n) for n, each in enumerate(drawn_)])


def _later(plan: Plan, point: Point, chosen: Mapping[str, float], number: int) -> Cell | None:
    """A trial that others came before; its data may be of other settings than theirs."""
    trial = _trial(plan, point, chosen, number)
    read = plan.known.keys() >= set(keys_in(trial.config).values())
    if number and plan.known and not read:
        plan.unread.append(trial.config)
        return None
    return trial


def _trial(plan: Plan, point: Point, chosen: Mapping[str, float], number: int) -> Cell:
    search = plan.grid.search
    assert search is not None
    own = [f"{key}={json.dumps(value)}" for key, value in search.settings.items()]
    judged = ["train.evaluate_test=false", "train.evaluate_train=false"]  # by validation alone
    also = [*words(chosen), *own, f"train.seed={search.seed}", *judged]
    config = resolved(plan.grid, point, plan.host, also, known=plan.known)
    if config.train.selection == "best_test_as_published":  # a trial does not look there
        also.append("train.selection=last")
        config = resolved(plan.grid, point, plan.host, also, known=plan.known)
    return cell_of(point, config, plan.known, plan.host, trial=number, chosen=chosen)


def _key(point: Point, grid: GridConfig) -> str:
    """Which search a combination belongs to."""
    at = grid.search.at if grid.search else {}
    own = {
        axis: _nearest_label(value, at[axis]) if axis in at else value.label
        for axis, value in point.items()
        if not is_seed(axis)
    }
    return json.dumps(own)


def _nearest_label(value: Value, at: Sequence[Any]) -> str:
    return json.dumps(nearest(value.given, at))


def _searched_here(point: Point, grid: GridConfig) -> bool:
    at = grid.search.at if grid.search else {}
    return all(point[axis].given in values for axis, values in at.items())
