"""What plugins answered, and who is to blame: every call into a plugin is made inside a guard.

Asks are answered once, when the first name is looked up; commands apart from the rest, so that
`onlay --help` imports no configuration classes and parses no requirements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import pluggy

from onlay import hooks
from onlay.descriptors import resolve
from onlay.errors import PluginError
from onlay.host.discovery import CORE, Candidate, PluginRecord
from onlay.host.missing import missing
from onlay.host.wellformed import check_config, check_descriptor
from onlay.machine.guard import guarded
from onlay.machine.streams import named_while_waiting, stdout_to_stderr

KINDS = (
    "method",
    "backbone",
    "modality",
    "task",
    "decoder",
    "dataset",
    "exporter",
    "optimizer",
    "tracker",
    "executor",
    "protocol",
    "command",
)


@dataclass(frozen=True)
class Claim:
    """A descriptor and the plugin that registered it."""

    record: PluginRecord
    descriptor: Any


@dataclass(frozen=True)
class Healthy:
    """What healthy plugins claim of one kind; a thousand runs ask for it many times each."""

    statuses: list[str]
    """Of all plugins, when they were looked at."""
    claims: dict[str, list[Claim]]
    descriptors: Mapping[str, Any]
    """Those of names that one plugin claims alone."""


class Registry:
    """Plugins, loaded one by one, and the names that they claim."""

    def __init__(self) -> None:
        self._manager = _manager()
        self._records: dict[str, PluginRecord] = {}
        self._claims: dict[str, dict[str, list[Claim]]] = {}
        self._healthy: dict[str, Healthy] = {}
        self._checked: dict[tuple[str, str], Claim] = {}
        """Claims that were looked at: once is enough, for a thousand runs, too."""

    def load(self, candidate: Candidate) -> None:
        """Import and register one plugin; what fails is written into its record."""
        record = candidate.record
        key = f"{record.distribution}:{record.name}:{len(self._records)}"
        self._records[key] = record
        for known in (self._claims, self._healthy, self._checked):
            known.clear()
        if record.status != "ok":
            return
        with named_while_waiting(record), guarded(record.fail), stdout_to_stderr:
            plugin = candidate.load()
            if other := self._manager.get_name(plugin):
                raise ValueError(f"its module is already the plugin `{self._records[other].name}`")
            _register(self._manager, plugin, key)

    def records(self) -> list[PluginRecord]:
        """All plugins by name, after everything was asked of them."""
        for kind in KINDS:
            self.claimed(kind)
        return sorted(self._records.values(), key=lambda r: (r.name, r.distribution))

    def claimed(self, kind: str) -> dict[str, list[Claim]]:
        """Healthy claims by name; two claims on one name are a clash."""
        return self._of(kind).claims

    def descriptors(self, kind: str) -> Mapping[str, Any]:
        """Descriptors by name, without the broken and the clashing."""
        return self._of(kind).descriptors

    def _of(self, kind: str) -> Healthy:
        self._ask_once(kind)
        statuses: list[str] = [record.status for record in self._records.values()]
        known = self._healthy.get(kind)
        if known is not None and known.statuses == statuses:
            return known
        claims = self._claims[kind]
        healthy = {n: [c for c in claims[n] if c.record.status == "ok"] for n in sorted(claims)}
        found = {name: own for name, own in healthy.items() if own}
        alone = {name: own[0].descriptor for name, own in found.items() if len(own) == 1}
        self._healthy[kind] = Healthy(statuses, found, MappingProxyType(alone))
        return self._healthy[kind]

    def _ask_once(self, kind: str) -> None:
        if kind not in self._claims:
            if kind != "command":
                self._check_core()
            for each in ("command",) if kind == "command" else KINDS[:-1]:
                self._claims[each] = self._ask(each)

    def claim(self, kind: str, name: str) -> Claim:
        """The one healthy claim on a name, or the error that says why there is none."""
        if (known := self._checked.get((kind, name))) and known.record.status == "ok":
            known.record.check_core()
            return known if known.record.status == "ok" else self.claim(kind, name)
        claimed = self.claimed(kind)
        if name not in claimed:
            told = self._told(claimed, name)
            raise missing(kind, name, list(claimed), list(self._records.values()), told)
        if len(claimed[name]) > 1:
            raise self.clash(kind, name)
        found = claimed[name][0]
        found.record.check_core()
        with guarded(found.record.fail), stdout_to_stderr:
            check_config(kind, found.descriptor)
            self._checked[kind, name] = found
        return found if found.record.status == "ok" else self.claim(kind, name)

    def _told(self, claimed: dict[str, list[Claim]], name: str) -> str:
        """What a plugin says to a name that it has not, but can do under another."""
        told: list[str] = []
        for claim in (found[0] for found in claimed.values()):
            if also := getattr(claim.descriptor, "also", None):
                with guarded(claim.record.fail), stdout_to_stderr:
                    told.append(resolve(also)(name))
        return next(filter(None, told), "")

    def clash(self, kind: str, name: str) -> PluginError:
        """The error that names both distributions."""
        first, second, *_ = (claim.record for claim in self.claimed(kind)[name])
        other = first if second.distribution == CORE else second
        return PluginError(
            f"two plugins claim the {kind} `{name}`, `{first}` and `{second}`: "
            f"uninstall one or leave it out with `ONLAY_PLUGINS=-{other.distribution}`"
        )

    def implementations(self, hook: str) -> Iterator[tuple[PluginRecord, pluggy.HookImpl]]:
        """Healthy plugins' implementations in the order of calling."""
        for impl in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            record = self._records[impl.plugin_name]
            if record.status == "ok":
                yield record, impl

    def _check_core(self) -> None:
        for record in self._records.values():
            record.check_core()

    def _ask(self, kind: str) -> dict[str, list[Claim]]:
        claims: dict[str, list[Claim]] = {}
        hook = "register_modalities" if kind == "modality" else f"register_{kind}s"
        for record, impl in self.implementations(hook):
            names = record.brings[kind] = []
            with named_while_waiting(record), guarded(record.fail), stdout_to_stderr:
                answer: Any = impl.function()
                for descriptor in answer:
                    check_descriptor(kind, descriptor, names)
                    names.append(descriptor.name)
                    claims.setdefault(descriptor.name, []).append(Claim(record, descriptor))
        return claims


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    return manager


def _register(manager: pluggy.PluginManager, plugin: Any, key: str) -> None:
    """All hooks of a plugin, or none of them: raises for a wrong signature (pluggy does), a wrapper
    or an unknown hook."""
    try:
        manager.register(plugin, key)
        for caller in manager.get_hookcallers(plugin) or ():
            _check_hook(caller, plugin)
    except BaseException:
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        raise


def _check_hook(caller: pluggy.HookCaller, plugin: Any) -> None:
    if not caller.has_spec():
        known = [n for n, what in vars(hooks).items() if hasattr(what, f"{hooks.PROJECT}_spec")]
        near = get_close_matches(caller.name, known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        raise TypeError(f"unknown hook `{caller.name}`{hint}")
    own = [impl for impl in caller.get_hookimpls() if impl.plugin is plugin]
    if any(impl.wrapper or impl.hookwrapper for impl in own):
        raise TypeError(f"hook `{caller.name}` is wrapped: onlay's hooks take no wrappers")
