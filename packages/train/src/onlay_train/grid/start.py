"""One start of `onlay compare`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from onlay.config.files import as_text
from onlay.errors import ConfigError, PluginError
from onlay.host import PluginHost
from onlay.machine.disk import write_text, writing
from onlay_train.grid.axes import content, points
from onlay_train.grid.executors.announced import announce
from onlay_train.grid.facts import lacks_trivial, read_facts, seen_in, survey, write_facts
from onlay_train.grid.file import GridConfig, parsed, read_grid
from onlay_train.grid.others import same_but_versions
from onlay_train.grid.plan import Plan, make_plan
from onlay_train.grid.schedule import Schedule, handed
from onlay_train.grid.shown import described, failures, outcome, reported, say, shown
from onlay_train.grid.sizes import asked, work_out


@dataclass(frozen=True, kw_only=True)
class Start:
    """What was asked for."""

    host: PluginHost
    file: Path
    root: Path
    only: Mapping[str, Sequence[str]]
    retry: bool = False
    jobs: int | None = None
    accept_versions: bool = False
    plugins: Sequence[str] = ()
    content: Mapping[str, Any] | None = None
    """What the file would hold, where there is none, or a command line adds to it."""
    left_out: Sequence[str] = ()
    """Data sets of a protocol that are not there, in sentences."""

    @cached_property
    def grid(self) -> GridConfig:
        if self.content is not None:
            return parsed(self.content, self.host)
        return read_grid(self.file, self.host)

    def described(self) -> str:
        """How many cells there are, how long they will take, what is left out and why."""
        plan = self._plan(read_facts(self._facts))
        jobs = self.jobs or getattr(self.grid.where, "jobs", 1)
        return "\n".join([described(plan, jobs), *self.left_out])

    def run(self) -> int:
        """Train what is left; gives the exit status, 1 if a cell failed."""
        plan = self.finished()
        say("\n".join([outcome(plan), *self.left_out]))
        say(reported(self._whole(plan)))
        return int(bool(failures(plan)))

    def finished(self) -> Plan:
        """Train what is left."""
        plan = self._plan(read_facts(self._facts))
        self._keep_the_file()
        return self._trained(plan) if self._open(plan) else plan

    def _trained(self, plan: Plan) -> Plan:
        if self.retry:  # before anything is chosen: a trial that failed may become the best one
            for cell in plan.everything():
                if plan.folder(cell).state == "failed":
                    plan.folder(cell).forgive()
        announce((config for _, config in plan.drawn.runs), self.host)
        executor = self._executor()
        try:
            read = partial(self._surveyed, executor)
            known = self._sized(executor)
            plan = self._plan({**known, **read(self._runs(known))})
            with shown(plan) as seen:
                asked = {"seen": seen, "survey": read, "warn": _warn}
                Schedule(plan, executor, self.plugins, self.retry, **asked).run()
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
        executor.shutdown()
        return plan

    def _plan(self, known: Mapping[str, str]) -> Plan:
        plan = make_plan(self.grid, self.host, self.root, known, self._accepted, self.only)
        if self.only and not plan.drawn.runs:
            raise ConfigError("--only: no cell is left by that")
        return plan

    def _whole(self, plan: Plan) -> Plan:
        """What the report is about, whatever `--only` says."""
        if not self.only:
            return plan
        known = read_facts(self._facts) | plan.known
        return make_plan(self.grid, self.host, self.root, known, self._accepted)

    def _open(self, plan: Plan) -> bool:
        """Whether there may be something to train."""
        states = {plan.folder(cell).state for cell in plan.everything()}
        if bool(states - {"done", "failed"}) or ("failed" in states and self.retry):
            return True
        if plan.unnamed:  # a grid that grew: what is new has no name before its data are read
            return True
        cells = plan.cells() if self._trivial else []
        return any(lacks_trivial(cell.config, plan.known) for cell in cells)

    def _sized(self, executor: Executor) -> dict[str, str]:
        """Sizes that other methods say, as far as the grid asks for any."""
        wanted: dict[str, Any] = {}
        for point in points(self.grid, self.host):
            if size := asked(content(self.grid, point, self.host), self.host):
                wanted[size["key"]] = size
        if not wanted:
            return {}
        found = self._answered(executor, work_out, list(wanted.values()), tuple(self.plugins))
        write_facts(self._facts, read_facts(self._facts) | found)
        return found

    def _runs(self, known: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Of cells and trials, which have a seed of their own, one for each data and backbone."""
        plan = make_plan(self.grid, self.host, self.root, known)
        runs = [config.model_dump(mode="json") for _, config in plan.drawn.runs]
        runs += [trial.config for trial in plan.trials()]
        return list({json.dumps(seen_in(run), sort_keys=True): run for run in runs}.values())

    def _surveyed(self, executor: Executor, runs: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
        """Data and weights as they are now."""
        asked = list(runs), tuple(self.plugins), self._trivial
        known = self._answered(executor, survey, *asked)
        write_facts(self._facts, read_facts(self._facts) | known)
        return known

    def _answered(self, executor: Executor, *asked: Any) -> dict[str, str]:
        """Facts that a function of ours gives, where cells are trained, too."""
        where = self.grid.where.name
        found: Any = handed(executor, where, self.host, *asked).result()
        if not isinstance(found, Mapping):
            owner, kind = self.host.owner("executor", where), type(found).__name__
            raise PluginError(
                f"executor `{where}` of plugin `{owner}` gives a `{kind}` for what a job of it gave"
            )
        return dict(found)

    @property
    def _trivial(self) -> bool:
        return "trivial" in self.grid.controls

    def _executor(self) -> Executor:
        where = self.grid.where
        if self.jobs is not None:
            if "jobs" not in type(where).model_fields:
                raise ConfigError(f"--jobs: `{where.name}` has no such setting")
            where = where.model_copy(update={"jobs": self.jobs})
        folder = self.root.resolve() / "jobs"
        made: Any = self.host.call("executor", where.name, "build", where, folder)
        if not isinstance(made, Executor):
            owner, kind = self.host.owner("executor", where.name), type(made).__name__
            raise PluginError(
                f"executor `{where.name}` of plugin `{owner}`: its `build` gives a `{kind}`, no"
                " `concurrent.futures.Executor`"
            )
        return made

    @cached_property
    def _accepted(self) -> Mapping[str, str]:
        """With `--accept-versions`: cells that are done, by what is the same in all versions."""
        return same_but_versions(self.root) if self.accept_versions else {}

    @property
    def _facts(self) -> Path:
        return self.root / "facts.json"

    def _keep_the_file(self) -> None:
        """The folder says what it is about, wherever it is copied to."""
        with writing(self.root):
            (self.root / "cells").mkdir(parents=True, exist_ok=True)
        made = None if self.content is None else as_text(dict(self.content))
        write_text(self.root / "grid.yaml", made or self.file.read_text(encoding="utf-8"))


def _warn(text: str) -> None:
    say(f"warning: {text}")
