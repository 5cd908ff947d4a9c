"""The plugin host: made, held and passed; there is no global one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay import hooks
from onlay.descriptors import imported
from onlay.errors import OnlayError, PluginError
from onlay.host.discovery import Candidate, PluginRecord, from_file, installed
from onlay.host.firstparty import install
from onlay.host.registry import KINDS, Registry
from onlay.host.telling import decided, may_decide, told
from onlay.machine.guard import guarded, in_words

if TYPE_CHECKING:
    from onlay.descriptors import (
        Backbone,
        Command,
        Dataset,
        Decoder,
        Executor,
        Exporter,
        Method,
        Modality,
        Optimizer,
        Protocol,
        Task,
        Tracker,
    )


class PluginHost:
    """Every plugin, what each brings, and the hooks as typed methods.

    >>> host = PluginHost.discover()
    >>> host.find("method", "linear").summary
    'only the head is trained'
    """

    def __init__(self) -> None:
        self._registry = Registry()
        self._deciders: dict[str, PluginRecord] = {}

    @classmethod
    def discover(cls, *, only: str | None = None, files: Sequence[Path] = ()) -> PluginHost:
        """All installed plugins and the plugin `files`; `only` is `ONLAY_PLUGINS` unless given.

        A plugin that fails is listed with its reason and nothing else is lost; a file that fails
        is a `PluginError`, for it was asked for by name.
        """
        host = cls()
        asked = [from_file(Path(path)) for path in files]
        found = installed(os.environ.get("ONLAY_PLUGINS") if only is None else only)
        for candidate in found[::-1] + asked:  # pluggy calls the last one first: so, by name
            host._registry.load(candidate)
        if asked:
            host._registry.records()  # a hook that fails is to fail now
        for record in (candidate.record for candidate in asked):
            if isinstance(record.error, OnlayError):
                raise record.error
            if record.error is not None:
                raise PluginError(f"plugin file `{record}`: {record.reason}") from record.error
        return host

    def add(
        self, plugin: Any, *, name: str, distribution: str = "", version: str = ""
    ) -> PluginRecord:
        """Register a module (or any object) of hook implementations that is already at hand."""
        record = PluginRecord(name, distribution or name, version, repr(plugin))
        self._registry.load(Candidate(record, lambda: plugin))
        return record

    @property
    def plugins(self) -> list[PluginRecord]:
        """All plugins by name, the broken and the switched-off ones too."""
        return self._registry.records()

    def registered(self, kind: str) -> Mapping[str, Any]:
        """Descriptors of one kind by name, without the broken and the clashing."""
        return self._registry.descriptors(kind)

    @property
    def methods(self) -> Mapping[str, Method]:
        """Ways to adapt, by name."""
        return self.registered("method")

    @property
    def backbones(self) -> Mapping[str, Backbone]:
        """Families of frozen networks, by name."""
        return self.registered("backbone")

    @property
    def modalities(self) -> Mapping[str, Modality]:
        """Kinds of input, by name."""
        return self.registered("modality")

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Heads with loss and metrics, by name."""
        return self.registered("task")

    @property
    def decoders(self) -> Mapping[str, Decoder]:
        """From maps to a map, by name."""
        return self.registered("decoder")

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Layouts of labelled data, by name."""
        return self.registered("dataset")

    @property
    def exporters(self) -> Mapping[str, Exporter]:
        """Formats of merged models, by name."""
        return self.registered("exporter")

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Ways to step, by name."""
        return self.registered("optimizer")

    @property
    def trackers(self) -> Mapping[str, Tracker]:
        """Where runs report to, by name."""
        return self.registered("tracker")

    @property
    def executors(self) -> Mapping[str, Executor]:
        """Where cells of comparisons are trained, by name."""
        return self.registered("executor")

    @property
    def protocols(self) -> Mapping[str, Protocol]:
        """Comparisons of benchmarks, by name."""
        return self.registered("protocol")

    @property
    def commands(self) -> Mapping[str, Command]:
        """Commands; asks the plugins for nothing else, by name."""
        return self.registered("command")

    def find(self, kind: str, name: str) -> Any:
        """The descriptor of that name.

        `UnknownName` says what there is or what to install; `PluginError` names the broken plugin,
        its failure chained, or both distributions that claim the name.
        """
        return self._registry.claim(kind, name).descriptor

    def load(self, kind: str, name: str, part: str) -> Any:
        """What the import path in a descriptor's `part` leads to (`attach`, `build`); fails as
        `find` does, and as a `PluginError` where the import fails."""
        claim = self._registry.claim(kind, name)
        path = getattr(claim.descriptor, part)
        with _charged_to(claim.record, path):
            return imported(path)

    def call(self, kind: str, name: str, part: str, *given: Any) -> Any:
        """What `load` leads to, called; a failure is charged to its plugin."""
        function, record = self.load(kind, name, part), self.owner(kind, name)
        with _charged_to(record, f"{kind} `{name}`"):
            return function(*given)

    def owner(self, kind: str, name: str) -> PluginRecord:
        """The plugin that brings the name; fails as `find` does."""
        return self._registry.claim(kind, name).record

    def clashes(self) -> list[PluginError]:
        """One error for each name that two plugins claim."""
        return [
            self._registry.clash(kind, name)
            for kind in KINDS
            for name, claims in self._registry.claimed(kind).items()
            if len(claims) > 1
        ]

    config_resolved = told(hooks.config_resolved)
    """Tell every plugin that a run's configuration is complete."""
    backbone_built = told(hooks.backbone_built)
    """Tell every plugin of a backbone that is not yet adapted."""
    adapter_attached = told(hooks.adapter_attached)
    """Tell every plugin of an adapter that has proved itself alive."""
    step_finished = told(hooks.step_finished)
    """Tell every plugin how training goes, every `log_every` steps."""
    evaluated = told(hooks.evaluated)
    """Tell every plugin the metrics of a split."""
    checkpoint_saving = told(hooks.checkpoint_saving)
    """Let every plugin add a key of its own to a checkpoint's `state`."""
    checkpoint_loaded = told(hooks.checkpoint_loaded)
    """Let every plugin read what it added."""
    run_finished = told(hooks.run_finished)
    """Tell every plugin that a run's bundle is written."""
    run_failed = told(hooks.run_failed)
    """Tell every plugin that a run ended by an error."""
    cell_finished = told(hooks.cell_finished)
    """Tell every plugin that a cell of a comparison is trained."""
    make_param_groups = decided(hooks.make_param_groups)
    """The optimizer's parameter groups, by the first plugin that decides."""
    make_optimizer = may_decide(hooks.make_optimizer)
    """The optimizer, by the first plugin that decides; none where it is the one that `config.opt`
    names."""

    def decider(self, hook: str) -> PluginRecord:
        """The plugin whose answer a hook gave the last time that it was asked."""
        return self._deciders[hook]

    def _tell(self, hook: str, **facts: Any) -> None:
        for record, impl in self._registry.implementations(hook):
            with _charged_to(record, hook):
                impl.function(*(_of_its_own(name, facts[name]) for name in impl.argnames))

    def _decide(self, hook: str, **facts: Any) -> Any:
        answer = self._decided(hook, **facts)
        if answer is None:
            raise PluginError(f"no plugin answers `{hook}`: {install('onlay-train')}")
        return answer

    def _decided(self, hook: str, **facts: Any) -> Any:
        """The first answer, if any."""
        self._deciders.pop(hook, None)
        for record, impl in self._registry.implementations(hook):
            with _charged_to(record, hook):
                answer = impl.function(*(facts[name] for name in impl.argnames))
            if answer is not None:
                self._deciders[hook] = record
                return answer
        return None


def _of_its_own(name: str, fact: Any) -> Any:
    """Metrics and summaries go on into files and tables of ours, whatever a plugin does with them;
    to a `state` it may add."""
    return dict(fact) if type(fact) is dict and name != "state" else fact


def _charged_to(record: PluginRecord, what: str) -> guarded:
    def charge(error: BaseException) -> None:
        if isinstance(error, OnlayError):
            raise error
        raise PluginError(f"plugin `{record}` failed in `{what}`: {in_words(error)}") from error

    return guarded(charge)
